package capture

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// tally counts and sums up what a feed brings.
type tally struct {
	endpoint.WebSocket
	subscribe string
	messages  int
	last      string
	times     []int64
	enough    func()
}

func (f *tally) OnOpen(c *ws.Conn) error { return c.WriteText([]byte(f.subscribe)) }

func (f *tally) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		f.messages++
		f.last = string(m.Payload)
		f.times = append(f.times, c.Received())
		if f.messages == 50 && f.enough != nil {
			f.enough()
		}
	}
	return c.Err()
}

const subscription = `{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`

func newTally(url string) *tally {
	f := &tally{subscribe: subscription}
	f.Name, f.URL = "trades", url
	return f
}

// tried is a TB that writes down.
type tried struct {
	testing.TB
	errors []string
}

func (t *tried) Errorf(format string, a ...any) {
	t.errors = append(t.errors, fmt.Sprintf(format, a...))
}

func recordTally(t *testing.T) (path string, live *tally) {
	srv, err := exchange.Start(exchange.Config{Rate: 500, Seed: 3})
	require.NoError(t, err)
	defer srv.Close()
	path = at(t)
	rec, err := Create(path, Options{})
	require.NoError(t, err)
	r, err := reactor.New(reactor.Config{Name: "feed", Tape: rec.Tape()})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	live = newTally(srv.URL() + "/ws")
	live.enough = cancel
	_, err = reactor.Register(r, live)
	require.NoError(t, err)
	require.NoError(t, r.Run(ctx))
	require.NoError(t, rec.Close())
	require.GreaterOrEqual(t, live.messages, 50)
	return path, live
}

// What an endpoint has made of a feed it makes of the file again, to the nanosecond.
func TestACaptureIsReproduced(t *testing.T) {
	path, live := recordTally(t)
	again := newTally(live.URL)
	got := Reproduce(t, path, again)
	require.True(t, got.Complete)
	require.Zero(t, got.Diverged)
	require.Equal(t, live.times, again.times)
	require.Equal(t, live.last, again.last)

	// Turn by turn, to the fifth.
	enough := errors.New("enough")
	part, err := (&Reproduction{
		Recording: openAll(t, path), Endpoints: []endpoint.Protocol{newTally(live.URL)},
		AfterTurn: func(turn uint64, p *tape.Player) error {
			require.WithinDuration(t, time.Now(), p.Wall(), time.Hour)
			if turn == 5 {
				return enough
			}
			return nil
		},
	}).Run(context.Background())
	require.ErrorIs(t, err, enough)
	require.LessOrEqual(t, part.Turns, uint64(5))
}

// An endpoint that writes something else fails the test that reproduces, with both
// texts, and still sees the feed of then.
func TestAReproductionFailsOnDivergences(t *testing.T) {
	path, live := recordTally(t)
	other := newTally(live.URL)
	other.subscribe = `{"method":"SUBSCRIBE","params":["ethusdt@trade"],"id":1}`
	told := &tried{TB: t}
	got := Reproduce(told, path, other)
	require.NotEmpty(t, told.errors)
	require.Contains(t, told.errors[0], "trades")
	require.Contains(t, told.errors[0], "something else is written")
	require.NotZero(t, got.Diverged)
	require.Equal(t, live.messages, other.messages)
}
