package prometheus

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/stats"
)

func TestMain(m *testing.M) { leak.Main(m) }

// scrapeOf is a scrape of blocks on the heap.
func scrapeOf(t testing.TB, limit int, blocks ...heapBlock) *scrape {
	t.Helper()
	b, err := bounds(nil)
	require.NoError(t, err)
	s := newScrape(b, limit, nil)
	for _, h := range blocks {
		l := s.block("proc", "1", h.kind, h.name, h.parent)
		h.Each(func(d stats.Desc, v stats.Value) {
			if f := s.of(h.kind, &d); f != nil {
				s.cell(f, l, h.kind, &d, &v)
			}
		})
	}
	s.finish(time.Millisecond)
	return s
}

type heapBlock struct {
	kind, name, parent string
	*stats.Block
}

func block(kind, name, parent string) heapBlock {
	return heapBlock{kind, name, parent, stats.NewBlock(name)}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		block, cell, unit string
		kind              stats.Kind
		want              string
	}{
		{"reactor", "turns", "turns", stats.KindCounter, "boomnet_reactor_turns_total"},
		{"reactor", "busy", "ns", stats.KindCounter, "boomnet_reactor_busy_seconds_total"},
		{"reactor", "longest_turn", "ns", stats.KindGauge, "boomnet_reactor_longest_turn_seconds"},
		{"reactor", "cpu", "cpu", stats.KindGauge, "boomnet_reactor_cpu"},
		{"reactor", "idle", "", stats.KindText, "boomnet_reactor_idle_info"},
		{"reactor", "wire_to_handler", "ns", stats.KindHistogram, "boomnet_reactor_wire_to_handler_seconds boomnet_reactor_wire_to_handler_max_seconds"},
		{"reactor", "errors", "errors", stats.KindErrors, "boomnet_reactor_errors_total boomnet_reactor_errors_first_timestamp_seconds boomnet_reactor_errors_last_timestamp_seconds boomnet_reactor_errors_forgotten_total"},
		{"endpoint", "bytes", "bytes", stats.KindCounter, "boomnet_endpoint_bytes_total"},
		{"endpoint", "bytes_sent", "bytes", stats.KindCounter, "boomnet_endpoint_sent_bytes_total"},
		{"endpoint", "sent", "frames", stats.KindCounter, "boomnet_endpoint_sent_total"},
		{"endpoint", "queue_high_water", "bytes", stats.KindGauge, "boomnet_endpoint_queue_high_water_bytes"},
		{"endpoint", "state", "state", stats.KindGauge, "boomnet_endpoint_state boomnet_endpoint_state_number"},
		{"endpoint", "since", "ns", stats.KindGauge, "boomnet_endpoint_state_start_time_seconds"},
		{"ring", "high_water", "messages", stats.KindGauge, "boomnet_ring_high_water"},
		{"process", "file_size", "bytes", stats.KindGauge, "boomnet_process_file_size_bytes"},
		{"order book", "gaps/s", "gaps", stats.KindGauge, "boomnet_order_book_gaps_s"},
		{"", "lag", "ms", stats.KindGauge, "boomnet_block_lag_seconds"},
	} {
		s := newScrape(nil, 1000, nil)
		f := s.of(c.block, &stats.Desc{Name: c.cell, Unit: c.unit, Kind: c.kind})
		var got []string
		for _, f := range f.list {
			if f != nil {
				got = append(got, f.name)
			}
		}
		require.Equal(t, c.want, strings.Join(got, " "))
	}
}

