//go:build boomnet_wait && linux && amd64

package syswait

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// These tests need a counter that can be waited by, as any machine has that this is
// meant for. Hypervisors may hide it.
func usable(t testing.TB) {
	if !Usable() {
		t.Skip("the processor says that its time stamp counter is not invariant")
	}
}

const long = 10 * time.Second

// What is relied on in this release of Go. When a new one fails here, read its
// proc.go (entersyscall, exitsyscall, retake) before it goes on the list.
func TestThisReleaseOfGo(t *testing.T) {
	usable(t)
	require.True(t, known(runtime.Version()), "%s is not in releases: was its runtime read?", runtime.Version())
	require.NotZero(t, offsetOfP, "m.p was not found")
	require.Equal(t, offsetOfP, findP(), "found elsewhere")

	// It is the P: set while running, 0 without.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, without, after [wordsOfM]uintptr
	withoutP(&before, &without, &after)
	require.NotZero(t, before[offsetOfP/8])
	require.Zero(t, without[offsetOfP/8])
	// A p begins with its id.
	id := procPin()
	snap(&before)
	got := **(**int32)(unsafe.Pointer(&before[offsetOfP/8]))
	procUnpin()
	require.EqualValues(t, id, got)
}

// A Waiter that was started counts up for the monitor, while there is a P to spare.
func TestTicks(t *testing.T) {
	usable(t)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(max(2, runtime.GOMAXPROCS(0)))) // one to spare
	require.True(t, tickable, "the counts of a P are not where they should be")
	require.True(t, findTicks(offsetOfP))
	require.False(t, findTicks(0))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	moved := func(f func()) bool {
		var before, after pCounts
		for {
			procPin() // nothing else runs on it
			counts(offsetOfP, &before)
			f()
			counts(offsetOfP, &after)
			procUnpin()
			if after.p == before.p {
				return after.runs != before.runs
			}
		}
	}
	var w Waiter
	defer w.Stop()
	require.False(t, moved(w.Tick))
	w.Start()
	w.Start()
	require.EqualValues(t, 1, holders.Load())
	require.True(t, moved(w.Tick))
	require.True(t, moved(func() { w.pinned = true; w.Wait(&nothing, time.Microsecond); w.pinned = false }))

	holders.Add(int32(runtime.GOMAXPROCS(0))) // others
	w.review(rdtsc())
	require.False(t, moved(w.Tick))
	holders.Add(-int32(runtime.GOMAXPROCS(0)))
	w.reviewAt = 0
	w.Wait(&nothing, 0)
	require.True(t, moved(w.Tick))
	w.Stop()
	w.Stop()
	require.Zero(t, holders.Load())
	require.False(t, moved(w.Tick))
}

func TestKnownReleases(t *testing.T) {
	for version, want := range map[string]bool{
		releases[0]: true, releases[0] + ".8": true, releases[0] + "rc1": true, releases[0] + ".1 X:arenas": true, releases[0] + "-custom": true,
		releases[0] + "0": false, "go1.9": false, "devel go1.99-abcdef": false, "": false,
	} {
		require.Equal(t, want, known(version), version)
	}
}

func TestTheCounterIsCalibrated(t *testing.T) {
	usable(t)
	tries := 0
	for range 10 { // a thread may not be run between the two clocks
		from, ticks := time.Now(), rdtsc()
		time.Sleep(20 * time.Millisecond)
		took, counted := time.Since(from), rdtsc()-ticks
		off := float64(toTicks(took))/float64(counted) - 1
		if math.Abs(off) < 0.05 {
			break
		}
		t.Logf("off by %v in %v", off, took)
		tries++
	}
	require.Less(t, tries, 10)
	require.Less(t, toTicks(MaxWait), uint64(1)<<63, "no overflow")
}

func TestACounterThatLiesIsNotBelieved(t *testing.T) {
	for _, c := range []struct{ ticks, nanos uint64 }{{0, 1000}, {1000, 0}, {99, 1000}, {16001, 1000}, {1 << 63, 1}} {
		require.Zero(t, rate(sample{}, sample{c.ticks, int64(c.nanos)}), c)
	}
	require.EqualValues(t, 3<<shift, rate(sample{5, 7}, sample{3005, 1007}))
}

func TestWaitLastsAsLongAsItShould(t *testing.T) {
	usable(t)
	var w Waiter
	for _, d := range []time.Duration{time.Microsecond, 50 * time.Microsecond, 5 * time.Millisecond} {
		start := time.Now()
		require.Zero(t, w.Wait(&nothing, d))
		require.GreaterOrEqual(t, time.Since(start), d*99/100)
	}
	start := time.Now()
	w.Wait(&nothing, -1)
	w.Wait(&nothing, 0)
	require.Less(t, time.Since(start), long)
}

