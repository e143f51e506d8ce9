//go:build !linux

package capture

import "os"

func lock(*os.File) error { return nil }

func lockPath(string) (unlock func(), err error) { return func() {}, nil }
