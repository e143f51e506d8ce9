package reactor

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync/atomic"
)

// onThread calls f on a goroutine that is locked to a thread, which ends with it.
// The process's first thread is left out: it cannot end, and its name is that of
// the process.
func onThread(f func()) {
	runtime.LockOSThread()
	if !onFirstThread() {
		f()
		return
	}
	ended := make(chan struct{})
	go func() { // while this goroutine holds the first thread
		defer close(ended)
		runtime.LockOSThread()
		f()
	}()
	<-ended
	runtime.UnlockOSThread()
}

// label names the calling goroutine in profiles and its thread in ps, top and gdb.
func label(name string) {
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(labelKey, name)))
	nameThread(name)
}

// timerSlack is what TuneProcess was told, in nanoseconds; 0: the system's.
var timerSlack atomic.Int64
