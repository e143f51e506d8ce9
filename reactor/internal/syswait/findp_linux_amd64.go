//go:build boomnet_wait

package syswait

import (
	"runtime"
	_ "unsafe" // go:linkname
)

// entersyscallblock is entersyscall for a call known to block: it gives the P away
// at once.
//
//go:linkname entersyscallblock runtime.entersyscallblock
func entersyscallblock()

const (
	// offsetOfM is where g.m is: the runtime's structures are looked at, and never
	// changed. It has been there since Go had frame pointers; checked for the
	// releases that findP admits.
	offsetOfM = 48
	// wordsOfM is how much of an m is looked through: a quarter of it.
	wordsOfM = 64
)

// offsetOfP is where m.p is in an m, the P that a thread has; 0: not known. It is
// set before the first wait.
var offsetOfP uintptr

//go:noescape
func snap(words *[wordsOfM]uintptr)

// findP finds m.p: the one word of an m that is set before the P is given away, 0
// while there is none, and set afterwards. It returns 0 when there is not just one,
// or the Go release is not known.
func findP() uintptr {
	if !known(runtime.Version()) {
		return 0
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var found uintptr
	for range 3 {
		var before, without, after [wordsOfM]uintptr
		withoutP(&before, &without, &after)
		var at uintptr
		for i := range before {
			if before[i] == 0 || without[i] != 0 || after[i] == 0 {
				continue
			}
			if at != 0 {
				return 0
			}
			at = uintptr(i) * 8
		}
		if at == 0 || found != 0 && at != found {
			return 0
		}
		found = at
	}
	return found
}

// withoutP takes three looks at the thread's m. The rules of wait apply.
//
//go:nosplit
//go:norace
//go:noinline
func withoutP(before, without, after *[wordsOfM]uintptr) {
	snap(before)
	entersyscallblock()
	snap(without)
	exitsyscall()
	snap(after)
}
