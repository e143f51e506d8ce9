package reactor

import (
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stats"
)

// BenchmarkLink passes one message of 64 bytes to and fro between two reactors that
// spin, each on a CPU of its own where there are two: ns/op is a round trip through
// a turn of both, one-way is from before Claim to the handler.
func BenchmarkLink(b *testing.B) {
	type message struct {
		sent int64
		_    [7]int64
	}
	for _, c := range []struct {
		name string
		sel  selector.Kind
		how  idle.Strategy
		wake bool
		file bool
	}{
		{"direct", selector.Direct, idle.Spin, false, false},
		{"direct, counters", selector.Direct, idle.Spin, false, true},
		{"epoll", selector.Epoll, idle.Spin, false, false},
		{"epoll, wake", selector.Epoll, idle.Spin, true, false}, // what the option costs while nobody parks
		{"direct, spin-wait", selector.Direct, idle.SpinWait, false, false},
		{"direct, spin-wait, counters", selector.Direct, idle.SpinWait, false, true},
		{"epoll, spin-wait", selector.Epoll, idle.SpinWait, false, false},
	} {
		if c.how.Check() != nil { // built without the tag
			continue
		}
		b.Run(c.name, func(b *testing.B) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4)) // two that spin, and some more
			available, err := affinity.Available()
			require.NoError(b, err)
			cpus := available.CPUs()
			var file *stats.File
			if c.file {
				file, err = stats.Create(stats.FileConfig{Dir: filepath.Join(b.TempDir(), "counters")})
				require.NoError(b, err)
				b.Cleanup(func() { require.NoError(b, file.Close()) })
			}
			g := newGroup(b, GroupConfig{Reactors: []Config{
				{Name: "ping", Idle: c.how, Selector: c.sel, CPU: affinity.Fixed(cpus[0]), Counters: file},
				{Name: "pong", Idle: c.how, Selector: c.sel, CPU: affinity.Fixed(cpus[len(cpus)-1]), Counters: file},
			}})
			ping, pong := g.Reactor(0), g.Reactor(1)
			oneWay := stats.NewBlock("bench").Histogram("one_way", "ns", "from Claim to handler")
			done := make(chan struct{}, 1)
			left := 0
			var there, back *Sender[message]
			send := func(s *Sender[message]) {
				now := clock.Nano()
				m, _ := s.Claim()
				m.sent = now
				s.Publish()
			}
			there = linked(b, ping, pong, LinkConfig{Wake: c.wake}, func(m *message) {
				oneWay.Record(clock.Nano() - m.sent)
				send(back)
			})
			back = linked(b, pong, ping, LinkConfig{Wake: c.wake}, func(*message) {
				if left--; left > 0 {
					send(there)
					return
				}
				done <- struct{}{}
			})
			end := startGroup(g)
			pass := func(n int) {
				on(b, ping, func() { left = n; send(there) })
				<-done
			}
			pass(1000)
			b.ResetTimer()
			pass(b.N)
			b.StopTimer()
			s := oneWay.Snapshot()
			b.ReportMetric(float64(s.ValueAtQuantile(0.5)), "one-way-p50-ns")
			b.ReportMetric(float64(s.ValueAtQuantile(0.99)), "one-way-p99-ns")
			require.NoError(b, end())
		})
	}
}

// BenchmarkInboxPost is what a post costs its goroutine while the reactor turns.
func BenchmarkInboxPost(b *testing.B) {
	r, err := New(Config{})
	require.NoError(b, err)
	defer r.Close()
	n := 0
	box := inbox(b, r, 0, func(v *int) { n += *v })
	_, err = r.Poll()
	require.NoError(b, err)
	for b.Loop() {
		box.Post(1)
		box.drain(maxInbound)
	}
}
