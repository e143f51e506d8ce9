package stats

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"
)

// maxExtents bounds how long a reader looks at a file that makes no sense.
const maxExtents = 1 << 20

// View reads the counters file of another process, or of this one. It trusts
// nothing that it finds there. One goroutine at a time uses it.
type View struct {
	path   string
	source source
	mapped []byte
	bad    error // the file broke a rule; nothing more is read
}

// BlockView is a Block in another process.
type BlockView struct {
	Kind, Name, Parent string
	ID                 uint64     // no other Block of this file has or gets it
	Cells              []CellView // in the order in which they were made
}

// CellView is a cell in another process. It may be copied.
type CellView struct {
	view   *View
	desc   Desc
	extent int
	stamp  uint64
	at     int
}

// Desc says what the cell counts.
func (c *CellView) Desc() Desc { return c.desc }

// Read puts what the cell holds into v. It reuses v.Histogram and v.Errors, which
// saves an allocation of 18 KiB each time. ErrFreed: the cell is no longer there.
func (c *CellView) Read(v *Value) error {
	return c.view.look(func() error {
		head := c.view.extentAt(c.extent)
		if head.stamp.Load() != c.stamp {
			return ErrFreed
		}
		read(c.desc.Kind, unsafe.Pointer(&c.view.mapped[c.extent+c.at]), v)
		if head.stamp.Load() != c.stamp {
			return ErrFreed
		}
		return nil
	})
}

// read reads the cell at p.
func read(kind Kind, p unsafe.Pointer, v *Value) {
	h, list := v.Histogram, v.Errors[:0]
	*v = Value{}
	switch kind {
	case KindCounter:
		v.Int = (*Counter)(p).Value()
	case KindGauge:
		v.Int = (*Gauge)(p).Value()
	case KindHistogram:
		if h == nil {
			h = new(Snapshot)
		}
		v.Histogram = h
		(*Histogram)(p).ReadInto(h)
	case KindText:
		v.Text = (*Text)(p).Value()
	case KindErrors:
		e := (*Errors)(p)
		v.Int, v.Errors = e.Forgotten(), e.AppendRecords(list)
	}
}

