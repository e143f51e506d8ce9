package stats

import (
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"
)

// Errors of counters files.
var (
	// ErrFull says that a counters file may not grow as far as was needed: a cell
	// is on the heap, where other processes do not see it.
	ErrFull = errors.New("stats: counters file is full")
	// ErrCreated says that the process has a counters file: there is one each.
	ErrCreated = errors.New("stats: this process has a counters file already")
	// ErrFormat says that a file is no counters file, or a damaged one.
	ErrFormat = errors.New("stats: not a counters file, or damaged")
	// ErrVersion says that a counters file was written by another version of this
	// package, whose layout is not known here.
	ErrVersion = errors.New("stats: counters file of another version")
	// ErrFreed says that the Block of a cell has gone since Blocks was called.
	ErrFreed = errors.New("stats: the block has gone")
	// ErrNoProcess says that no running process with this PID has a counters file.
	ErrNoProcess = errors.New("stats: no such process with a counters file")
)

// FileConfig says how to make a counters file. The zero value is ready.
type FileConfig struct {
	// Dir is where the file is to be. Default: Dir().
	Dir string
	// Name is shown by those who list processes. Default: the program's name.
	Name string
	// MaxSize bounds the file, in bytes. It grows by pieces of 1 MiB as cells are
	// added; an endpoint of a reactor takes about 22 KiB. From MinFileSize to
	// MaxFileSize; default DefaultFileSize. So much address space is reserved.
	MaxSize int64
}

// Bounds of FileConfig.MaxSize, in bytes.
const (
	MinFileSize     = 64 << 10
	DefaultFileSize = 64 << 20
	MaxFileSize     = 4 << 30
)

// pieceSize is by how much a file grows, in bytes.
const pieceSize = 1 << 20

// File is the counters file of this process: Blocks of it can be read by other
// processes, while this one notices nothing. Create makes it. A nil *File is
// ready, too: its Blocks are on the heap. Any goroutine may use it.
//
// When the file cannot grow, cells go to the heap: they count as ever, and only
// readers outside do not see them. Err says so, and the cell unpublished of the
// process's own Block counts them.
type File struct {
	path    string
	max     int64
	mapped  []byte // max bytes of address space, the first size of them backed
	backing backing

	mu      sync.Mutex
	size    int // of the file
	next    uint64
	free    map[int][]*extent // by size
	live    int               // Blocks
	closed  bool
	failure error // why the first cell went to the heap

	process     *Block
	bytes       *Gauge
	unpublished *Counter
}

// Path is where readers find the file.
func (f *File) Path() string { return f.path }

// Err is nil while all cells could be put into the file, and otherwise why the
// first one was not: it wraps ErrFull where MaxSize is the reason. Any goroutine
// may call it.
func (f *File) Err() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failure
}

// NewBlock returns an empty Block in the file; on the heap when f is nil or
// closed, or cannot grow. kind says what it tells of, ReactorBlock for one;
// parent is the name of the Block that it is part of, "" if none. Names need not
// be unique. Strings longer than 255 bytes are cut for readers.
func (f *File) NewBlock(kind, name, parent string) *Block {
	b := &Block{kind: kind, name: name, parent: parent}
	if f == nil {
		return b
	}
	s := cutAll(kind, name, parent)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return b
	}
	e, err := f.take(pageSize)
	if err != nil {
		f.failed(err)
		return b
	}
	f.next++
	f.live++
	b.file, b.number, b.page, b.extents = f, f.next, e, []*extent{e}
	e.head().block.Store(b.number)
	e.add(recordHead{}, s, 0)
	e.publish()
	return b
}

// place finds room for a cell of b in the file; nil: there is none. b is locked.
func (f *File) place(b *Block, d Desc, size int) unsafe.Pointer {
	s := cutAll(d.Name, d.Unit, d.Help)
	h := recordHead{kind: d.Kind, ordinal: uint32(len(b.cells))}
	f.mu.Lock()
	defer f.mu.Unlock()
	if size <= smallCell && b.page.fits(recordSize(s), size) {
		return b.page.add(h, s, size)
	}
	want := pageSize
	if size > smallCell {
		want = roundUp(extentHeadSize+recordSize(s)+size, Line)
	}
	e, err := f.take(want)
	if err != nil {
		f.failed(err)
		return nil
	}
	if size <= smallCell {
		b.page = e
	}
	b.extents = append(b.extents, e)
	e.head().block.Store(b.number)
	p := e.add(h, s, size)
	e.publish()
	return p
}

// take returns an empty extent of a size, a multiple of Line. f is locked.
func (f *File) take(size int) (*extent, error) {
	if f.closed {
		return nil, errClosedFile
	}
	if list := f.free[size]; len(list) > 0 {
		e := list[len(list)-1]
		f.free[size] = list[:len(list)-1]
		clear(e.mem[extentHeadSize:])
		e.head().records.Store(0)
		e.tail = size
		return e, nil
	}
	head := f.header()
	used := int(head.used.Load())
	if int64(used+size) > f.max {
		return nil, fmt.Errorf("%w: %d bytes are used, %d more were needed, MaxSize is %d", ErrFull, used, size, f.max)
	}
	for used+size > f.size {
		grown := int(min(int64(f.size+pieceSize), f.max))
		if err := f.grow(f.size, grown); err != nil {
			return nil, fmt.Errorf("stats: counters file %s, growing from %d to %d bytes: %w", f.path, f.size, grown, err)
		}
		f.size = grown
		if f.bytes != nil {
			f.bytes.Set(int64(grown))
		}
	}
	e := &extent{mem: f.mapped[used : used+size : used+size], tail: size}
	e.head().size = uint64(size)
	head.used.Store(uint64(used + size))
	return e, nil
}

var errClosedFile = errors.New("stats: counters file is closed")

// failed notes that something goes to the heap. f is locked.
func (f *File) failed(err error) {
	if f.failure == nil {
		f.failure = err
	}
	if f.unpublished != nil {
		f.unpublished.Add(1)
	}
}

// release takes the extents of a Block back.
func (f *File) release(list []*extent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range list {
		e.withdraw()
		f.free[len(e.mem)] = append(f.free[len(e.mem)], e)
	}
	f.live--
	f.retire()
}

func (f *File) header() *fileHeader { return (*fileHeader)(unsafe.Pointer(&f.mapped[0])) }

// begin fills in what a new file begins with.
func (f *File) begin(pid int, name string) {
	h := f.header()
	h.version, h.size, h.pid, h.started = layoutVersion, pageSize, int64(pid), time.Now().UnixNano()
	name = cut(name, maxString)
	h.name[0] = byte(len(name))
	copy(h.name[1:], name)
	h.used.Store(pageSize)
	f.process = f.NewBlock(ProcessBlock, name, "")
	f.bytes = f.process.Gauge("file_size", "bytes", "size of the counters file")
	f.process.Gauge("file_limit", "bytes", "size to which the counters file may grow").Set(f.max)
	f.unpublished = f.process.Counter("unpublished", "cells", "cells and blocks that only the process itself sees, for want of room in the file")
	f.bytes.Set(int64(f.size))
	copy(h.magic[:], fileMagic)
}

func cutAll(a, b, c string) [3]string {
	return [3]string{cut(a, maxString), cut(b, maxString), cut(c, maxString)}
}
