package reactor

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/stream"
)

func TestMain(m *testing.M) {
	if os.Getenv(tuneEnv) != "" { // its threads stay where they were moved to
		os.Exit(m.Run())
	}
	leak.Main(m)
}

// bench is a reactor under a manual clock, whose set-ups run when the test says
// so, one after the other.
type bench struct {
	t      testing.TB
	r      *Reactor
	clock  *clock.Manual
	tasks  []func()
	events []endpoint.Event
}

func newBench(t testing.TB, change ...func(*Config)) *bench {
	b := &bench{t: t, clock: clock.NewManual(int64(time.Hour))}
	cfg := Config{Seams: endpoint.Seams{
		Clock:    b.clock,
		Rand:     func() rand.Source { return rand.NewPCG(1, 2) },
		Executor: func(f func()) { b.tasks = append(b.tasks, f) },
		Observer: func(e endpoint.Event) { b.events = append(b.events, e) },
	}}
	for _, f := range change {
		f(&cfg)
	}
	r, err := New(cfg)
	require.NoError(t, err)
	b.r = r
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return b
}

// poll turns the reactor until there is no work left.
func (b *bench) poll() {
	for range 1000 {
		work, err := b.r.Poll()
		require.NoError(b.t, err)
		if work == 0 {
			return
		}
	}
	b.t.Fatal("the reactor does not come to rest")
}

// setUp runs the set-ups that are waiting and takes their outcomes.
func (b *bench) setUp() {
	tasks := b.tasks
	b.tasks = nil
	for _, f := range tasks {
		f()
	}
	b.poll()
}

func (b *bench) advance(d time.Duration) {
	b.clock.Advance(d)
	b.poll()
}

func (b *bench) state(id ID) endpoint.State {
	i, err := b.r.Lookup(id)
	require.NoError(b.t, err)
	return i.State
}

// fake is a protocol over a socket pair: each byte is a message.
type fake struct {
	connect func(context.Context, *endpoint.Connector) (endpoint.Hot, error) // nil: a pair
	onByte  func(f *fake, b byte) error
	policy  endpoint.Policy

	peers     []int // our ends of the pairs, by connection
	got       []byte
	losses    []*endpoint.LossError
	answer    endpoint.Action
	conn      *fakeHot
	discarded atomic.Int32
}

func (f *fake) EndpointPolicy() *endpoint.Policy { return &f.policy }
func (f *fake) Conn() *fakeHot                   { return f.conn }
func (f *fake) OnLoss(e *endpoint.LossError) endpoint.Action {
	f.losses = append(f.losses, e)
	return f.answer
}

func (f *fake) Connect(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
	if f.connect != nil {
		return f.connect(ctx, via)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f.peers = append(f.peers, fds[1])
	return &fakeHot{f: f, fd: fds[0]}, nil
}

// send writes to the youngest connection from its peer.
func (f *fake) send(t testing.TB, s string) {
	n, err := unix.Write(f.peers[len(f.peers)-1], []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

// hangUp closes the peer's end of the youngest connection.
func (f *fake) hangUp() {
	unix.Close(f.peers[len(f.peers)-1])
	f.peers = f.peers[:len(f.peers)-1]
}

func (f *fake) cleanUp() {
	for _, fd := range f.peers {
		unix.Close(fd)
	}
}

type fakeHot struct {
	f         *fake
	fd        int
	at        endpoint.Attachment
	in        [8]byte
	out       []byte
	count     int64
	timers    []int64
	closed    bool
	closeStay bool // do not end at Close
}

func (h *fakeHot) Source() stream.Source { return stream.Source{FD: h.fd} }
func (h *fakeHot) OnAttach(at endpoint.Attachment) error {
	h.at, h.f.conn = at, h
	return nil
}
func (h *fakeHot) OnDetach() { h.f.conn = nil }
func (h *fakeHot) OnReady() (bool, error) {
	n, err := unix.Read(h.fd, h.in[:])
	if err == unix.EAGAIN {
		return false, stream.ErrWouldBlock
	}
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, io.EOF
	}
	h.count += int64(n)
	for _, b := range h.in[:n] {
		if h.f.onByte != nil {
			if err := h.f.onByte(h.f, b); err != nil {
				return false, err
			}
		} else {
			h.f.got = append(h.f.got, b)
		}
	}
	return false, nil
}
func (h *fakeHot) OnWritable() error {
	n, err := unix.Write(h.fd, h.out)
	if err == unix.EAGAIN {
		return stream.ErrWouldBlock
	}
	if err != nil {
		return err
	}
	h.out = h.out[n:]
	return nil
}
func (h *fakeHot) OnTimer(now int64) error {
	h.timers = append(h.timers, now)
	return nil
}
func (h *fakeHot) Close(int64) error {
	h.closed = true
	if h.closeStay {
		return nil
	}
	return io.EOF
}
func (h *fakeHot) Queued() int           { return len(h.out) }
func (h *fakeHot) Meter() (int64, int64) { return h.count, h.count }
func (h *fakeHot) Discard() {
	h.f.discarded.Add(1)
	unix.Close(h.fd)
}

var errRefused = errors.New("refused by the test")
