package main

import (
	"bytes"
	"encoding/json"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
)

// lossAt makes the error of a connection that ended in a state.
func lossAt(state endpoint.State, err error) *endpoint.LossError {
	return endpoint.NewLoss(state, 1, err)
}

// exampleEvents are a beginning, a recovery that is complete, one that is under
// way, and an endpoint that gives up.
func exampleEvents() []endpoint.Event {
	ms := func(n int64) int64 { return n * int64(time.Millisecond) }
	reset := lossAt(endpoint.Open, syscall.ECONNRESET)
	eof := lossAt(endpoint.Open, io.ErrUnexpectedEOF)
	return []endpoint.Event{
		{At: ms(0), Name: "btcusdt", State: endpoint.Resolving},
		{At: ms(1), Name: "btcusdt", State: endpoint.Connecting},
		{At: ms(2), Name: "btcusdt", State: endpoint.Securing},
		{At: ms(4), Name: "btcusdt", State: endpoint.Upgrading},
		{At: ms(5), Name: "btcusdt", State: endpoint.Open},
		{At: ms(2000), Name: "btcusdt", State: endpoint.Backoff, Loss: reset, Delay: 37 * time.Millisecond},
		{At: ms(2037), Name: "btcusdt", State: endpoint.Resolving},
		{At: ms(2038), Name: "btcusdt", State: endpoint.Connecting},
		{At: ms(2039), Name: "btcusdt", State: endpoint.Securing},
		{At: ms(2040), Name: "btcusdt", State: endpoint.Upgrading},
		{At: ms(2041), Name: "btcusdt", State: endpoint.Open},
		{At: ms(3000), Name: "ethusdt", State: endpoint.Failed, Loss: lossAt(endpoint.Open, endpoint.ErrStaleFeed)},
		{At: ms(3100), Name: "xrpusdt", State: endpoint.Backoff, Loss: eof, Delay: 1250 * time.Microsecond},
		{At: ms(3102), Name: "xrpusdt", State: endpoint.Connecting},
	}
}

func exampleJournal() *journal {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	j := newJournal(func(at int64) time.Time { return start.Add(time.Duration(at)) })
	for _, e := range exampleEvents() {
		j.add(e)
	}
	return j
}

func exampleSnapshot() *snapshot {
	return &snapshot{
		elapsed: 12345 * time.Millisecond,
		setup: setup{
			url: "wss://127.0.0.1:40001", tls: "TLS 1.3", source: "500 messages/s a stream",
			where: "2 CPUs: reactor on cpu 1, exchange and the rest on cpu 0", cpu: "cpu 1", tuned: "GOMAXPROCS 2 → 3",
			selector: "epoll", idle: "backoff", faults: "a fault every 10s",
		},
		symbols: []symbolRow{
			{name: "btcusdt", state: endpoint.Open, messages: 1234567, perSecond: 1000, bytes: 178_400_000, reconnects: 1, reason: "open 1001: going away", price: 6500012 * priceUnit / 100},
			{name: "ethusdt", state: endpoint.Failed, messages: 999, perSecond: 0, bytes: 12_345, reason: "open: no data within StaleAfter", price: 3500 * priceUnit},
			{name: "xrpusdt", state: endpoint.Connecting, price: 0},
		},
		reactor: reactor.Stats{Turns: 123456, WorkTurns: 6049, Parks: 53565},
		receive: quantiles{14215, 110, 727, 2270, 406_000},
		journal: exampleJournal().all,
	}
}

func frameText(s *snapshot, width, height int) string {
	c := term.NewCanvas(width, false)
	drawFrame(c, s, height)
	return c.String()
}

func TestDemoScreenNarrow(t *testing.T) {
	require.Equal(t, `
 boomnet demo  3 symbols over TLS 1.3                    12.3 s, Ctrl-C ends it
 2 CPUs: reactor on cpu 1, exchange and the rest on cpu 0; GOMAXPROCS 2 → 3
 wss://127.0.0.1:40001, 500 messages/s a stream, a fault every 10s

 endpoint  state            messages     msg/s     bytes  reconn    last price
 btcusdt   ● open          1,234,567     1,000    178 MB       1      65000.12
   └ last reason: open 1001: going away
 ethusdt   ● failed              999         0   12.3 kB       0       3500.00
   └ last reason: open: no data within StaleAfter
 xrpusdt   ● connecting            0         0       0 B       0             –

 reactor   runs on               turns      work       parks   waits by
 demo      cpu 1               123,456     4.9 %      53,565   backoff, epoll
 latency                         p50       p99     p99.9       max      samples
 receive → handler            110 ns    727 ns   2.27 µs    406 µs       14,215
 send → handler                    –         –         –         –            –

 what happened
 03:04:07.000  btcusdt   lost  open: connection reset by peer
     → backoff 37.0 ms → connecting → securing → upgrading → open in 41.0 ms
 03:04:08.000  ethusdt   lost  open: no data within StaleAfter
     → failed
 03:04:08.100  xrpusdt   lost  open: unexpected EOF
     → backoff 1.25 ms → connecting
`, "\n"+frameText(exampleSnapshot(), 80, 24))
}

