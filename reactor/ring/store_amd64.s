//go:build !purego && !race

#include "textflag.h"

// func store(p *uint64, v uint64)
//
// MOV is a release on amd64 (total store order); an XCHG, which is what
// sync/atomic makes of a store, takes up to three times as long.
TEXT ·store(SB), NOSPLIT, $0-16
	MOVQ p+0(FP), AX
	MOVQ v+8(FP), CX
	MOVQ CX, (AX)
	RET