// Each kind of cell, as Prometheus sees it.
func TestCells(t *testing.T) {
	e := block(stats.EndpointBlock, `b"t\c`, "feed")
	e.Counter("messages", "messages", "whole \"messages\"").Add(3)
	e.Counter("idle", "ns", "time").Add(1_500_000_000)
	e.Gauge("lag", "ms", "lag").Set(-5)
	e.Gauge("price", "1e-8", "last price").Set(4_250_000_000)
	e.Gauge("state", "state", "endpoint.State as a number").Set(int64(endpoint.Backoff))
	loss := e.Text("last_loss", "last loss")
	e.Text("empty", "none")
	loss.Set("open: read tcp 10.0.0.1:41000: reset, 403, id 123456, [::1]:9443")
	h := e.Histogram("delay", "ns", "delay")
	h.Record(255)
	h.Record(256)
	h.Record(2_000_000_000)
	size := e.Histogram("size", "bytes", "size")
	size.Record(1023)
	size.Record(1024)
	log := e.Errors("errors", "errors")
	log.Add(time.Unix(100, 0), "b")
	log.Add(time.Unix(200, 500e6), "a")
	log.Add(time.Unix(300, 0), "b")
	s := scrapeOf(t, 10000, e)
	text := s.text(false)
	p := mustParse(t, text)

	require.Contains(t, string(text), "# HELP boomnet_endpoint_messages_total whole \"messages\"\n# TYPE boomnet_endpoint_messages_total counter\n"+
		`boomnet_endpoint_messages_total{process="proc",pid="1",reactor="feed",endpoint="b\"t\\c"} 3`+"\n")
	require.Equal(t, 1.5, p.find(t, "boomnet_endpoint_idle_seconds_total", "endpoint", `b"t\c`))
	require.Equal(t, -.005, p.find(t, "boomnet_endpoint_lag_seconds"))
	require.Equal(t, 42.5, p.find(t, "boomnet_endpoint_price"))
	require.Equal(t, "last price", p.help["boomnet_endpoint_price"])
	require.Equal(t, 1.0, p.find(t, "boomnet_endpoint_state", "state", "backoff"))
	require.Equal(t, 0.0, p.find(t, "boomnet_endpoint_state", "state", "open"))
	require.Equal(t, 7.0, p.find(t, "boomnet_endpoint_state_number"))
	require.Equal(t, 1.0, p.find(t, "boomnet_endpoint_last_loss_info", "text", "open: read tcp N: reset, 403, id N, N"))
	require.NotContains(t, string(text), "empty", "an empty text has no series")
	require.Equal(t, 1.0, p.find(t, "boomnet_endpoint_delay_seconds_bucket", "le", "2.56e-07"), "255 ns and a fraction is below 256 ns")
	require.Equal(t, 2.0, p.find(t, "boomnet_endpoint_delay_seconds_bucket", "le", "5.12e-07"))
	require.Equal(t, 3.0, p.find(t, "boomnet_endpoint_delay_seconds_bucket", "le", "+Inf"))
	require.InEpsilon(t, 2.000000511, p.find(t, "boomnet_endpoint_delay_seconds_sum"), 1.0/128)
	require.Equal(t, 2.0, p.find(t, "boomnet_endpoint_delay_max_seconds"))
	require.Equal(t, 1.0, p.find(t, "boomnet_endpoint_size_bytes_bucket", "le", "1023"))
	require.Equal(t, 2.0, p.find(t, "boomnet_endpoint_size_bytes_bucket", "le", "4095"))
	require.Equal(t, 2.0, p.find(t, "boomnet_endpoint_errors_total", "text", "b"))
	require.Equal(t, 100.0, p.find(t, "boomnet_endpoint_errors_first_timestamp_seconds", "text", "b"))
	require.Equal(t, 200.5, p.find(t, "boomnet_endpoint_errors_last_timestamp_seconds", "text", "a"))
	require.Equal(t, 0.0, p.find(t, "boomnet_endpoint_errors_forgotten_total"))
	require.Equal(t, text, s.text(false), "the order is stable")

	open := string(s.text(true))
	require.Contains(t, open, "# HELP boomnet_endpoint_messages whole \\\"messages\\\"\n# TYPE boomnet_endpoint_messages counter\nboomnet_endpoint_messages_total{")
	require.True(t, strings.HasSuffix(open, "\n# EOF\n"))
}

