package system

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
)

// drainAway has a goroutine take what is recorded and copy it, as a writer of files
// does, until the function returned is called.
func drainAway(rec *tape.Recorder) (stop func()) {
	quit := make(chan struct{})
	var all sync.WaitGroup
	page := make([]byte, 1<<20)
	all.Go(func() {
		for {
			if rec.Drain(1000, false, func(r *tape.Record) { copy(page, r.Data) }) > 0 {
				continue
			}
			select {
			case <-quit:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	})
	return func() {
		close(quit)
		all.Wait()
	}
}

// threadTime is the processor time of the calling thread.
func threadTime(t testing.TB) time.Duration {
	var u unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPacedRecording receives messages at 200 MB a second and reports the
// processor time of the reactor's thread for each: plain and recorded. The handler
// does nothing, so the difference is as large as it can be: it is the second copy.
func BenchmarkPacedRecording(b *testing.B) {
	const rate = 200e6 // bytes a second
	for _, size := range []int{150, 1000} {
		for _, recording := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/recorded=%v", size, recording), func(b *testing.B) {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				listener, err := net.Listen("tcp", "127.0.0.1:0")
				require.NoError(b, err)
				defer listener.Close()
				accepted := make(chan net.Conn, 1)
				go func() {
					if c, err := listener.Accept(); err == nil {
						if answer, err := acceptUpgrade(c); err == nil {
							_, _ = c.Write(answer)
						}
						accepted <- c
					}
				}()
				f := &paired{}
				f.URL = "ws://" + listener.Addr().String()
				cfg := reactor.Config{}
				if recording {
					rec, err := tape.New(tape.Config{})
					require.NoError(b, err)
					cfg.Tape = rec
					defer drainAway(rec)()
					defer func() { b.ReportMetric(float64(rec.Lost()), "lost") }()
				}
				r, err := reactor.New(cfg)
				require.NoError(b, err)
				defer r.Close()
				h, err := reactor.Register(r, f)
				require.NoError(b, err)
				for open := false; !open; {
					_, err := r.Poll()
					require.NoError(b, err)
					i, err := r.Lookup(h.ID())
					require.NoError(b, err)
					open = i.State == endpoint.Open
				}
				peer := <-accepted
				defer peer.Close()
				frame := append([]byte{0x81, 126, byte(size >> 8), byte(size)}, make([]byte, size)...)
				var batch []byte
				each := max(1, int(rate/10_000)/len(frame)) // of 100 µs
				for range each {
					batch = append(batch, frame...)
				}
				wanted := (b.N + each - 1) / each * each
				go func() {
					began := time.Now()
					for sent := 0; sent < wanted; sent += each {
						for due := time.Duration(float64(sent*len(frame)) / rate * 1e9); time.Since(began) < due; {
							time.Sleep(20 * time.Microsecond)
						}
						if _, err := peer.Write(batch); err != nil {
							return
						}
					}
				}()
				began := threadTime(b)
				b.ResetTimer()
				for f.messages < wanted {
					work, err := r.Poll()
					if err != nil || f.Conn() == nil {
						b.Fatal("the connection is lost: ", err)
					}
					if work == 0 {
						time.Sleep(50 * time.Microsecond)
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(threadTime(b)-began)/float64(f.messages), "cpu-ns/msg")
				b.ReportMetric(float64(f.messages*len(frame))/b.Elapsed().Seconds()/1e6, "MB/s")
			})
		}
	}
}
