package stats

import (
	"fmt"
	"sync"
	"unsafe"
)

// Line is the alignment of a Block's memory in bytes: a pair of cache lines.
const Line = 128

// Kind is the kind of a cell.
type Kind uint8

// The kinds of cells.
const (
	KindCounter Kind = iota + 1
	KindGauge
	KindHistogram
)

func (k Kind) String() string {
	switch k {
	case KindCounter:
		return "counter"
	case KindGauge:
		return "gauge"
	case KindHistogram:
		return "histogram"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Desc says what a cell counts.
type Desc struct {
	Block string // name of the Block
	Name  string // unique inside the Block
	Unit  string // of its values, "ns", "bytes"
	Help  string // one sentence
	Kind  Kind
}

// Value is what a cell held when it was read.
type Value struct {
	Int       int64     // of a counter or gauge
	Histogram *Snapshot // of a histogram, else nil
}

// Block is a named group of cells with one owner, see the package comment. Any
// goroutine may add cells to it and read it.
type Block struct {
	name string

	mu    sync.Mutex
	cells []cell
	free  []int64 // what is left of the youngest piece of memory
}

type cell struct {
	desc Desc
	read func() Value
}

// NewBlock returns an empty Block. Names of Blocks need not be unique.
func NewBlock(name string) *Block { return &Block{name: name} }

// Name returns the Block's name.
func (b *Block) Name() string { return b.name }

// Counter adds a counter that stands at 0. Making a cell allocates and takes a
// lock: do it at set-up. It panics when name is empty or taken in this Block.
func (b *Block) Counter(name, unit, help string) *Counter {
	return add(b, Desc{Name: name, Unit: unit, Help: help, Kind: KindCounter},
		func(c *Counter) Value { return Value{Int: c.Value()} })
}

// Gauge adds a gauge that stands at 0, as Counter does.
func (b *Block) Gauge(name, unit, help string) *Gauge {
	return add(b, Desc{Name: name, Unit: unit, Help: help, Kind: KindGauge},
		func(g *Gauge) Value { return Value{Int: g.Value()} })
}

// Histogram adds an empty histogram of about 18 KiB, as Counter does.
func (b *Block) Histogram(name, unit, help string) *Histogram {
	return add(b, Desc{Name: name, Unit: unit, Help: help, Kind: KindHistogram},
		func(h *Histogram) Value { return Value{Histogram: h.Snapshot()} })
}

// Each calls do with every cell in the order in which they were made, read at
// that moment. Any goroutine may call it; it allocates. do may add cells to the
// Block; it is not called with those.
func (b *Block) Each(do func(Desc, Value)) {
	b.mu.Lock()
	cells := b.cells // only ever appended to
	b.mu.Unlock()
	for _, c := range cells {
		do(c.desc, c.read())
	}
}

// add lays a new cell of type T, which is words and nothing else, into b's memory.
func add[T Counter | Gauge | Histogram](b *Block, d Desc, read func(*T) Value) *T {
	b.mu.Lock()
	defer b.mu.Unlock()
	if d.Name == "" {
		panic(fmt.Sprintf("stats: a cell of block %q has no name", b.name))
	}
	for _, c := range b.cells {
		if c.desc.Name == d.Name {
			panic(fmt.Sprintf("stats: block %q has two cells named %q", b.name, d.Name))
		}
	}
	d.Block = b.name
	words := int(unsafe.Sizeof(*new(T)) / wordSize)
	if len(b.free) < words {
		b.free = lines(words)
	}
	t := (*T)(unsafe.Pointer(&b.free[0]))
	b.free = b.free[words:]
	b.cells = append(b.cells, cell{d, func() Value { return read(t) }})
	return t
}

const (
	wordSize  = 8
	lineWords = Line / wordSize
)

// lines returns zeroed memory for at least n words that begins and ends on a Line.
func lines(n int) []int64 {
	n = (n + lineWords - 1) / lineWords * lineWords
	mem := make([]int64, n+lineWords-1)
	skip := int(-uintptr(unsafe.Pointer(&mem[0])) % Line / wordSize)
	return mem[skip : skip+n : skip+n]
}