func TestDemoScreenWide(t *testing.T) {
	s := exampleSnapshot()
	s.setup.limit = 30 * time.Second
	s.goodbye, s.dropped = 2, 7
	s.conclude("time is up")
	require.Equal(t, `
 boomnet demo  3 symbols over TLS 1.3                                                                12.3 s, time is up
 2 CPUs: reactor on cpu 1, exchange and the rest on cpu 0; GOMAXPROCS 2 → 3
 wss://127.0.0.1:40001, 500 messages/s a stream, a fault every 10s

 endpoint  state            messages    mean/s     bytes  reconn    last price   last reason
 btcusdt   ● open          1,234,567   100,005    178 MB       1      65000.12   open 1001: going away
 ethusdt   ● failed              999        81   12.3 kB       0       3500.00   open: no data within StaleAfter
 xrpusdt   ● connecting            0         0       0 B       0             –

 reactor   runs on               turns      work       parks   waits by
 demo      cpu 1               123,456     4.9 %      53,565   backoff, epoll
 latency                         p50       p99     p99.9       max      samples
 receive → handler            110 ns    727 ns   2.27 µs    406 µs       14,215
 send → handler                    –         –         –         –            –

 what happened  (7 events missed)
 03:04:05.000  btcusdt   connecting → securing → upgrading → open in 5.00 ms
 03:04:07.000  btcusdt   lost  open: connection reset by peer
     → backoff 37.0 ms → connecting → securing → upgrading → open in 41.0 ms
 03:04:08.000  ethusdt   lost  open: no data within StaleAfter
     → failed
 03:04:08.100  xrpusdt   lost  open: unexpected EOF
     → backoff 1.25 ms → connecting
 the end: 2 of 3 connections closed in order
`, "\n"+frameText(s, 120, 60))
}

// Every line fits, whatever the width, and the frame fits every height that
// leaves room for the tables.
func TestDemoScreenFits(t *testing.T) {
	for _, width := range []int{1, 20, 79, 80, 109, 110, 145, 300} {
		c := term.NewCanvas(width, false)
		drawFrame(c, exampleSnapshot(), 24)
		require.LessOrEqual(t, c.Lines(), 24)
		for _, line := range bytes.Split([]byte(c.String()), []byte("\n")) {
			require.LessOrEqual(t, len([]rune(string(line))), width)
		}
	}
}

func TestDemoLines(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, writeLines(&b, exampleSnapshot()))
	require.Equal(t, `
   12.3 s  btcusdt    open          1,234,567 msg     1,000/s    178 MB  reconnects 1    price 65000.12
   12.3 s  ethusdt    failed              999 msg         0/s   12.3 kB  reconnects 0    price 3500.00
   12.3 s  xrpusdt    connecting            0 msg         0/s       0 B  reconnects 0    price –
   12.3 s  reactor    cpu 1           123,456 turns, 4.9 % with work; receive → handler p50 110 ns p99 727 ns, send → handler –
`, "\n"+b.String())
}

func TestDemoEventLines(t *testing.T) {
	var b bytes.Buffer
	j := newJournal(func(at int64) time.Time { return time.Unix(0, at) })
	for _, e := range exampleEvents() {
		require.NoError(t, writeEvent(&b, time.Duration(e.At), e, j.add(e)))
	}
	require.Equal(t, `
    0.0 s  btcusdt    OPEN       connecting → securing → upgrading → open in 5.00 ms
    2.0 s  btcusdt    LOST       open: connection reset by peer; trying again in 37.0 ms
    2.0 s  btcusdt    RECOVERED  backoff 37.0 ms → connecting → securing → upgrading → open in 41.0 ms
    3.0 s  ethusdt    FAILED     open: no data within StaleAfter
    3.1 s  xrpusdt    LOST       open: unexpected EOF; trying again in 1.25 ms
`, "\n"+b.String())
}

func TestDemoJSON(t *testing.T) {
	var b bytes.Buffer
	s := exampleSnapshot()
	require.NoError(t, writeJSON(&b, s))
	s.conclude("time is up")
	require.NoError(t, writeJSON(&b, s))
	d := json.NewDecoder(&b)
	var first, second map[string]any
	require.NoError(t, d.Decode(&first))
	require.NoError(t, d.Decode(&second))
	require.False(t, d.More())

	require.Equal(t, false, first["final"])
	require.Equal(t, 12.345, first["elapsed_s"])
	symbols := first["symbols"].([]any)
	require.Len(t, symbols, 3)
	require.Equal(t, map[string]any{
		"symbol": "btcusdt", "state": "open", "messages": 1234567.0, "messages_per_s": 1000.0, "bytes": 178400000.0,
		"reconnects": 1.0, "last_reason": "open 1001: going away", "last_price": 65000.12,
	}, symbols[0])
	require.Nil(t, symbols[2].(map[string]any)["last_reason"])
	require.Nil(t, symbols[2].(map[string]any)["last_price"])
	require.Equal(t, map[string]any{
		"receive_to_handler": map[string]any{"count": 14215.0, "p50": 110.0, "p99": 727.0, "p999": 2270.0, "max": 406000.0},
		"send_to_handler":    nil,
	}, first["latency_ns"])
	require.Equal(t, map[string]any{
		"cpu": "cpu 1", "placement": s.setup.where, "tuned": "GOMAXPROCS 2 → 3", "idle": "backoff", "selector": "epoll",
		"turns": 123456.0, "work_turns": 6049.0, "work_ratio": 0.049, "parks": 53565.0,
	}, first["reactor"])
	require.NotContains(t, first, "finished")

	require.Equal(t, true, second["final"])
	require.Equal(t, "time is up", second["finished"])
	require.Equal(t, 100005.0, second["symbols"].([]any)[0].(map[string]any)["messages_per_s"])
}

