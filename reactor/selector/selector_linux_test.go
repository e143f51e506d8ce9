package selector

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// pair returns two connected non-blocking sockets.
func pair(t testing.TB) (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fds[0]); unix.Close(fds[1]) })
	return fds[0], fds[1]
}

func each(t *testing.T, f func(t *testing.T, s Selector, k Kind)) {
	for _, k := range []Kind{Epoll, Direct} {
		t.Run(k.String(), func(t *testing.T) {
			s, err := New(k)
			require.NoError(t, err)
			defer func() { require.NoError(t, s.Close()) }()
			f(t, s, k)
		})
	}
}

const long = 10 * time.Second

func TestInputIsReportedWithItsToken(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, b := pair(t)
		c, _ := pair(t)
		const token = 0xfedcba9876543210
		require.NoError(t, s.Add(a, token))
		require.NoError(t, s.Add(c, 7))
		unix.Write(b, []byte("x"))
		var events [8]Event
		n, err := s.Wait(events[:], long)
		require.NoError(t, err)
		require.Equal(t, []Event{{Token: token, Readable: true}}, events[:n])
		// Level-triggered: what was not read is reported again.
		n, err = s.Wait(events[:], long)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

func TestPeerGoneIsReadable(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, b := pair(t)
		require.NoError(t, s.Add(a, 1))
		require.NoError(t, unix.Shutdown(b, unix.SHUT_WR))
		var events [8]Event
		n, err := s.Wait(events[:], long)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.True(t, events[0].Readable)
	})
}

func TestRoomToWriteIsReportedOnlyWhenAskedFor(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, b := pair(t)
		require.NoError(t, s.Add(a, 1))
		block := make([]byte, 64<<10)
		for {
			if _, err := unix.Write(a, block); err != nil {
				break
			}
		}
		var events [8]Event
		writable := func() bool {
			n, err := s.Wait(events[:], 0)
			require.NoError(t, err)
			return n > 0 && events[0].Writable
		}
		require.NoError(t, s.Write(a, 1, true))
		require.False(t, writable(), "the socket is full")
		for {
			if n, err := unix.Read(b, block); n <= 0 || err != nil {
				break
			}
		}
		require.True(t, writable())
		require.NoError(t, s.Write(a, 1, false))
		require.False(t, writable(), "nobody asked")
	})
}

func TestRemovedIsSilent(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, b := pair(t)
		require.NoError(t, s.Add(a, 1))
		require.NoError(t, s.Remove(a))
		unix.Write(b, []byte("x"))
		var events [8]Event
		n, err := s.Wait(events[:], time.Millisecond)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Error(t, s.Remove(a), "removing twice is a mistake")
		require.Error(t, s.Write(a, 1, true))
	})
}

func TestWakeEndsAWait(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		var events [8]Event
		done := make(chan error)
		go func() {
			_, err := s.Wait(events[:], long)
			done <- err
		}()
		for range 3 { // wakes add up to one
			require.NoError(t, s.Wake())
		}
		select {
		case err := <-done:
			require.NoError(t, err)
		case <-time.After(long / 2):
			t.Fatal("Wake did not end the wait")
		}
	})
}

func TestWakeBeforeAWaitIsNotLost(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		require.NoError(t, s.Wake())
		start := time.Now()
		n, err := s.Wait(make([]Event, 4), long)
		require.NoError(t, err)
		require.Zero(t, n)
		require.Less(t, time.Since(start), long/2)
	})
}

func TestMoreReadyThanRoomForEvents(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		const sockets = 5
		for i := range sockets {
			a, b := pair(t)
			require.NoError(t, s.Add(a, uint64(i)))
			unix.Write(b, []byte("x"))
		}
		seen := map[uint64]bool{}
		var events [2]Event
		for range 2 * sockets {
			n, err := s.Wait(events[:], 0)
			require.NoError(t, err)
			for _, e := range events[:n] {
				seen[e.Token] = true
			}
		}
		require.Len(t, seen, sockets, "nobody may starve")
	})
}

func TestDirectReportsAllWithoutAsking(t *testing.T) {
	s, err := New(Direct)
	require.NoError(t, err)
	defer s.Close()
	a, _ := pair(t)
	require.NoError(t, s.Add(a, 3))
	require.Error(t, s.Add(a, 4), "a descriptor can be watched once")
	var events [4]Event
	n, err := s.Wait(events[:], 0)
	require.NoError(t, err)
	require.Equal(t, []Event{{Token: 3, Readable: true}}, events[:n])
}

