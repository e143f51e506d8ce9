//go:build !race

package stats

import "sync/atomic"

// store puts v into p, behind all stores before it: the plain store that amd64 does
// in order anyway, where Store of package atomic would wait until everybody sees
// it. Nothing here has to be seen before a later load of the owner's. The race
// detector would not see this one, so under it store is the other.
//
//go:noescape
func store(p *atomic.Int64, v int64)
