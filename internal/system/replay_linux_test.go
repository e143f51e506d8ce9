package system

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// journal is what endpoints have seen, with every time and every text.
type journal struct {
	bytes.Buffer
	messages int
}

func (j *journal) note(format string, args ...any) { fmt.Fprintf(j, format+"\n", args...) }

// witness writes down all that it sees.
type witness struct {
	endpoint.WebSocket
	j               *journal
	ticks, messages int
	enough          func()
}

func (w *witness) OnOpen(c *ws.Conn) error {
	w.j.note("%s open conn %d received %d %v", w.Name, c.ID(), c.Received(), c.ResponseHeader()["Sec-Websocket-Accept"])
	w.SetTimer(c.Received() + int64(3*time.Millisecond))
	return c.WriteText([]byte(`{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}`))
}

func (w *witness) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		w.j.messages++
		w.messages++
		w.j.note("%s conn %d received %d %v %q", w.Name, c.ID(), c.Received(), m.Op, m.Payload)
		if w.messages%7 == 0 {
			if err := c.Ping([]byte("seven")); err != nil {
				w.j.note("%s ping: %v", w.Name, err)
			}
		}
		if w.messages%50 == 49 {
			return fmt.Errorf("an error of the endpoint's own")
		}
	}
	w.j.note("%s %+v", w.Name, c.Counters())
	if w.enough != nil {
		w.enough()
	}
	return c.Err()
}

func (w *witness) OnControl(c *ws.Conn, m ws.Control) {
	w.j.note("%s conn %d control %v %q %d %s rtt %v", w.Name, c.ID(), m.Op, m.Payload, m.Code, m.Reason, w.RoundTrip())
}

func (w *witness) OnTimer(c *ws.Conn, now int64) error {
	w.ticks++
	w.j.note("%s timer at %d", w.Name, now)
	w.SetTimer(now + int64(3*time.Millisecond))
	return nil
}

func (w *witness) OnLoss(e *endpoint.LossError) endpoint.Action {
	w.j.note("%s loss: %v; %d %v %d", w.Name, e, e.Attempt, e.Phase, e.Code)
	return endpoint.Reconnect
}

// witnesses are endpoints of every kind of luck.
func witnesses(url string, roots *tls.Config, j *journal, enough func()) []*witness {
	var all []*witness
	add := func(name, query string, change func(*witness)) {
		w := &witness{j: j}
		w.Name, w.URL = name, url+"/ws"+query
		w.Options.Stream.TLS = roots
		w.Policy.FirstDelay, w.Policy.MaxDelay = time.Millisecond, 20*time.Millisecond
		w.Policy.PingInterval = 5 * time.Millisecond
		if change != nil {
			change(w)
		}
		all = append(all, w)
	}
	add("steady", "", func(w *witness) { w.enough = enough })
	add("resets", "?fault=rst&after=10", nil)
	add("closes", "?fault=close&after=5&code=1012&reason=again", nil)
	add("garbage", "?fault=garbage&after=20", nil)
	add("refused", "?fault=refuse&code=503", nil)
	add("split", "?fault=split&after=2", nil)
	add("renews", "", func(w *witness) { w.Policy.TimeToLive, w.Policy.Overlap = 40*time.Millisecond, 5*time.Millisecond })
	add("nobody", "", func(w *witness) { w.URL = "ws://127.0.0.1:1/ws" })
	add("packed", "", func(w *witness) { w.Options.Compression = &ws.Compression{} })
	return all
}

func record(t testing.TB, secure bool, change ...func(*reactor.Config)) (*journal, tape.Memory, string, *tls.Config) {
	cfg := exchange.Config{Rate: 300, Seed: 7}
	if secure {
		cfg.TLS = &exchange.TLS{}
	}
	srv, err := exchange.Start(cfg)
	require.NoError(t, err)
	defer srv.Close()
	var roots *tls.Config
	if secure {
		roots = &tls.Config{RootCAs: x509.NewCertPool()}
		require.True(t, roots.RootCAs.AppendCertsFromPEM(srv.CA()))
	}
	rec, err := tape.New(tape.Config{})
	require.NoError(t, err)
	j := new(journal)
	rc := reactor.Config{Tape: rec}
	rc.Seams.Limiter, err = endpoint.NewHostLimiter(50, 100) // has tries wait, but not for long
	require.NoError(t, err)
	rc.Seams.Observer = func(e endpoint.Event) { j.note("event %+v", flat(e)) }
	for _, f := range change {
		f(&rc)
	}
	r, err := reactor.New(rc)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	n := 0
	for _, w := range witnesses(srv.URL(), roots, j, func() {
		if n++; n == 60 {
			cancel()
		}
	}) {
		_, err := reactor.Register(r, w)
		require.NoError(t, err)
	}
	require.NoError(t, r.Run(ctx))
	var m tape.Memory
	rec.Drain(1<<30, false, m.Keep)
	require.Equal(t, tape.KindEnd, m[len(m)-1].Kind)
	require.Zero(t, rec.Lost())
	return j, m, srv.URL(), roots
}

// flat is an event without addresses in memory.
func flat(e endpoint.Event) string {
	loss := e.Loss
	e.Loss = nil
	s := fmt.Sprintf("%+v", e)
	if loss != nil {
		s += " " + loss.Error()
	}
	return s
}

func replay(t *testing.T, m tape.Recording, url string, roots *tls.Config) (*journal, *tape.Player, *reactor.Reactor) {
	p, err := tape.NewPlayer(m, tape.PlayConfig{})
	require.NoError(t, err)
	j := new(journal)
	rc := reactor.Config{Replay: p}
	rc.Seams.Observer = func(e endpoint.Event) { j.note("event %+v", flat(e)) }
	r, err := reactor.New(rc)
	require.NoError(t, err)
	for _, w := range witnesses(url, roots, j, nil) {
		_, err := reactor.Register(r, w)
		require.NoError(t, err)
	}
	return j, p, r
}

// A replay is the recorded run once more: the same events, bytes, times, errors and
// writes, to the nanosecond and the letter, each time.
func TestAReplayIsTheRunOnceMore(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			live, m, url, roots := record(t, secure)
			require.Greater(t, live.messages, 100)
			for i := range 20 {
				j, p, r := replay(t, m, url, roots)
				require.NoError(t, r.Run(context.Background()))
				first, total := p.Divergences()
				for _, d := range first {
					t.Log(d)
				}
				same(t, live.String(), j.String(), fmt.Sprintf("replay %d", i))
				require.Zero(t, total)
			}
		})
	}
}

// same compares two journals by their lines and shows where they part.
func same(t *testing.T, want, got, which string) {
	t.Helper()
	if want == got {
		return
	}
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			from := max(i-3, 0)
			t.Fatalf("%s: line %d of %d and %d\nlive:\n%s\nnow:\n%s", which, i, len(a), len(b),
				strings.Join(a[min(from, len(a)):min(i+4, len(a))], "\n"), strings.Join(b[min(from, len(b)):min(i+4, len(b))], "\n"))
		}
	}
}
