package reactor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

func newTape(t testing.TB) *tape.Recorder {
	rec, err := tape.New(tape.Config{Ring: tape.MinRing})
	require.NoError(t, err)
	return rec
}

func onTape(rec *tape.Recorder) func(*Config) { return func(c *Config) { c.Tape = rec } }

// said are the records since the last time, one a line: kind, slot and connection,
// numbers, text.
func said(rec *tape.Recorder) (lines []string) {
	rec.Drain(1<<30, false, func(r *tape.Record) {
		s := r.Kind.String()
		switch r.Kind {
		case tape.KindTurn, tape.KindStop, tape.KindBegin, tape.KindEnd:
		case tape.KindMessage:
			s += fmt.Sprintf(" %s %x", r.Text, r.Data)
		case tape.KindPhase, tape.KindState:
			s += fmt.Sprintf(" c%d %v", r.Conn, endpoint.State(r.Arg))
		case tape.KindRetryAt:
			s += fmt.Sprintf(" s%d %d", r.Slot, r.Arg)
		default:
			s += fmt.Sprintf(" s%d c%d", r.Slot, r.Conn)
			if len(r.Text) > 0 {
				s += " " + string(r.Text)
			}
			if err := r.Err.Err(); err != nil {
				s += ": " + err.Error()
			}
		}
		if r.Turn > 0 {
			s = fmt.Sprintf("%d %s", r.Turn, s)
		}
		lines = append(lines, s)
	})
	return lines
}

// The life of an endpoint, with what comes by mail and by timers, in the turns in
// which it happened; turns in which nothing happens leave nothing.
func TestTheLifeOfAnEndpointIsRecorded(t *testing.T) {
	rec := newTape(t)
	b := newBench(t, onTape(rec))
	f := &fake{policy: endpoint.Policy{FirstDelay: time.Second, MaxDelay: time.Second, StaleAfter: time.Minute}}
	defer f.cleanUp()
	require.Equal(t, []string{"begin"}, said(rec))
	b.poll()
	require.Empty(t, said(rec))
	h, err := Register(b.r, f)
	require.NoError(t, err)
	b.turn()
	now := b.clock.Now()
	name := fmt.Sprintf("%T#0", f)
	require.Equal(t, []string{
		"1 register s0 c0 " + name, fmt.Sprintf("1 retry-at s0 %d", now), "1 connect s0 c1 " + name, "1 state c1 resolving",
	}, said(rec))
	for range 10 {
		b.turn()
	}
	require.Empty(t, said(rec))
	b.setUp()
	lines := said(rec)
	require.Equal(t, []string{"2 outcome s0 c1", "2 state c1 open"}, lines[:2])
	b.poll()
	said(rec)

	b.r.timers.set(&f.conn.at.(*conn).timer, b.clock.Now()+100)
	b.advance(100)
	require.Len(t, f.conn.timers, 1)
	lines = said(rec)
	require.Len(t, lines, 1)
	require.Contains(t, lines[0], " turn", "a timer fires in a turn of the recording")

	require.NoError(t, Dispatch(b.r, h, func(*fake, *fakeHot) {}))
	b.poll()
	lines = said(rec)
	require.Contains(t, lines[0], " call s0 c0")
	require.NoError(t, Each(b.r, func(Info, endpoint.Protocol) {}))
	b.poll()
	require.Contains(t, said(rec)[0], " call s0 c0")
	require.NoError(t, b.r.ResetHistograms())
	require.NoError(t, b.r.SetIdle(b.r.Idle()))
	b.poll()
	require.Empty(t, said(rec), "what an endpoint cannot see")

	n, err := b.r.Drop(name, "by the test")
	require.NoError(t, err)
	require.Equal(t, 1, n)
	b.poll()
	lines = said(rec)
	require.Contains(t, lines[0], " drop s0 c0 by the test")
	require.Contains(t, lines[1], " lost s0 c1")
	require.Contains(t, lines[1], "by the test")
	require.Contains(t, lines[2], " retry-at s0 ")

	f.connect = func(context.Context, *endpoint.Connector) (endpoint.Hot, error) { return nil, errRefused }
	b.advance(time.Second)
	lines = said(rec)
	require.Contains(t, lines[0], " turn")
	require.Contains(t, lines[1], " connect s0 c2")
	b.setUp()
	lines = said(rec)
	require.Contains(t, lines[0], " outcome s0 c2: refused by the test")

	require.NoError(t, Deregister(b.r, h))
	b.poll()
	require.Contains(t, said(rec)[0], " deregister s0 c0")
	require.NoError(t, b.r.Close())
	lines = said(rec)
	require.Contains(t, lines[0], " stop")
	require.Equal(t, "end", lines[len(lines)-1])
	require.True(t, rec.Ended())
}

// The state that lasts too long, data that does not come: what a timer does is in a
// turn of its own time.
func TestDeadlinesAreRecordedByTheirTime(t *testing.T) {
	rec := newTape(t)
	b := newBench(t, onTape(rec))
	f := &fake{policy: endpoint.Policy{StaleAfter: time.Second, FirstDelay: time.Hour, MaxDelay: time.Hour}}
	defer f.cleanUp()
	_, err := Register(b.r, f)
	require.NoError(t, err)
	b.poll()
	b.setUp()
	said(rec)
	due := b.clock.Now() + int64(time.Second)
	b.advance(time.Second)
	var times []int64
	rec.Drain(100, false, func(r *tape.Record) {
		if r.Kind == tape.KindLost {
			require.Contains(t, string(r.Text), endpoint.ErrStaleFeed.Error())
			times = append(times, r.At, r.Begin)
		}
	})
	require.Equal(t, []int64{due, due}, times)
}

type flat struct {
	A int64
	B [3]uint16
	C struct{ D, E byte }
	_ float64
}