// spin is Spin until there is an event, for as long as a busy machine may need.
func spin(t *testing.T, s Selector, events []Event, w *Waiter) int {
	for start := time.Now(); time.Since(start) < long; {
		n, err := s.Spin(events, time.Millisecond, w)
		require.NoError(t, err)
		if n > 0 {
			return n
		}
	}
	t.Fatal("Spin finds nothing")
	return 0
}

func TestSpinFindsInputAndRoomToWrite(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, b := pair(t)
		c, _ := pair(t)
		var w Waiter
		var events [8]Event
		n, err := s.Spin(events[:], time.Millisecond, &w)
		require.NoError(t, err)
		require.Zero(t, n, "no descriptors")
		require.NoError(t, s.Add(a, 5))
		require.NoError(t, s.Add(c, 6))
		n, err = s.Spin(events[:], time.Millisecond, &w)
		require.NoError(t, err)
		require.Zero(t, n)
		time.AfterFunc(time.Millisecond, func() { unix.Write(b, []byte("x")) })
		n = spin(t, s, events[:], &w)
		require.Equal(t, []Event{{Token: 5, Readable: true}}, events[:n])
		require.NoError(t, s.Remove(a))
		require.NoError(t, s.Write(c, 6, true))
		n = spin(t, s, events[:], &w)
		require.Equal(t, []Event{{Token: 6, Writable: true}}, events[:n])
		require.NoError(t, s.Remove(c))
		n, err = s.Spin(events[:], time.Millisecond, &w)
		require.NoError(t, err)
		require.Zero(t, n, "none again")
	})
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

func TestSpinIsEndedByAWord(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, _ := pair(t)
		for _, none := range []bool{true, false} {
			if !none {
				require.NoError(t, s.Add(a, 1))
			}
			within(t, time.Second, func() {
				var word uint64
				w := Waiter{Words: []Word{{At: &word}}}
				time.AfterFunc(time.Millisecond, func() { atomic.AddUint64(&word, 1) })
				for start := time.Now(); atomic.LoadUint64(&word) == 0 && time.Since(start) < long; {
					n, err := s.Spin(make([]Event, 4), time.Second, &w)
					require.NoError(t, err)
					require.Zero(t, n)
				}
			})
		}
	})
}

func TestSpinNoticesAWake(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, _ := pair(t)
		require.NoError(t, s.Add(a, 1))
		within(t, time.Second, func() {
			require.NoError(t, s.Wake())
			n, err := s.Spin(make([]Event, 4), time.Second, new(Waiter))
			require.NoError(t, err)
			require.Zero(t, n)
		})
	})
}

func TestSpinWithMoreReadyThanRoomForEvents(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		const sockets = 5
		for i := range sockets {
			a, b := pair(t)
			require.NoError(t, s.Add(a, uint64(i)))
			unix.Write(b, []byte("x"))
		}
		seen := map[uint64]bool{}
		var events [2]Event
		for range 2 * sockets {
			for _, e := range events[:spin(t, s, events[:], new(Waiter))] {
				seen[e.Token] = true
			}
		}
		require.Len(t, seen, sockets, "nobody may starve")
	})
}

func TestParseKind(t *testing.T) {
	for _, k := range []Kind{Epoll, Direct} {
		got, err := ParseKind(k.String())
		require.NoError(t, err)
		require.Equal(t, k, got)
	}
	_, err := ParseKind("kqueue")
	require.ErrorContains(t, err, `"kqueue"`)
	_, err = New(Kind(9))
	require.Error(t, err)
}

func TestWaitDoesNotAllocate(t *testing.T) {
	each(t, func(t *testing.T, s Selector, k Kind) {
		a, b := pair(t)
		require.NoError(t, s.Add(a, 1))
		unix.Write(b, []byte("x"))
		var events [8]Event
		require.Zero(t, testing.AllocsPerRun(100, func() { s.Wait(events[:], 0) }))
		require.Zero(t, testing.AllocsPerRun(100, func() { s.Wait(events[:], time.Microsecond) }))
		var w Waiter
		require.Zero(t, testing.AllocsPerRun(100, func() { s.Spin(events[:], time.Microsecond, &w) }))
	})
}

func BenchmarkWaitNothingReady(b *testing.B) {
	for _, k := range []Kind{Epoll, Direct} {
		b.Run(k.String(), func(b *testing.B) {
			s, err := New(k)
			require.NoError(b, err)
			defer s.Close()
			fd, _ := pair(b)
			require.NoError(b, s.Add(fd, 1))
			var events [8]Event
			for b.Loop() {
				s.Wait(events[:], 0)
			}
		})
	}
}
