//go:build !linux

package affinity

import "errors"

// allowed is what Local takes for this process's mask.
func allowed() (Set, error) { return Set{}, errors.ErrUnsupported }
