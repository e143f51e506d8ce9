package stats

import (
	"runtime"
	"sync"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestCounterAndGauge(t *testing.T) {
	b := NewBlock("reactor-0")
	require.Equal(t, "reactor-0", b.Name())
	c, g := b.Counter("reads", "calls", "network reads"), b.Gauge("queue", "bytes", "bytes queued")
	c.Add(2)
	c.Add(3)
	require.EqualValues(t, 5, c.Value())
	c.Store(40)
	c.Add(2)
	require.EqualValues(t, 42, c.Value())
	g.Set(7)
	g.Add(-9)
	require.EqualValues(t, -2, g.Value())

	var alone Counter
	alone.Add(1)
	require.EqualValues(t, 1, alone.Value(), "the zero value is ready")
}

func TestEach(t *testing.T) {
	b := NewBlock("reactor-0")
	b.Counter("reads", "calls", "network reads").Add(3)
	b.Gauge("queue", "bytes", "bytes queued").Set(-4)
	b.Histogram("delay", "ns", "from read to handler").Record(100)

	var descs []Desc
	var values []Value
	b.Each(func(d Desc, v Value) { descs, values = append(descs, d), append(values, v) })
	require.Equal(t, []Desc{
		{"reactor-0", "reads", "calls", "network reads", KindCounter},
		{"reactor-0", "queue", "bytes", "bytes queued", KindGauge},
		{"reactor-0", "delay", "ns", "from read to handler", KindHistogram},
	}, descs)
	require.Equal(t, []Value{{Int: 3}, {Int: -4}}, values[:2])
	require.EqualValues(t, 1, values[2].Histogram.Count())
	require.EqualValues(t, 100, values[2].Histogram.Max())
}

func TestEachMayAddCells(t *testing.T) {
	b := NewBlock("b")
	b.Counter("one", "", "")
	calls := 0
	b.Each(func(Desc, Value) { calls++; b.Counter("two", "", "") })
	require.Equal(t, 1, calls)
}

func TestNames(t *testing.T) {
	b := NewBlock("b")
	b.Counter("x", "", "")
	require.PanicsWithValue(t, `stats: block "b" has two cells named "x"`, func() { b.Gauge("x", "", "") })
	require.PanicsWithValue(t, `stats: a cell of block "b" has no name`, func() { b.Histogram("", "", "") })
	b.Counter("y", "", "") // still usable
	NewBlock("b").Counter("x", "", "")
}

func TestKindString(t *testing.T) {
	for k, want := range map[Kind]string{
		KindCounter: "counter", KindGauge: "gauge", KindHistogram: "histogram", 9: "kind 9",
	} {
		require.Equal(t, want, k.String())
	}
}

// Cells of different Blocks never share a Line, and no cells overlap.
func TestMemory(t *testing.T) {
	owner := make(map[uintptr]int) // line → Block
	used := make(map[uintptr]bool) // word
	blocks := make([]*Block, 8)
	defer runtime.KeepAlive(blocks) // a collection would give the memory of one to the next
	for i := range blocks {
		b := NewBlock("b")
		blocks[i] = b
		claim := func(p unsafe.Pointer, size uintptr) {
			for at := uintptr(p); at < uintptr(p)+size; at += wordSize {
				require.False(t, used[at])
				used[at] = true
				if was, ok := owner[at/Line]; ok {
					require.Equal(t, was, i)
				}
				owner[at/Line] = i
			}
		}
		for n := range 20 + i {
			c := b.Counter(string(rune('a'+n)), "", "")
			claim(unsafe.Pointer(c), unsafe.Sizeof(*c))
			if n == 3 {
				h := b.Histogram("hist", "", "")
				claim(unsafe.Pointer(h), unsafe.Sizeof(*h))
			}
		}
	}
}

func TestLines(t *testing.T) {
	for n := 1; n < 70; n++ {
		mem := lines(n)
		require.GreaterOrEqual(t, len(mem), n)
		require.Zero(t, len(mem)%lineWords)
		require.Zero(t, uintptr(unsafe.Pointer(&mem[0]))%Line)
	}
}

// One writer, many readers: run under -race.
func TestReadersWhileWriting(t *testing.T) {
	const writes = 20_000
	b := NewBlock("b")
	c, g, h := b.Counter("c", "", ""), b.Gauge("g", "", ""), b.Histogram("h", "ns", "")
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			var last, lastCount int64
			for {
				b.Each(func(d Desc, v Value) {
					switch d.Kind {
					case KindCounter:
						if v.Int < last {
							t.Errorf("counter went back from %d to %d", last, v.Int)
						}
						last = v.Int
					case KindHistogram:
						s := v.Histogram
						if s.Count() < lastCount {
							t.Errorf("histogram went back from %d to %d", lastCount, s.Count())
						}
						lastCount = s.Count()
						if m := s.ValueAtQuantile(0.5); m < s.Min() || m > s.Max() {
							t.Errorf("median %d is not in %d to %d", m, s.Min(), s.Max())
						}
					}
				})
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range int64(writes) {
		c.Add(1)
		g.Set(-i)
		h.Record(writes + i*37)
		if i == writes/2 {
			b.Gauge("late", "", "")
		}
	}
	close(done)
	readers.Wait()
	require.EqualValues(t, writes, c.Value())
	require.EqualValues(t, writes, h.Snapshot().Count())
}

func TestNoAllocation(t *testing.T) {
	b := NewBlock("b")
	c, g, h := b.Counter("c", "", ""), b.Gauge("g", "", ""), b.Histogram("h", "ns", "")
	s, other := new(Snapshot), new(Snapshot)
	for name, f := range map[string]func(){
		"counter":   func() { c.Add(1); c.Store(c.Value()) },
		"gauge":     func() { g.Set(1); g.Add(g.Value()) },
		"record":    func() { h.Record(12345) },
		"read":      func() { h.ReadInto(s) },
		"quantiles": func() { s.ValueAtQuantile(0.99); s.Mean(); s.Merge(other); s.Sub(other) },
	} {
		require.Zero(t, testing.AllocsPerRun(100, f), name)
	}
}