// Messages of links and inboxes are recorded before they are handled, when they hold
// no pointers; of others that they came.
func TestMessagesAreRecorded(t *testing.T) {
	rec := newTape(t)
	a, b := newBench(t, named("a")), newBench(t, named("b"), onTape(rec))
	var order []string
	said(rec)
	numbers := linked(t, a.r, b.r, LinkConfig{}, func(m *flat) { order = append(order, fmt.Sprint(m.A)) })
	names := inbox(t, b.r, 0, func(m *string) { order = append(order, *m) })
	ints := inbox(t, b.r, 0, func(m *int64) { panic("an endpoint's mistake") })
	b.poll()
	require.Empty(t, said(rec))
	for i := range int64(3) {
		numbers.Offer(flat{A: i})
	}
	names.Post("a string")
	ints.Post(5)
	b.poll()
	require.Equal(t, []string{"0", "1", "2", "a string"}, order)
	way := func(s string) string { return "message " + s }
	var want []string
	for i := range int64(3) {
		m := flat{A: i}
		want = append(want, fmt.Sprintf("1 %s %x", way("link from a to b for reactor.flat"), bytesOf(&m)))
	}
	want = append(want, "1 call s0 c0 inbox of b for string", fmt.Sprintf("1 %s %x", way("inbox of b for int64"), []byte{5, 0, 0, 0, 0, 0, 0, 0}))
	require.Equal(t, want, said(rec))
	require.Error(t, ints.Info().Err, "the panic has ended it")
}

func TestWhatIsPlain(t *testing.T) {
	for _, v := range []any{int8(1), uint64(1), 1.5, complex(1, 2), true, uintptr(1), [3]int{}, flat{}, struct{}{}, [0]string{}, order{}} {
		require.True(t, plain(reflect.TypeOf(v)), "%T", v)
	}
	for _, v := range []any{"", []byte{}, map[int]int{}, new(int), func() {}, make(chan int), [1]string{}, struct{ s []int }{},
		struct{ e error }{}, unsafe.Pointer(nil), struct{ in [2]struct{ p *int } }{}} {
		require.False(t, plain(reflect.TypeOf(v)), "%T", v)
	}
	require.False(t, plain(reflect.TypeFor[error]()))
}

func TestTheBytesOfAMessageAreItsMemory(t *testing.T) {
	m := flat{A: 0x0102030405060708, B: [3]uint16{1, 2, 3}}
	got := bytesOf(&m)
	require.Len(t, got, int(unsafe.Sizeof(m)))
	require.Equal(t, []byte{8, 7, 6, 5, 4, 3, 2, 1, 1, 0, 2, 0, 3, 0}, got[:14])
	require.Empty(t, bytesOf(new(struct{})))
}

// A reactor that cannot be made leaves the recorder for another one.
func TestARecorderOutlivesAReactorThatWasNotMade(t *testing.T) {
	rec := newTape(t)
	for _, bad := range []Config{
		{MaxEndpoints: -1}, {CloseTimeout: -1}, {Selector: selector.Kind(99)},
		{Selector: selector.Direct, BusyPoll: selector.BusyPoll{Time: time.Microsecond}},
	} {
		bad.Tape = rec
		_, err := New(bad)
		require.Error(t, err)
	}
	r, err := New(Config{Tape: rec})
	require.NoError(t, err)
	_, err = New(Config{Tape: rec})
	require.ErrorIs(t, err, tape.ErrInUse)
	require.NoError(t, r.Close())
	require.Equal(t, []string{"begin", "1 stop", "end"}, said(rec))
}

// The randomness of a recorded reactor comes from the seed in its recording, which
// comes from the configured source: two reactors of one source do the same.
func TestTheSeedIsRecorded(t *testing.T) {
	var seeds [][]byte
	for range 2 {
		rec := newTape(t)
		b := newBench(t, onTape(rec))
		rec.Drain(1, false, func(r *tape.Record) { seeds = append(seeds, bytes.Clone(r.Data)) })
		require.NoError(t, b.r.Close())
	}
	require.Len(t, seeds[0], 32)
	require.Equal(t, seeds[0], seeds[1])
	require.NotEqual(t, make([]byte, 32), seeds[0])
}

// A set-up that does not obey its context is left behind by the end; what it does
// afterwards is not in the recording, whose last record is the end.
func TestASetupLeftBehindIsNotRecorded(t *testing.T) {
	rec := newTape(t)
	b := newBench(t, onTape(rec), func(c *Config) { c.CloseTimeout = time.Millisecond })
	dialled := errors.New("dialled late")
	var via *endpoint.Connector
	f := &fake{connect: func(_ context.Context, v *endpoint.Connector) (endpoint.Hot, error) {
		via = v
		return nil, dialled
	}}
	_, err := Register(b.r, f)
	require.NoError(t, err)
	b.poll()
	require.NoError(t, b.r.Close())
	lines := said(rec)
	require.Equal(t, "end", lines[len(lines)-1])
	for _, late := range b.tasks {
		late()
	}
	via.Enter(endpoint.Upgrading)
	via.Clock.Now()
	require.Empty(t, said(rec))
	require.Zero(t, rec.Lost())
}

// A turn in which nothing happens costs a recorded reactor next to nothing.
func BenchmarkRecordedIdleTurn(b *testing.B) {
	for _, recording := range []bool{false, true} {
		b.Run(fmt.Sprintf("recorded=%v", recording), func(b *testing.B) {
			cfg := Config{Selector: selector.Direct}
			if recording {
				cfg.Tape = newTape(b)
			}
			r, err := New(cfg)
			require.NoError(b, err)
			defer r.Close()
			for b.Loop() {
				if _, err := r.Poll(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
