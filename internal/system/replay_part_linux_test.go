package system

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/stream"
)

// Code that does something else than it did is told so, where and what.
func TestWhatIsWrittenNowIsComparedWithThen(t *testing.T) {
	srv, err := exchange.Start(exchange.Config{Rate: 200})
	require.NoError(t, err)
	defer srv.Close()
	m := recordOne(t, srv.URL()+"/ws", "feed", "btcusdt@trade")

	e := &subscriber{topic: "ethusdt@trade"}
	e.Name, e.URL = "feed", srv.URL()+"/ws"
	done, err := (&capture.Reproduction{Recording: m, Endpoints: []endpoint.Protocol{e}}).Run(context.Background())
	require.NoError(t, err)
	require.Len(t, done.Divergences, 1)
	d := done.Divergences[0]
	require.Equal(t, "feed", d.Endpoint)
	require.Equal(t, uint32(1), d.Conn)
	require.NotZero(t, d.Turn)
	require.Greater(t, d.Offset, 10)
	require.ErrorContains(t, d, "endpoint feed, connection 1: something else is written: recorded ")

	other := &subscriber{topic: "btcusdt@trade"}
	other.Name, other.URL = "feed", srv.URL()+"/stream"
	done, err = (&capture.Reproduction{Recording: m, Endpoints: []endpoint.Protocol{other}}).Run(context.Background())
	require.NoError(t, err)
	require.NotZero(t, done.Diverged, "another path in the request")

	silent := &subscriber{}
	silent.Name, silent.URL = "feed", srv.URL()+"/ws"
	done, err = (&capture.Reproduction{Recording: m, Endpoints: []endpoint.Protocol{silent}}).Run(context.Background())
	require.NoError(t, err)
	require.ErrorContains(t, done.Divergences[0], "a write of the recording was not made")

	stranger := &subscriber{topic: "btcusdt@trade"}
	stranger.Name, stranger.URL = "stranger", srv.URL()+"/ws"
	known := &subscriber{topic: "btcusdt@trade"}
	known.Name, known.URL = "feed", srv.URL()+"/ws"
	done, err = (&capture.Reproduction{Recording: m, Endpoints: []endpoint.Protocol{stranger, known}}).Run(context.Background())
	require.NoError(t, err)
	require.Len(t, done.Divergences, 1)
	require.ErrorContains(t, done.Divergences[0], `endpoint stranger: it is not in the recording, which has ["feed"]`)
	require.NotZero(t, known.messages)
}

// subscriber counts the messages of one topic, or of none.
type subscriber struct {
	endpoint.WebSocket
	topic    string
	messages int
	enough   func()
	loss     error
}

func (s *subscriber) OnOpen(c *ws.Conn) error {
	if s.topic == "" {
		return nil
	}
	return c.WriteText([]byte(`{"method":"SUBSCRIBE","params":["` + s.topic + `"],"id":1}`))
}

func (s *subscriber) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		if s.messages++; s.messages == 20 && s.enough != nil {
			s.enough()
		}
	}
	return c.Err()
}

func (s *subscriber) OnLoss(e *endpoint.LossError) endpoint.Action {
	s.loss = e
	return endpoint.Reconnect
}

// recordOne records twenty messages of one endpoint.
func recordOne(t testing.TB, url, name, topic string, change ...func(*reactor.Config)) tape.Memory {
	rec, err := tape.New(tape.Config{})
	require.NoError(t, err)
	cfg := reactor.Config{Tape: rec}
	for _, f := range change {
		f(&cfg)
	}
	r, err := reactor.New(cfg)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	e := &subscriber{topic: topic, enough: cancel}
	e.Name, e.URL = name, url
	_, err = reactor.Register(r, e)
	require.NoError(t, err)
	require.NoError(t, r.Run(ctx))
	require.GreaterOrEqual(t, e.messages, 20)
	var m tape.Memory
	rec.Drain(1<<30, false, m.Keep)
	return m
}

