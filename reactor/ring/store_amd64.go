//go:build !purego && !race

package ring

// store sets *p to v with release order: what was read or written before is done
// when another thread sees v. A plain MOV, of which Go has no other way to say
// that it is one. It orders nothing against later loads.
//
//go:noescape
func store(p *uint64, v uint64)

const plainStore = true
