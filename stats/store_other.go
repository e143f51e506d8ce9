//go:build !amd64 || race

package stats

import "sync/atomic"

// store puts v into p, behind all stores before it.
func store(p *atomic.Int64, v int64) { p.Store(v) }
