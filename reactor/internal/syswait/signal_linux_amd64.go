//go:build boomnet_wait

package syswait

import "golang.org/x/sys/unix"

// The runtime asks for a preemption by a word that the goroutine looks at where its
// stack is checked, and by a signal, for code that has no such place. Pinned, it
// heeds neither; but the monitor asks at each of its looks, thousands of times a
// second, and a signal costs 5 to 20 µs. So a thread that is pinned blocks it. One
// signal stays pending, and as long as it does the runtime sends no other.
//
// The runtime does not miss it: what stops the world, or scans a stack, finds the
// goroutine in system-call state in its next wait, as it does anyhow, since a pinned
// one is not stopped by a signal. All other signals come, SIGPROF of profiles too. A
// thread that the runtime starts meanwhile does not inherit the mask; a process that
// is started from the goroutine does.

// preemption is the runtime's signal (sigPreempt in its signal_unix.go).
const preemption = unix.SIGURG

// mask blocks or unblocks it on the calling thread.
func mask(how int) {
	set := unix.Sigset_t{Val: [16]uint64{1 << (preemption - 1)}}
	_ = unix.PthreadSigmask(how, &set, nil) // fails for no how and set that are valid
}