// Blocks returns the Blocks that are in the file now, in the order in which they
// were made. It allocates: once a second is often enough, the cells' values are
// had by Read.
func (v *View) Blocks() (list []BlockView, err error) {
	found := make(map[uint64]*blockParts)
	err = v.look(func() error {
		used := v.header().used.Load()
		if err := v.cover(used); err != nil {
			return err
		}
		extents := 0
		for at := uint64(pageSize); at < used; {
			size, err := v.readExtent(int(at), used, found)
			if err != nil {
				return err
			}
			if extents++; extents > maxExtents {
				return fmt.Errorf("%w: %s: more than %d extents", ErrFormat, v.path, maxExtents)
			}
			at += size
		}
		return nil
	})
	if err != nil {
		v.bad = err
		return nil, err
	}
	var numbers []uint64
	for n, b := range found {
		if b.named {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		found[n].block.ID = n
		list = append(list, found[n].view())
	}
	return list, nil
}

// blockParts is a Block whose extents are being read.
type blockParts struct {
	named bool
	block BlockView
	cells []numberedCell
}

type numberedCell struct {
	ordinal uint32
	cell    CellView
}

func (b *blockParts) view() BlockView {
	slices.SortStableFunc(b.cells, func(x, y numberedCell) int { return cmp.Compare(x.ordinal, y.ordinal) })
	for _, c := range b.cells {
		c.cell.desc.Block = b.block.Name
		b.block.Cells = append(b.block.Cells, c.cell)
	}
	return b.block
}

// readExtent reads the extent at an offset and returns its size.
func (v *View) readExtent(at int, used uint64, found map[uint64]*blockParts) (size uint64, err error) {
	head := v.extentAt(at)
	stamp := head.stamp.Load()
	size = head.size
	if size < Line || size%Line != 0 || size > used-uint64(at) {
		return 0, fmt.Errorf("%w: %s: the extent at %d has %d bytes, %d are used", ErrFormat, v.path, at, size, used)
	}
	if stamp&1 == 0 {
		return size, nil
	}
	number, length := head.block.Load(), head.records.Load()
	if length%wordSize != 0 || length > size-uint64(extentHeadSize) {
		if head.stamp.Load() != stamp {
			return size, nil
		}
		return 0, fmt.Errorf("%w: %s: the extent at %d has %d bytes of records, its size is %d", ErrFormat, v.path, at, length, size)
	}
	records := loadWords(v.mapped[at+extentHeadSize:][:length])
	if head.stamp.Load() != stamp {
		return size, nil // it was freed meanwhile
	}
	b := found[number]
	if b == nil {
		b = new(blockParts)
		found[number] = b
	}
	if !v.readRecords(records, CellView{view: v, extent: at, stamp: stamp}, int(size), b) {
		return 0, fmt.Errorf("%w: %s: the extent at %d has records that cannot be", ErrFormat, v.path, at)
	}
	return size, nil
}

// readRecords reads what the cells of an extent are. It reports whether that can be.
func (v *View) readRecords(records []byte, like CellView, size int, b *blockParts) bool {
	behind := extentHeadSize + len(records)
	for len(records) > 0 {
		if len(records) < recordHeadSize {
			return false
		}
		var h recordHead
		copy(bytesOf(&h), records)
		var s [3]string
		length := recordHeadSize
		for i, n := range h.strings {
			if length+int(n) > len(records) {
				return false
			}
			s[i] = printable(string(records[length:][:n]))
			length += int(n)
		}
		length = roundUp(length, wordSize)
		if length > len(records) {
			return false
		}
		records = records[length:]
		want := cellSize(h.kind)
		switch {
		case h.kind == 0:
			b.named, b.block.Kind, b.block.Name, b.block.Parent = true, s[0], s[1], s[2]
		case want == 0: // of a kind that is not known here
		case int64(h.size) != int64(want) || h.at%wordSize != 0 || int64(h.at) < int64(behind) || int64(h.at)+int64(want) > int64(size):
			return false
		default:
			c := like
			c.at = int(h.at)
			c.desc = Desc{Name: s[0], Unit: s[1], Help: s[2], Kind: h.kind}
			b.cells = append(b.cells, numberedCell{h.ordinal, c})
		}
	}
	return true
}

// Process tells whose file it is, and whether that process lives.
func (v *View) Process() (p Process, err error) {
	err = v.look(func() error {
		p.Path = v.path
		v.header().describe(&p)
		p.Stale = v.source.stale()
		return nil
	})
	return p, err
}

func (v *View) header() *fileHeader { return (*fileHeader)(unsafe.Pointer(&v.mapped[0])) }

func (v *View) extentAt(at int) *extentHead { return (*extentHead)(unsafe.Pointer(&v.mapped[at])) }

// look calls f, which looks into the mapping. A file that is made shorter
// meanwhile is an error, where it would otherwise end the process by SIGBUS.
func (v *View) look(f func() error) (err error) {
	switch {
	case v.bad != nil:
		return v.bad
	case v.mapped == nil:
		return errDetached
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		fault, ok := r.(interface{ Addr() uintptr })
		if start := uintptr(unsafe.Pointer(&v.mapped[0])); !ok || fault.Addr() < start || fault.Addr() >= start+uintptr(len(v.mapped)) {
			panic(r)
		}
		v.bad = fmt.Errorf("%w: %s was made shorter than its %d bytes", ErrFormat, v.path, len(v.mapped))
		err = v.bad
	}()
	return f()
}

var errDetached = errors.New("stats: the view is closed")

// check says what is wrong with a header of which n bytes could be read, of a file
// of so many bytes.
func (h *fileHeader) check(path string, n int, size int64) error {
	switch {
	case n < int(unsafe.Sizeof(*h)) || string(h.magic[:]) != fileMagic:
		return fmt.Errorf("%w: %s", ErrFormat, path)
	case h.version != layoutVersion:
		return fmt.Errorf("%w: %s has version %d, this program reads %d", ErrVersion, path, h.version, layoutVersion)
	case h.size != pageSize || size < pageSize || h.used.Load() < pageSize || h.used.Load() > uint64(size):
		return fmt.Errorf("%w: %s: %d bytes in use, the file has %d", ErrFormat, path, h.used.Load(), size)
	}
	return nil
}

func (h *fileHeader) describe(p *Process) {
	p.PID = int(h.pid)
	p.Started = time.Unix(0, h.started)
	n := min(int(h.name[0]), maxString)
	p.Name = printable(string(h.name[1:][:n]))
}

// loadWords copies memory that somebody may be writing: whole words, and in order,
// so that a look at the stamp behind it is behind it.
func loadWords(mem []byte) []byte {
	words := make([]uint64, len(mem)/wordSize)
	for i := range words {
		words[i] = atomic.LoadUint64((*uint64)(unsafe.Pointer(&mem[i*wordSize])))
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(mem))
}

// bytesOf is the memory of t.
func bytesOf[T any](t *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(t)), unsafe.Sizeof(*t))
}
