package system

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// compressions are what a client may ask for.
var compressions = map[string]ws.Compression{
	"takeover":       {Threshold: 1},
	"no takeover":    {Threshold: 1, ServerNoContextTakeover: true, ClientNoContextTakeover: true},
	"small windows":  {Threshold: 1, ServerMaxWindowBits: 9, ClientMaxWindowBits: 9},
	"above 256 only": {},
}

func TestACompressedFeedIsTheSameFeed(t *testing.T) {
	for name, compression := range compressions {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, w world) {
				s := w.exchange(t, exchange.Config{Rate: 10000})
				r := w.reactor(t)
				f := newTrades(s, "/ws/btcusdt@trade")
				f.Options.Compression = &compression
				h, err := reactor.Register(r, f)
				require.NoError(t, err)
				waitFor(t, "2000 trades", func() bool { n, _, _, _ := f.seen(); return n >= 2000 })
				_, gaps, opens, losses := f.seen()
				require.Zero(t, gaps)
				require.Equal(t, 1, opens)
				require.Zero(t, losses)
				i, err := r.Lookup(h.ID())
				require.NoError(t, err)
				if !compression.ServerNoContextTakeover { // else little is gained on short messages
					require.Less(t, i.Bytes/i.Messages, int64(110), "a trade has about 140 bytes")
				}
			})
		})
	}
}

// echoes sends messages and checks that the same come back.
type echoes struct {
	endpoint.WebSocket
	messages []string
	back     atomic.Int64
	wrong    atomic.Int64
}

func (e *echoes) OnOpen(c *ws.Conn) error {
	for _, m := range e.messages {
		if err := c.WriteString(m); err != nil {
			return err
		}
	}
	return nil
}

func (e *echoes) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		if i := e.back.Load(); i >= int64(len(e.messages)) || string(m.Payload) != e.messages[i] {
			e.wrong.Add(1)
		}
		e.back.Add(1)
	}
	return c.Err()
}

func TestCompressedMessagesComeBackAsTheyWere(t *testing.T) {
	for name, compression := range compressions {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, w world) {
				s := w.exchange(t, exchange.Config{})
				r := w.reactor(t)
				e := &echoes{messages: []string{
					"", "x", strings.Repeat("abc", 1000), `{"p":"67321.01"}`, strings.Repeat("é", 100_000), strings.Repeat(`{"e":"trade"}`, 5000), "end",
				}}
				e.URL, e.Options = s.URL()+"/echo", options(s)
				e.Options.Compression = &compression
				_, err := reactor.Register(r, e)
				require.NoError(t, err)
				waitFor(t, "all of it", func() bool { return e.back.Load() == int64(len(e.messages)) })
				require.Zero(t, e.wrong.Load())
			})
		})
	}
}