// Turn by turn, with a look at the state after each; and an end where one likes.
func TestStepByStep(t *testing.T) {
	srv, err := exchange.Start(exchange.Config{Rate: 200})
	require.NoError(t, err)
	defer srv.Close()
	m := recordOne(t, srv.URL()+"/ws", "feed", "btcusdt@trade")
	e := &subscriber{topic: "btcusdt@trade"}
	e.Name, e.URL = "feed", srv.URL()+"/ws"
	enough := errors.New("enough")
	var last int
	var times []time.Time
	done, err := (&capture.Reproduction{Recording: m, Endpoints: []endpoint.Protocol{e}, AfterTurn: func(turn uint64, p *tape.Player) error {
		require.LessOrEqual(t, last, e.messages)
		last = e.messages
		times = append(times, p.Wall())
		if e.messages >= 10 {
			return enough
		}
		return nil
	}}).Run(context.Background())
	require.ErrorIs(t, err, enough)
	require.Less(t, e.messages, 20)
	require.Equal(t, int(done.Turns), len(times))
	require.WithinDuration(t, time.Now(), times[0], time.Minute)

	p, err := tape.NewPlayer(m, tape.PlayConfig{})
	require.NoError(t, err)
	r, err := reactor.New(reactor.Config{Replay: p, Idle: idle.Spin})
	require.NoError(t, err)
	defer r.Close()
	_, err = reactor.New(reactor.Config{Replay: p})
	require.ErrorIs(t, err, tape.ErrInUse)
}

// The times of then, ten times as fast.
func TestAReplayAtItsPace(t *testing.T) {
	srv, err := exchange.Start(exchange.Config{Rate: 100})
	require.NoError(t, err)
	defer srv.Close()
	m := recordOne(t, srv.URL()+"/ws", "feed", "btcusdt@trade") // 0.2 s
	for _, speed := range []float64{1, 10} {
		p, err := tape.NewPlayer(m, tape.PlayConfig{Speed: speed})
		require.NoError(t, err)
		r, err := reactor.New(reactor.Config{Replay: p})
		require.NoError(t, err)
		e := &subscriber{topic: "btcusdt@trade"}
		e.Name, e.URL = "feed", srv.URL()+"/ws"
		_, err = reactor.Register(r, e)
		require.NoError(t, err)
		began := time.Now()
		require.NoError(t, r.Run(context.Background()))
		took, then := time.Since(began), time.Duration(m[len(m)-2].At-m[1].Begin)
		require.GreaterOrEqual(t, took, time.Duration(float64(then)/speed)*9/10, "never before its time")
		require.GreaterOrEqual(t, e.messages, 20)
	}
}

// Messages of links and inboxes come in again; what is really sent meanwhile is not
// handled twice.
func TestMessagesOfThen(t *testing.T) {
	type order struct{ ID, Price int64 }
	type note struct{ Text string } // has pointers: is not recorded
	prepare := func(seen *[]order, notes *int) func(*reactor.Reactor) (*reactor.Inbox[order], *reactor.Inbox[note], error) {
		return func(r *reactor.Reactor) (*reactor.Inbox[order], *reactor.Inbox[note], error) {
			a, err := reactor.NewInbox(r, 0, func(o *order) { *seen = append(*seen, *o) })
			if err != nil {
				return nil, nil, err
			}
			b, err := reactor.NewInbox(r, 0, func(*note) { *notes++ })
			return a, b, err
		}
	}
	rec, err := tape.New(tape.Config{})
	require.NoError(t, err)
	r, err := reactor.New(reactor.Config{Tape: rec})
	require.NoError(t, err)
	var live []order
	var notes int
	orders, texts, err := prepare(&live, &notes)(r)
	require.NoError(t, err)
	for i := range int64(100) {
		orders.Post(order{i, i * i})
		texts.Post(note{"x"})
		_, err := r.Poll()
		require.NoError(t, err)
	}
	require.NoError(t, r.Close())
	require.Len(t, live, 100)
	require.Equal(t, 100, notes)
	var m tape.Memory
	rec.Drain(1<<30, false, m.Keep)

	var again []order
	notes = 0
	done, err := (&capture.Reproduction{Recording: m, Prepare: func(r *reactor.Reactor) error {
		orders, _, err := prepare(&again, &notes)(r)
		orders.Post(order{-1, -1}) // of now: the recording has its own
		return err
	}}).Run(context.Background())
	require.NoError(t, err)
	require.Empty(t, done.Divergences)
	require.Equal(t, live, again)
	require.Zero(t, notes)

	done, err = (&capture.Reproduction{Recording: m}).Run(context.Background())
	require.NoError(t, err)
	require.Equal(t, 100, done.Diverged)
	require.ErrorContains(t, done.Divergences[0], "nothing here takes the messages of the inbox of reactor for system.order")
}