// since is CLOCK_MONOTONIC in the file and Unix time for Prometheus.
func TestSinceIsATime(t *testing.T) {
	b := block(stats.EndpointBlock, "x", "r")
	s := newScrape(nil, 100, nil)
	b.Gauge("since", "ns", "CLOCK_MONOTONIC").Set(time.Now().UnixNano() - s.wall)
	p := mustParse(t, scrapeOf(t, 100, b).text(false))
	require.InDelta(t, float64(time.Now().UnixNano())/1e9, p.find(t, "boomnet_endpoint_state_start_time_seconds"), 60)
}

// Blocks with the same labels must not be the same series.
func TestSameNames(t *testing.T) {
	var blocks []heapBlock
	for i := range 3 {
		b := block(stats.EndpointBlock, "same", "feed")
		b.Counter("messages", "messages", "").Add(int64(i))
		blocks = append(blocks, b)
	}
	elsewhere := block(stats.EndpointBlock, "same", "other")
	elsewhere.Counter("messages", "messages", "").Add(9)
	p := mustParse(t, scrapeOf(t, 1000, append(blocks, elsewhere)...).text(false))
	require.Equal(t, 1.0, p.find(t, "boomnet_endpoint_messages_total", "nth", "2"))
	require.Equal(t, 2.0, p.find(t, "boomnet_endpoint_messages_total", "nth", "3"))
	require.Equal(t, 9.0, p.find(t, "boomnet_endpoint_messages_total", "reactor", "other"))
}

// Two cells whose names would become the same: one is left out, and counted.
func TestNamesThatAreTaken(t *testing.T) {
	b := block("a", "x", "")
	b.Counter("b-c", "", "first").Add(1)
	b.Counter("b_c", "", "second").Add(2)
	b.Counter("b_c_total", "", "not the same").Add(3)
	b.Histogram("lat", "ns", "")
	b.Counter("lat_seconds_count_x", "", "")
	b.Gauge("lat_seconds_count", "", "collides with the histogram's")
	other := block("a_b", "x", "")
	other.Counter("c", "", "").Add(4)
	p := mustParse(t, scrapeOf(t, 1000, b, other).text(false))
	require.Equal(t, 1.0, p.find(t, "boomnet_a_b_c_total"))
	require.Equal(t, 4.0, p.find(t, "boomnet_exporter_cells_left_out", "reason", "name"))
	require.Equal(t, "first", p.help["boomnet_a_b_c_total"])
}

func TestLimit(t *testing.T) {
	var blocks []heapBlock
	for i := range 100 {
		b := block(stats.EndpointBlock, fmt.Sprint(i), "r")
		b.Counter("messages", "messages", "")
		b.Histogram("delay", "ns", "")
		blocks = append(blocks, b)
	}
	p := mustParse(t, scrapeOf(t, 1000, blocks...).text(false))
	require.Less(t, len(p.samples), 1020)
	require.Greater(t, len(p.samples), 900)
	require.Positive(t, p.find(t, "boomnet_exporter_cells_left_out", "reason", "limit"))
}

