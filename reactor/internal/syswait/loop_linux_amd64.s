//go:build boomnet_wait

#include "go_asm.h"
#include "textflag.h"

#define EINTR 4

// held stands in for m.p where that is not known.
DATA ·held(SB)/8, $1
GLOBL ·held(SB), NOPTR|RODATA, $8

// func loop(w *Waiter, c *Call, s *stay) (n int, more bool)
//
// A system call keeps all registers but AX, CX and R11. R14 (g) and R15 are left
// alone, as is the stack: a profiler's signal finds a frame of size 0.
//
//	R12  where m.p is
//	R13  when to leave
//	BX   rounds left
TEXT ·loop(SB), NOSPLIT, $0-33
	MOVB	$0, more+32(FP)
	MOVQ	s+16(FP), SI
	MOVQ	stay_end(SI), R13
	MOVQ	stay_rounds(SI), BX
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	ADDQ	stay_slice(SI), AX
	CMPQ	AX, R13
	JCC	where
	MOVQ	AX, R13
	MOVB	$1, more+32(FP)

where:
	MOVQ	stay_p(SI), R12
	TESTQ	R12, R12
	JZ	unknown
	MOVQ	(TLS), AX
	ADDQ	const_offsetOfM(AX), R12
	JMP	again

unknown:
	MOVQ	$·held(SB), R12

again:
	MOVQ	w+0(FP), DX
	MOVQ	Waiter_Words(DX), AX
	MOVQ	(Waiter_Words+8)(DX), CX // len
	TESTQ	CX, CX
	JZ	call
word: // x86 loads are acquire loads; the reader loads again anyway
	MOVQ	Word_At(AX), DX
	MOVQ	(DX), DX
	CMPQ	DX, Word_Seen(AX)
	JNE	nothing
	ADDQ	$Word__size, AX
	DECQ	CX
	JNZ	word

call:
	MOVQ	c+8(FP), CX
	CMPB	Call_None(CX), $0
	JNE	clock
	MOVQ	(Call_Args+0)(CX), AX
	MOVQ	(Call_Args+8)(CX), DI
	MOVQ	(Call_Args+16)(CX), SI
	MOVQ	(Call_Args+24)(CX), DX
	MOVQ	(Call_Args+32)(CX), R10
	MOVQ	(Call_Args+40)(CX), R8
	MOVQ	(Call_Args+48)(CX), R9
	SYSCALL
	TESTQ	AX, AX
	JZ	clock
	CMPQ	AX, $-EINTR          // a signal: the runtime has dealt with it
	JNE	answer

clock:
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	CMPQ	AX, R13
	JCC	over
	CMPQ	(R12), $0
	JEQ	taken
go:
	DECQ	BX
	JZ	nothing
	PAUSE
	JMP	again

taken: // leave soon; this is asked no more
	MOVQ	$·held(SB), R12
	MOVQ	s+16(FP), SI
	ADDQ	stay_grace(SI), AX
	CMPQ	AX, R13
	JCC	go
	MOVQ	AX, R13
	MOVB	$1, more+32(FP)
	JMP	go

nothing:
	XORL	AX, AX
answer:
	MOVB	$0, more+32(FP)
	MOVQ	AX, n+24(FP)
	RET

over: // of the wait, or of the stay: more says which
	MOVQ	$0, n+24(FP)
	RET

// func snap(words *[wordsOfM]uintptr)
TEXT ·snap(SB), NOSPLIT, $0-8
	MOVQ	words+0(FP), DI
	MOVQ	(TLS), SI
	MOVQ	const_offsetOfM(SI), SI
	MOVQ	$const_wordsOfM, CX
	CLD
	REP;	MOVSQ
	RET

// func tick(pAt uintptr)
//
// Nothing takes the P of a running goroutine, and none is preempted in assembly.
TEXT ·tick(SB), NOSPLIT, $0-8
	MOVQ	pAt+0(FP), CX
	TESTQ	CX, CX
	JZ	done
	MOVQ	(TLS), AX
	MOVQ	const_offsetOfM(AX), AX
	MOVQ	(AX)(CX*1), AX
	TESTQ	AX, AX
	JZ	done
	INCL	const_offsetOfRuns(AX)
done:
	RET

// func counts(pAt uintptr, of *pCounts)
TEXT ·counts(SB), NOSPLIT, $0-16
	MOVQ	pAt+0(FP), CX
	MOVQ	of+8(FP), DI
	MOVQ	(TLS), AX
	MOVQ	const_offsetOfM(AX), AX
	MOVQ	(AX)(CX*1), AX
	MOVQ	AX, pCounts_p(DI)
	MOVL	const_offsetOfRuns(AX), CX
	MOVL	CX, pCounts_runs(DI)
	MOVL	const_offsetOfCalls(AX), CX
	MOVL	CX, pCounts_calls(DI)
	RET