// Kernel stamps, counters and the direct selector make no difference.
func TestAReplayOfAnotherConfiguration(t *testing.T) {
	srv, err := exchange.Start(exchange.Config{Rate: 200})
	require.NoError(t, err)
	defer srv.Close()
	stamped := func(name string) *stamps {
		e := &stamps{}
		e.Name, e.URL = name, srv.URL()+"/ws"
		e.Options.Stream.Timestamps = stream.TimestampsSoftware
		return e
	}
	rec, err := tape.New(tape.Config{})
	require.NoError(t, err)
	r, err := reactor.New(reactor.Config{Tape: rec})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	live := stamped("feed")
	live.enough = cancel
	_, err = reactor.Register(r, live)
	require.NoError(t, err)
	require.NoError(t, r.Run(ctx))
	var m tape.Memory
	rec.Drain(1<<30, false, m.Keep)
	now := stamped("feed")
	done, err := (&capture.Reproduction{Recording: m, Endpoints: []endpoint.Protocol{now}}).Run(context.Background())
	require.NoError(t, err)
	require.Empty(t, done.Divergences)
	require.Equal(t, live.seen, now.seen)
}

// stamps keeps what the kernel says of each read.
type stamps struct {
	subscriber
	seen []string
}

func (s *stamps) OnOpen(c *ws.Conn) error {
	return c.WriteText([]byte(`{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`))
}

func (s *stamps) OnData(c *ws.Conn) error {
	s.seen = append(s.seen, fmt.Sprint(c.Received(), c.KernelTime(), c.Stamp()))
	return s.subscriber.OnData(c)
}

// What stream.Options ask of a connection that is replayed comes from the recording,
// and streams without a reactor are replayed by themselves.
func TestAStreamWithoutAReactor(t *testing.T) {
	srv, err := exchange.Start(exchange.Config{Rate: 200})
	require.NoError(t, err)
	defer srv.Close()
	run := func(s endpoint.Seams) (out []string) {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		u, target, err := ws.ParseURL(srv.URL() + "/ws")
		require.NoError(t, err)
		st, err := s.Dial(ctx, target, nil)
		require.NoError(t, err)
		c, err := ws.Upgrade(ctx, st, u, &ws.Options{Clock: s.Clock, Rand: s.Rand()})
		require.NoError(t, err)
		require.NoError(t, c.WriteText([]byte(`{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`)))
		for len(out) < 10 {
			_, err := c.Fill()
			if err == stream.ErrWouldBlock {
				require.NoError(t, c.Wait(ctx))
				continue
			}
			require.NoError(t, err)
			for m, ok := c.Next(); ok; m, ok = c.Next() {
				out = append(out, fmt.Sprintf("%d %s", c.Received(), m.Payload))
			}
		}
		require.NoError(t, c.Discard())
		return out
	}
	rec, err := tape.New(tape.Config{})
	require.NoError(t, err)
	bare, err := rec.Bare("script")
	require.NoError(t, err)
	live := run(bare.Connection("quotes", endpoint.Seams{}).Seams())
	bare.End()
	var m tape.Memory
	rec.Drain(1<<30, false, m.Keep)

	p, err := tape.NewPlayer(m, tape.PlayConfig{})
	require.NoError(t, err)
	c, err := p.Bare("quotes", endpoint.Seams{})
	require.NoError(t, err)
	require.Equal(t, live, run(c.Seams()))
	_, total := p.Divergences()
	require.Zero(t, total)
	_, err = p.Bare("quotes", endpoint.Seams{})
	require.ErrorIs(t, err, io.EOF)
}
