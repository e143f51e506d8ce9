package jitter

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// tripwire tells whether a signal was handled on a thread: nothing counts signals.
// Go handles them on a stack of their own for each thread, and the kernel begins a
// signal's frame at the end of it. So what was written there is gone after a signal.
// While the thread runs anything else nobody uses that memory.
//
// The address is kept as a number: the stack goes with its thread, and the garbage
// collector ends the process when it finds a pointer to it afterwards.
type tripwire struct {
	at      uintptr // 0: there is no such stack, or it was not looked for yet
	looked  bool
	tripped int64
}

// wire is a word that the kernel never writes.
const wire = 0x626f6f6d6e657421

// wireBytes is how much of the end of the stack is watched: the last thing in a
// frame is the end mark of the floating-point state, aligned to 64 bytes.
const (
	wireBytes = 128
	wireWords = wireBytes / 8
)

// count returns how often it was found tripped so far. The thread is always the
// same, and lives.
func (t *tripwire) count() int64 {
	if !t.looked {
		t.looked = true
		t.at = endOfSignalStack()
		t.arm()
		return 0
	}
	if words := t.words(); words != nil {
		for _, w := range words {
			if w != wire {
				t.tripped++
				t.arm()
				break
			}
		}
	}
	return t.tripped
}

func (t *tripwire) arm() {
	if words := t.words(); words != nil {
		for i := range words {
			words[i] = wire
		}
	}
}

func (t *tripwire) words() *[wireWords]uint64 {
	return *(**[wireWords]uint64)(unsafe.Pointer(&t.at))
}

// endOfSignalStack is where the last wireBytes of the calling thread's alternate
// signal stack begin; 0 when it has none.
func endOfSignalStack() uintptr {
	var stack struct { // stack_t
		sp    uintptr
		flags int32
		size  uintptr
	}
	const onStack, disabled = 1, 2
	if _, _, errno := unix.RawSyscall(unix.SYS_SIGALTSTACK, 0, uintptr(unsafe.Pointer(&stack)), 0); errno != 0 ||
		stack.flags&(onStack|disabled) != 0 || stack.size < 2*wireBytes {
		return 0
	}
	return stack.sp + stack.size - wireBytes
}