func TestDemoJournalIsBounded(t *testing.T) {
	j := newJournal(func(at int64) time.Time { return time.Unix(0, at) })
	loss := lossAt(endpoint.Open, endpoint.ErrStaleFeed)
	for i := range int64(5 * journalLength) {
		j.add(endpoint.Event{At: 2 * i, Name: "x", State: endpoint.Backoff, Loss: loss})
		j.add(endpoint.Event{At: 2*i + 1, Name: "x", State: endpoint.Open})
	}
	require.Len(t, j.all, journalLength)
	require.Empty(t, j.open)
	clean := lossAt(endpoint.Closing, &ws.CloseError{Code: frame.CloseNormal, Clean: true})
	require.Nil(t, j.add(endpoint.Event{Name: "x", State: endpoint.Closing}))
	require.Nil(t, j.add(endpoint.Event{Name: "x", State: endpoint.Closed, Loss: clean}))
	require.Equal(t, 1, j.goodbye)
}

func TestDemoEventRing(t *testing.T) {
	r := new(eventRing)
	_, ok := r.take()
	require.False(t, ok)
	for i := range int64(len(r.slots) + 3) {
		r.observe(endpoint.Event{At: i})
	}
	require.EqualValues(t, 3, r.dropped.Load())
	for i := range int64(len(r.slots)) {
		e, ok := r.take()
		require.True(t, ok)
		require.Equal(t, i, e.At)
	}
	_, ok = r.take()
	require.False(t, ok)

	// From another goroutine, in order, while they are taken.
	const n = 10_000
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range int64(n) {
			r.observe(endpoint.Event{At: i})
		}
	}()
	next := int64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		for e, ok := r.take(); ok; e, ok = r.take() {
			require.GreaterOrEqual(t, e.At, next)
			next = e.At + 1
		}
	}
	require.Positive(t, next)
}

func TestDemoPlacement(t *testing.T) {
	for _, c := range []struct {
		name              string
		cpus              []int
		reactor, exchange int
		busy              bool
		want              placement
		err               string
	}{
		{"two", []int{0, 1}, -1, -1, false, placement{1, 0, []int{0}, "2 CPUs: reactor on cpu 1, exchange and the rest on cpu 0", ""}, ""},
		{"two, spinning", []int{0, 1}, -1, -1, true, placement{1, 0, nil, "2 CPUs: reactor on cpu 1, exchange on cpu 0", ""}, ""},
		{"one", []int{3}, -1, -1, false, placement{3, 3, nil, "1 CPU: everything shares cpu 3; latencies show that", ""}, ""},
		{"many", []int{0, 1, 2, 3}, -1, -1, false, placement{3, 0, []int{0, 1, 2}, "4 CPUs: reactor on cpu 3, exchange on cpu 0, the rest off cpu 3", ""}, ""},
		{"reactor asked for", []int{0, 1, 2}, 0, -1, false, placement{0, 1, []int{1, 2}, "3 CPUs: reactor on cpu 0, exchange on cpu 1, the rest off cpu 0", ""}, ""},
		{"exchange asked for", []int{0, 1}, -1, 1, false, placement{0, 1, []int{1}, "2 CPUs: reactor on cpu 0, exchange and the rest on cpu 1", ""}, ""},
		{"the same", []int{0, 1}, 1, 1, false, placement{1, 1, []int{0}, "2 CPUs: reactor and exchange share cpu 1; latencies show that", ""}, ""},
		{"reactor's is not there", []int{0, 1}, 5, -1, false, placement{}, "demo: --cpu 5: available are [0 1]"},
		{"exchange's is not there", []int{0, 1}, 1, 5, false, placement{}, "demo: --exchange-cpu 5: available are [0 1]"},
		{"none", nil, -1, -1, false, placement{}, "demo: no CPU is available"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := choosePlacement(c.cpus, c.reactor, c.exchange, c.busy)
			if c.err != "" {
				require.EqualError(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, p)
		})
	}
}

func TestDemoLastLine(t *testing.T) {
	l := new(lastLine)
	require.Empty(t, l.String())
	for _, part := range []string{"first\nsec", "ond\n", "\n  \n"} {
		n, err := l.Write([]byte(part))
		require.NoError(t, err)
		require.Equal(t, len(part), n)
	}
	require.Equal(t, "second", l.String())
	_, _ = l.Write(bytes.Repeat([]byte("x"), 5*maxLastLine))
	require.Len(t, l.String(), maxLastLine)
}