// A file with names without end makes no families without end.
func TestLimitOfNames(t *testing.T) {
	b := block("a", "x", "")
	for i := range 1000 {
		b.Counter(fmt.Sprint("c", i), "", "")
	}
	s := scrapeOf(t, 100, b)
	require.LessOrEqual(t, len(s.families), 105)
	p := mustParse(t, s.text(false))
	require.Equal(t, 900.0, p.find(t, "boomnet_exporter_cells_left_out", "reason", "limit"))
}

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		list []time.Duration
		err  string
	}{
		{[]time.Duration{0}, "prometheus: Buckets[0] is 0s: they must ascend, from 1ns to 18m19.511627775s"},
		{[]time.Duration{2, 2}, "prometheus: Buckets[1] is 2ns: they must ascend, from 1ns to 18m19.511627775s"},
		{[]time.Duration{time.Hour}, "prometheus: Buckets[0] is 1h0m0s: they must ascend, from 1ns to 18m19.511627775s"},
		{make([]time.Duration, MaxBuckets+1), "prometheus: 257 Buckets, at most 256"},
	} {
		_, err := bounds(c.list)
		require.EqualError(t, err, c.err)
	}
	b, err := bounds(nil)
	require.NoError(t, err)
	require.Len(t, b, 26)
	require.Equal(t, "8.589934592", b[25].label)

	// Against a count by hand: exact at powers of two, else at most 1/64 below.
	custom, err := bounds([]time.Duration{100, time.Microsecond, 10 * time.Microsecond, time.Millisecond})
	require.NoError(t, err)
	for _, list := range [][]bound{b, custom} {
		var h stats.Histogram
		var values []int64
		for v := int64(1); v < 1<<39; v = v*5/4 + 1 {
			values = append(values, v)
			h.Record(v)
		}
		counts, sum := cumulate(h.Snapshot(), list)
		want := 0.0
		for _, v := range values {
			want += float64(v)
		}
		require.InEpsilon(t, want, sum, 1.0/128)
		for i, b := range list {
			var below, surely int64
			for _, v := range values {
				if v < b.below {
					below++
				}
				if v < b.below-b.below/64 {
					surely++
				}
			}
			if b.below&(b.below-1) == 0 {
				surely = below
			}
			require.LessOrEqual(t, counts[i], below, b.label)
			require.GreaterOrEqual(t, counts[i], surely, b.label)
		}
	}
}

// The names of the states are those of package endpoint.
func TestStates(t *testing.T) {
	for i, name := range states {
		require.Equal(t, endpoint.State(i).String(), name)
	}
	require.Equal(t, int(endpoint.User), len(states), "User is no state")
}

// Whatever stands in a file, Prometheus can read what is written, and labels come
// back as they were.
func FuzzScrape(f *testing.F) {
	f.Add("endpoint", "btcusdt", "feed", "messages", "messages", "whole messages", uint8(1), int64(5), "x")
	f.Add("a\"b", "c\\d", "e\nf", "g{h}", "ns", "i\\\n\"j", uint8(3), int64(-1), "k")
	f.Add("", "\xff", "", "state", "state", "", uint8(2), int64(99), "\xf0")
	f.Add("reactor", "", "", "errors", "bytes", "", uint8(5), int64(1), "a\\\"\n")
	f.Add("endpoint", "", "", "since", "ns", "", uint8(2), int64(1)<<62, "")
	f.Add("exporter", "", "", "processes", "", "", uint8(2), int64(1), "")
	f.Fuzz(func(t *testing.T, kind, name, parent, cell, unit, help string, k uint8, n int64, text string) {
		d := stats.Desc{Name: cell, Unit: unit, Help: help, Kind: stats.Kind(k)}
		h := new(stats.Histogram)
		h.Record(n)
		v := stats.Value{Int: n, Histogram: h.Snapshot(), Text: text, Errors: []stats.ErrorRecord{{Text: text, Count: n}, {Text: name, Count: 1}}}
		b, err := bounds(nil)
		require.NoError(t, err)
		s := newScrape(b, 10000, nil)
		for range 2 { // two blocks of the same names, each with the same cell twice
			l := s.block(name, "1", kind, name, parent)
			for range 2 {
				if f := s.of(kind, &d); f != nil {
					s.cell(f, l, kind, &d, &v)
				}
			}
		}
		s.finish(0)
		p := mustParse(t, s.text(false))
		for _, m := range p.samples {
			if process, ok := m.labels["process"]; ok {
				require.Equal(t, strings.ToValidUTF8(name, "\uFFFD"), process)
			}
		}
		open := string(s.text(true))
		require.True(t, strings.HasSuffix(open, "# EOF\n"))
	})
}
