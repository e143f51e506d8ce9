//go:build !purego

#include "textflag.h"

// func asciiPrefix(p []byte) int
//
// A byte is ASCII when its top bit is clear; PMOVMSKB gathers the top bits of
// sixteen. The last step of each width looks at the last bytes, some of them
// again, so that no tail is left. AX is how many bytes are known to be ASCII.
TEXT ·asciiPrefix(SB), NOSPLIT, $0-32
	MOVQ p_base+0(FP), SI
	MOVQ p_len+8(FP), CX
	XORL AX, AX
	CMPQ CX, $16
	JLT  words
	LEAQ -16(CX), R8 // where the last vector begins
	LEAQ -64(CX), DX // where the last four begin
	CMPQ CX, $64
	JLT  one

four:
	MOVOU    (SI)(AX*1), X0
	MOVOU    16(SI)(AX*1), X1
	MOVOU    32(SI)(AX*1), X2
	MOVOU    48(SI)(AX*1), X3
	POR      X1, X0
	POR      X3, X2
	POR      X2, X0
	PMOVMSKB X0, BX
	TESTL    BX, BX
	JNZ      one
	ADDQ     $64, AX
	CMPQ     AX, DX
	JLE      four

	CMPQ     AX, CX
	JEQ      all
	MOVOU    (SI)(DX*1), X0
	MOVOU    16(SI)(DX*1), X1
	MOVOU    32(SI)(DX*1), X2
	MOVOU    48(SI)(DX*1), X3
	POR      X1, X0
	POR      X3, X2
	POR      X2, X0
	PMOVMSKB X0, BX
	TESTL    BX, BX
	JZ       all

one:
	CMPQ     AX, R8
	JGE      last
	MOVOU    (SI)(AX*1), X0
	PMOVMSKB X0, BX
	TESTL    BX, BX
	JNZ      found
	ADDQ     $16, AX
	JMP      one

last:
	MOVQ     R8, AX
	MOVOU    (SI)(AX*1), X0
	PMOVMSKB X0, BX
	TESTL    BX, BX
	JNZ      found

all:
	MOVQ CX, ret+24(FP)
	RET

found:
	BSFL BX, BX
	ADDQ BX, AX
	MOVQ AX, ret+24(FP)
	RET

words:
	CMPQ CX, $8
	JLT  bytes
	MOVQ $0x8080808080808080, R9
	MOVQ (SI), BX
	ANDQ R9, BX
	JNZ  inword
	LEAQ -8(CX), AX
	MOVQ (SI)(AX*1), BX
	ANDQ R9, BX
	JZ   all

inword:
	BSFQ BX, BX // the top bit of the first byte that is not ASCII
	SHRQ $3, BX
	ADDQ BX, AX
	MOVQ AX, ret+24(FP)
	RET

bytes:
	CMPQ AX, CX
	JGE  all
	CMPB (SI)(AX*1), $0
	JLT  stop
	INCQ AX
	JMP  bytes

stop:
	MOVQ AX, ret+24(FP)
	RET
