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
	KindText
	KindErrors
)

func (k Kind) String() string {
	switch k {
	case KindCounter:
		return "counter"
	case KindGauge:
		return "gauge"
	case KindHistogram:
		return "histogram"
	case KindText:
		return "text"
	case KindErrors:
		return "errors"
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
	Int       int64         // of a counter or gauge; of an error log the number forgotten
	Histogram *Snapshot     // of a histogram, else nil
	Text      string        // of a text
	Errors    []ErrorRecord // of an error log, the one seen last first
}

// The kinds of Blocks that the reactor makes. Others may be used.
const (
	ProcessBlock  = "process"
	ReactorBlock  = "reactor"
	EndpointBlock = "endpoint"
	RingBlock     = "ring"
)

// Block is a named group of cells with one owner, see the package comment. Any
// goroutine may add cells to it and read it.
type Block struct {
	kind, name, parent string

	mu    sync.Mutex
	cells []cell
	free  []int64 // what is left of the youngest piece of memory on the heap

	// Of a Block in a file.
	file    *File // nil: on the heap
	number  uint64
	extents []*extent
	page    *extent // that takes small cells
}

type cell struct {
	desc Desc
	read func() Value
}

// NewBlock returns an empty Block on the heap. Names of Blocks need not be
// unique. See File.NewBlock for one that other processes read.
func NewBlock(name string) *Block { return &Block{name: name} }

// Name returns the Block's name.
func (b *Block) Name() string { return b.name }

// Kind returns what the Block tells of, one of ReactorBlock and so on; "" for one
// of NewBlock.
func (b *Block) Kind() string { return b.kind }

// Parent returns the name of the Block that this one is part of, "" if none.
func (b *Block) Parent() string { return b.parent }

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

// Text adds an empty text, as Counter does.
func (b *Block) Text(name, help string) *Text {
	return add(b, Desc{Name: name, Help: help, Kind: KindText},
		func(t *Text) Value { return Value{Text: t.Value()} })
}

// Errors adds an empty error log of about 11 KiB, as Counter does.
func (b *Block) Errors(name, help string) *Errors {
	return add(b, Desc{Name: name, Unit: "errors", Help: help, Kind: KindErrors},
		func(e *Errors) Value { return Value{Int: e.Forgotten(), Errors: e.Records()} })
}

// Each calls do with every cell in the order in which they were made, read at
// that moment. Any goroutine may call it; it allocates. do may add cells to the
// Block; it is not called with those.
func (b *Block) Each(do func(Desc, Value)) {
	b.mu.Lock()
	n := len(b.cells) // only ever appended to
	b.mu.Unlock()
	for i := range n {
		b.mu.Lock() // Free must not pull the memory away meanwhile
		d, v := b.cells[i].desc, b.cells[i].read()
		b.mu.Unlock()
		do(d, v)
	}
}

// Free gives the memory of a Block in a File back: readers see it vanish, other
// Blocks take its place. Nobody may write its cells, or read them but by Each,
// from the call on. Each goes on to show what they held. A Block on the heap needs
// no Free; it does nothing there. Any goroutine may call it, and twice.
func (b *Block) Free() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.file == nil {
		return
	}
	for i := range b.cells {
		last := b.cells[i].read()
		b.cells[i].read = func() Value { return last }
	}
	b.file.release(b.extents)
	b.file, b.extents, b.page = nil, nil, nil
}

// add lays a new cell of type T, which is words and nothing else, into b's memory.
func add[T Counter | Gauge | Histogram | Text | Errors](b *Block, d Desc, read func(*T) Value) *T {
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
	var t *T
	size := int(unsafe.Sizeof(*t))
	if b.file != nil {
		t = (*T)(b.file.place(b, d, size))
	}
	if t == nil {
		t = (*T)(b.onHeap(size))
	}
	b.cells = append(b.cells, cell{d, func() Value { return read(t) }})
	return t
}

// onHeap returns zeroed memory of the Block's own.
func (b *Block) onHeap(size int) unsafe.Pointer {
	words := size / wordSize
	if len(b.free) < words {
		b.free = lines(words)
	}
	p := unsafe.Pointer(&b.free[0])
	b.free = b.free[words:]
	return p
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
