package reactor

import (
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// dump takes a dump of a reactor that the test polls.
func (b *bench) dump() *Dump {
	b.t.Helper()
	type result struct {
		d   *Dump
		err error
	}
	got := make(chan result, 1)
	go func() {
		d, err := b.r.Dump(context.Background())
		got <- result{d, err}
	}()
	require.True(b.t, eventually(func() bool {
		_, err := b.r.Poll()
		require.NoError(b.t, err)
		return len(got) == 1
	}))
	r := <-got
	require.NoError(b.t, r.err)
	return r.d
}

func TestDump(t *testing.T) {
	b := newBench(t, func(c *Config) {
		c.Name, c.CPU, c.Idle, c.Selector = "md", affinity.Fixed(0), idle.Spin, selector.Direct
		c.MaxEndpoints, c.Mailbox, c.CloseTimeout = 10, 100, 3*time.Second
	})
	trades := registerNamed(b, "trades")
	b.setUp()
	book := &namedFake{&fake{policy: endpoint.Policy{MaxAttempts: 4, StaleAfter: time.Minute}}, "book"}
	_, err := Register(b.r, book)
	require.NoError(t, err)
	t.Cleanup(book.cleanUp)
	b.poll()
	b.setUp()
	trades.send(t, "abc")
	for err = nil; err == nil; { // the kernel takes no more
		_, err = unix.Write(trades.conn.fd, make([]byte, 4096))
	}
	require.ErrorIs(t, err, unix.EAGAIN)
	trades.conn.out = []byte("queued")
	trades.conn.at.SetTimer(b.clock.Now() + int64(time.Second))
	b.advance(300 * time.Millisecond)
	book.hangUp()
	b.poll()
	registerNamed(b, "young")

	b.clock.Advance(10 * time.Millisecond) // less than the back-off that is drawn
	d := b.dump()
	require.Equal(t, "md", d.Name)
	require.Nil(t, d.Stuck)
	require.Equal(t, "spin", d.Idle)
	require.Equal(t, DumpConfig{CPU: "cpu 0", Selector: "direct", MaxEndpoints: 10, Mailbox: 128, OnPanic: "isolate", CloseTimeout: 3 * time.Second}, d.Config)
	require.Positive(t, d.Thread)
	require.GreaterOrEqual(t, d.CPU, 0)
	require.Zero(t, d.MailWait)
	require.Equal(t, 310*time.Millisecond, d.HistogramsFor)
	require.Positive(t, d.Counters["turns"])
	require.Len(t, d.Endpoints, 3)

	e := d.Endpoints[0]
	require.Equal(t, "0.1", e.ID)
	require.Equal(t, "trades", e.Name)
	require.Equal(t, "*reactor.namedFake", e.Type)
	require.Equal(t, "open", e.State)
	require.Equal(t, 310*time.Millisecond, e.For)
	require.EqualValues(t, 3, e.Messages)
	require.EqualValues(t, 1, e.Opens)
	require.Nil(t, e.LastLoss)
	require.Zero(t, e.Retry)
	require.Len(t, e.Connections, 1)
	c := e.Connections[0]
	require.EqualValues(t, 1, c.ID)
	require.Equal(t, "current", c.Role)
	require.Equal(t, "open", c.State)
	require.Equal(t, trades.conn.fd, c.FD)
	require.Equal(t, 6, c.Queued)
	require.Equal(t, 690*time.Millisecond, c.Timer)
	require.EqualValues(t, 3, c.Messages)
	require.Equal(t, 10*time.Millisecond, c.Quiet)
	require.Zero(t, c.Deadline)

	e = d.Endpoints[1]
	require.Equal(t, "backoff", e.State)
	require.Equal(t, 10*time.Millisecond, e.For)
	require.Equal(t, 1, e.Losing)
	require.Equal(t, 4, e.MaxAttempts)
	require.Positive(t, e.Retry)
	require.LessOrEqual(t, e.Retry, 90*time.Millisecond)
	require.Empty(t, e.Connections)
	require.NotNil(t, e.Connections, "a list in JSON")
	require.Equal(t, &LossDump{
		Ago: 10 * time.Millisecond, Text: "endpoint: connection 1 lost while open: EOF", Summary: "open: EOF",
		Phase: "open", Conn: 1, Attempt: 1,
	}, e.LastLoss)

	c = d.Endpoints[2].Connections[0]
	require.Equal(t, "resolving", c.State)
	require.Equal(t, -1, c.FD)
	require.Equal(t, 4990*time.Millisecond, c.Deadline)
	require.Equal(t, d.Endpoints[1].Retry, d.NextTimer)
	require.Equal(t, 3, d.Timers, "of the protocol, the back-off, the set-up")

	text, err := json.Marshal(d)
	require.NoError(t, err)
	require.Contains(t, string(text), `"state":"backoff"`)
	require.Contains(t, string(text), `"connections":[]`)
	var again Dump
	require.NoError(t, json.Unmarshal(text, &again))
	back, err := json.Marshal(again)
	require.NoError(t, err)
	require.JSONEq(t, string(text), string(back))
}

func TestDumpOfAReactorThatNobodyDrives(t *testing.T) {
	b := newBench(t)
	registerNamed(b, "md")
	b.setUp()
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	d, err := b.r.Dump(ctx)
	require.NoError(t, err)
	require.NotNil(t, d.Stuck)
	require.False(t, d.Stuck.Driven)
	require.Empty(t, d.Stuck.Stack)
	require.Contains(t, d.Stuck.Text, "neither Run nor Poll is under way")
	require.Equal(t, 1, d.MailWait)
	require.Len(t, d.Endpoints, 1)
	require.Equal(t, "open", d.Endpoints[0].State)
	_, err = json.Marshal(d)
	require.NoError(t, err)
	b.poll() // it comes to the message that nobody waits for any more
	require.Nil(t, b.dump().Stuck)
	require.Zero(t, b.r.mail.length())
}

// block is what a stuck handler of these tests is in.
func block(until <-chan struct{}) { <-until }

// inBlock reports whether a goroutine waits in block.
func inBlock() bool {
	all := make([]byte, 1<<20)
	for g := range strings.SplitSeq(string(all[:runtime.Stack(all, true)]), "\n\n") {
		state, frames, _ := strings.Cut(g, "\n")
		if strings.Contains(state, "[chan receive") && strings.Contains(frames, "/reactor.block(") {
			return true
		}
	}
	return false
}

// A handler that blocks is found, with the line where it does.
func TestDumpOfAReactorThatIsStuck(t *testing.T) {
	for _, drive := range []string{"run", "poll"} {
		t.Run(drive, func(t *testing.T) {
			r, err := New(Config{Name: "stuck-" + drive})
			require.NoError(t, err)
			inside, release := make(chan struct{}), make(chan struct{})
			f := &fake{onByte: func(*fake, byte) error {
				close(inside)
				block(release)
				return nil
			}}
			h, err := Register(r, f)
			require.NoError(t, err)
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() {
				if drive == "run" {
					ended <- r.Run(ctx)
					return
				}
				for ctx.Err() == nil {
					_, _ = r.Poll()
				}
				ended <- r.Close()
			}()
			require.True(t, eventually(func() bool {
				i, err := r.Lookup(h.ID())
				return err == nil && i.State == endpoint.Open
			}))
			f.send(t, "x")
			<-inside
			require.True(t, eventually(inBlock))
			require.NoError(t, r.SetIdle(idle.Yield))

			soon, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
			defer cancel()
			d, err := r.Dump(soon)
			require.NoError(t, err)
			require.True(t, d.Stuck.Driven)
			require.Positive(t, d.Stuck.Waited)
			require.Equal(t, 2, d.MailWait)
			require.Len(t, d.Endpoints, 1)
			top, _, _ := strings.Cut(d.Stuck.Stack, "\n")
			require.True(t, strings.HasSuffix(top, "/reactor.block"), d.Stuck.Stack)
			require.Contains(t, d.Stuck.Stack, "dump_linux_test.go:")
			require.Contains(t, d.Stuck.Stack, "(*Reactor).turn\n")
			require.Contains(t, d.Stuck.Text, `"stuck-`+drive+`" has not turned for `)
			require.Contains(t, d.Stuck.Text, "/reactor.block")

			var stuck *StuckError
			err = r.Sync(soon)
			require.ErrorAs(t, err, &stuck)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.True(t, stuck.Timeout())

			close(release)
			require.NoError(t, r.Sync(context.Background()))
			d, err = r.Dump(context.Background())
			require.NoError(t, err)
			require.Nil(t, d.Stuck)
			require.Equal(t, "yield", d.Idle)
			stop()
			require.NoError(t, <-ended)
			f.cleanUp()
			_, err = r.Dump(context.Background())
			require.ErrorIs(t, err, ErrClosed)
		})
	}
}

func TestDumpGivesUp(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("enough")
	cancel(why)
	_, err := b.r.Dump(ctx)
	require.ErrorIs(t, err, why)
}

func TestStackOf(t *testing.T) {
	const profile = `goroutine profile: total 4
1 @ 0x1 0x2
#	0x1	main.idle+0x5a	/main.go:3

1 @ 0x1 0x2
# labels: {"reactor":"a", "zone":"x"}
#	0x1	main.slow+0x5a		/main.go:31
#	0x2	example.com/x/reactor.(*Reactor).turn+0x2	/run.go:5

1 @ 0x1 0x2
# labels: {"reactor":"b"}
#	0x1	main.other+0x5a	/main.go:7
#	0x2	example.com/x/reactor.(*Reactor).turn+0x2	/run.go:5

1 @ 0x1 0x2
#	0x1	main.polled	/main.go:9
#	0x2	example.com/x/reactor.(*Reactor).turn+0x2	/run.go:5
`
	require.Equal(t, "main.slow\n\t/main.go:31\nexample.com/x/reactor.(*Reactor).turn\n\t/run.go:5\n", stackOf(profile, "a"))
	require.Equal(t, "main.polled\n\t/main.go:9\nexample.com/x/reactor.(*Reactor).turn\n\t/run.go:5\n", stackOf(profile, "c"))
	require.Empty(t, stackOf("", "c"))
}

// BenchmarkDump is what a dump of 1,000 endpoints costs the reactor's turn.
func BenchmarkDump(b *testing.B) {
	bench := newBench(b)
	for range 1000 {
		registerNamed(bench, "md")
	}
	bench.setUp()
	places := bench.r.places()
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		d := &Dump{Endpoints: make([]EndpointDump, 0, places), conns: make([]ConnectionDump, 0, places)}
		b.StartTimer()
		bench.r.look(d)
	}
}