// A counter that stands still, or has gone back, does not make a wait endless.
func TestRoundsEndAWait(t *testing.T) {
	usable(t)
	s := stay{end: 1 << 62, slice: 1 << 61, rounds: 1000, p: offsetOfP}
	require.Zero(t, wait(&Waiter{}, &nothing, &s))
	s.p = 0
	require.Zero(t, wait(&Waiter{}, &nothing, &s))
}

// Where m.p is not known there are slices, one after the other.
func TestSlices(t *testing.T) {
	usable(t)
	s := stay{slice: toTicks(slice), rounds: 1 << 40}
	s.end = rdtsc() + toTicks(time.Millisecond)
	require.Zero(t, wait(&Waiter{}, &nothing, &s))
	require.GreaterOrEqual(t, rdtsc(), s.end)
}

// within requires that f takes less than limit, for once: a busy machine may take
// that long for anything.
func within(t *testing.T, limit time.Duration, f func()) {
	for range 10 {
		start := time.Now()
		if f(); time.Since(start) < limit {
			return
		}
	}
	require.Fail(t, "it always takes "+limit.String())
}

func TestAWordEndsAWait(t *testing.T) {
	usable(t)
	for _, pinned := range []bool{false, true} {
		runtime.LockOSThread()
		var words [3]uint64
		var w Waiter
		for i := range words {
			w.Words = append(w.Words, Word{At: &words[i]})
		}
		words[2] = 7
		w.Words[2].Seen = 7
		for i := range words {
			within(t, MaxWait, func() {
				time.AfterFunc(time.Millisecond, func() { atomic.AddUint64(&words[i], 1) })
				if pinned {
					w.Pin()
				}
				for start := time.Now(); time.Since(start) < long && atomic.LoadUint64(&words[i]) == w.Words[i].Seen; {
					w.Wait(&nothing, MaxWait)
				}
				require.Equal(t, pinned, w.Unpin())
				w.Wait(&nothing, long) // changed already
				w.Words[i].Seen++
			})
		}
		runtime.UnlockOSThread()
	}
}

// polling asks for input on fd. It must be in the heap, where things stay.
type polling struct {
	fds  [1]unix.PollFd
	call Call
}

//go:noinline
func newPolling(fd int) *polling {
	p := &polling{fds: [1]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}}
	p.call.Args = [7]uintptr{unix.SYS_POLL, uintptr(unsafe.Pointer(p)), 1}
	return p
}

func TestTheSystemCallEndsAWait(t *testing.T) {
	usable(t)
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	p := newPolling(fds[0])
	call := &p.call
	var w Waiter
	require.Zero(t, w.Wait(call, time.Millisecond))
	within(t, MaxWait, func() {
		_, _ = unix.Read(fds[0], make([]byte, 1))
		time.AfterFunc(time.Millisecond, func() { unix.Write(fds[1], []byte("x")) })
		for start := time.Now(); w.Wait(call, MaxWait) == 0 && time.Since(start) < long; {
		}
	})
	require.Equal(t, 1, w.Wait(call, long))

	bad := &Call{Args: [7]uintptr{unix.SYS_EPOLL_PWAIT, ^uintptr(0), uintptr(unsafe.Pointer(p)), 1}}
	require.Equal(t, -int(unix.EBADF), w.Wait(bad, long), "an errno ends it")
	require.Equal(t, -int(unix.EBADF), bad.once())
	require.Equal(t, 1, call.once())
	require.Zero(t, nothing.once())
	runtime.KeepAlive(p)
}

// waiters wait, pinned or not, over a system call and a word, until stop is called.
// returns says how often they came back.
func waiters(t *testing.T) (returns *atomic.Int64, stop func()) {
	usable(t)
	var end uint64
	returns = new(atomic.Int64)
	done := make(chan struct{})
	const n = 2
	for i := range n {
		go func() {
			defer func() { done <- struct{}{} }()
			runtime.LockOSThread()
			var fds [2]int
			if unix.Pipe2(fds[:], unix.O_CLOEXEC) != nil {
				return
			}
			defer unix.Close(fds[0])
			defer unix.Close(fds[1])
			p := newPolling(fds[0])
			w := Waiter{Words: []Word{{At: &end}}}
			w.Start()
			defer w.Stop()
			if i == 1 {
				w.Pin()
			}
			for atomic.LoadUint64(&end) == 0 {
				w.Wait(&p.call, 200*time.Microsecond)
				returns.Add(1)
			}
			w.Unpin()
			runtime.KeepAlive(p)
		}()
	}
	return returns, func() {
		atomic.StoreUint64(&end, 1)
		for range n {
			<-done
		}
	}
}

