//go:build !race

#include "textflag.h"

// func store(p *atomic.Int64, v int64)
TEXT ·store(SB), NOSPLIT|NOFRAME, $0-16
	MOVQ p+0(FP), AX
	MOVQ v+8(FP), BX
	MOVQ BX, (AX)
	RET
