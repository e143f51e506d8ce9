//go:build !amd64 || purego || race

package ring

import "sync/atomic"

// store sets *p to v with at least release order.
func store(p *uint64, v uint64) { atomic.StoreUint64(p, v) }

const plainStore = false