// stormTime is how long the runtime is made to look at waiters, in each test.
const stormTime = 300 * time.Millisecond

// storm calls f for as long, and longer where the waiters have not been run yet.
func storm(t *testing.T, f func()) {
	returns, stop := waiters(t)
	start := time.Now()
	for time.Since(start) < stormTime || returns.Load() == 0 && time.Since(start) < long {
		f()
	}
	stop()
	require.Positive(t, returns.Load())
}

var sink atomic.Pointer[[]byte]

func TestCollectionsWhileWaiting(t *testing.T) {
	storm(t, func() {
		for range 100 {
			b := make([]byte, 4096)
			sink.Store(&b)
		}
		runtime.GC()
	})
}

func TestTheWorldStopsWhileWaiting(t *testing.T) {
	var stats runtime.MemStats
	storm(t, func() {
		runtime.ReadMemStats(&stats)
		debug.SetGCPercent(debug.SetGCPercent(100))
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) - 1)
	})
}

func TestStacksWhileWaiting(t *testing.T) {
	buf := make([]byte, 1<<20)
	seen := false
	storm(t, func() {
		for start := time.Now(); !seen && time.Since(start) < long; {
			n := runtime.Stack(buf, true)
			seen = bytes.Contains(buf[:n], []byte("syswait.wait("))
		}
		runtime.Stack(buf, true)
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&bytes.Buffer{}, 1))
	})
	require.True(t, seen, "a goroutine that waits shows where")
}

func TestProfilingWhileWaiting(t *testing.T) {
	var profile bytes.Buffer
	require.NoError(t, pprof.StartCPUProfile(&profile))
	storm(t, func() { time.Sleep(time.Millisecond) })
	pprof.StopCPUProfile()
	require.NotZero(t, profile.Len())
}

// blocked reports whether the calling thread lets no SIGURG through.
func blocked(t *testing.T) bool {
	var set unix.Sigset_t
	require.NoError(t, unix.PthreadSigmask(unix.SIG_BLOCK, nil, &set))
	return set.Val[0]&(1<<(unix.SIGURG-1)) != 0
}

func TestNoSignalAsksAPinnedGoroutine(t *testing.T) {
	usable(t)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	require.False(t, blocked(t))
	var w Waiter
	var before, pinned, waited bool
	for range 2 {
		w.Pin() // what fails must not do so under it
		before = blocked(t)
		require.NoError(t, unix.Tgkill(unix.Getpid(), unix.Gettid(), unix.SIGURG)) // stays pending
		w.Wait(&nothing, 20*time.Microsecond)
		waited, pinned = blocked(t), w.Pinned()
		w.Unpin()
		require.True(t, before && waited && pinned)
		require.False(t, blocked(t))
	}

	// Threads that begin meanwhile have the runtime's own mask.
	w.Pin()
	other := make(chan bool, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: a thread of its own
		other <- blocked(t)
	}()
	w.Unpin()
	require.False(t, <-other)
}

// ran is how long the calling thread has run.
func ran() time.Duration {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

//go:noinline
func pinnedWork(until time.Time) {
	for time.Now().Before(until) {
	}
}

// A profile's signal is another one.
func TestProfilingWhilePinned(t *testing.T) {
	usable(t)
	var profile bytes.Buffer
	require.NoError(t, pprof.StartCPUProfile(&profile))
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		var w Waiter
		w.Pin()
		defer w.Unpin()
		start, before := time.Now(), ran() // a sample is 10 ms of it
		for ran()-before < stormTime && time.Since(start) < long {
			pinnedWork(time.Now().Add(time.Millisecond))
			w.Wait(&nothing, time.Microsecond)
		}
	}()
	<-done
	pprof.StopCPUProfile()
	unzipped, err := gzip.NewReader(&profile)
	require.NoError(t, err)
	samples, err := io.ReadAll(unzipped)
	require.NoError(t, err)
	require.Contains(t, string(samples), "syswait.pinnedWork")
}

func TestSignalsWhileWaiting(t *testing.T) {
	pid := unix.Getpid()
	storm(t, func() { unix.Kill(pid, unix.SIGURG) }) // the one the runtime ignores
}

func TestWaitDoesNotAllocate(t *testing.T) {
	usable(t)
	var word uint64
	w := Waiter{Words: []Word{{At: &word}}}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		w.Wait(&nothing, time.Microsecond)
		w.Pause(time.Microsecond)
	}))
}

// BenchmarkReturn is a wait with nothing to wait for: the way there and back.
func BenchmarkReturn(b *testing.B) {
	usable(b)
	var w Waiter
	for b.Loop() {
		w.Wait(&nothing, 0)
	}
}
