package pcapng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// MaxBlock is how long a block may be in bytes, if SetMaxBlock says nothing:
	// 16 MiB, as in Wireshark and libpcap.
	MaxBlock = 16 << 20
	// MaxOptions is how many options, or name records, a block may have.
	MaxOptions = 1 << 16
	// MaxInterfaces is how many interfaces a section may have.
	MaxInterfaces = 1 << 16
)

// readSize is how much is read at a time.
const readSize = 256 << 10

// Reader reads the blocks of a capture. One goroutine at a time.
type Reader struct {
	src   io.Reader
	atEnd error // what src returned at its end

	buf      []byte
	from, to int   // buf[from:to] is not yet read
	offset   int64 // of buf[from] in the input
	whole    int64
	err      error // Next returns it from now on

	maxBlock int
	order    order
	classic  *classic // nil: pcapng
	skipping bool     // until the next section: this one's version is not known

	interfaces       []*Interface
	interfaceBytes   int // of their blocks together
	interfaceOptions int

	// What Block points to.
	section Section
	packet  Packet
	names   Names
	stats   Stats
	secrets Secrets
	custom  CustomBlock
	unknown Unknown
	options []Option
	records []NameRecord
	dropped [8]byte // the value of an option that a packet block has as a field
}

// NewReader returns a reader of pcapng or of classic pcap, of microseconds or
// nanoseconds, in either byte order: the first bytes of r tell. Other input is an
// [*Error] of [ErrFormat], one that ends before it can be told is one of
// [ErrTruncated]. It reads ahead, 256 KiB at a time. What is compressed must be
// decompressed by r.
func NewReader(r io.Reader) (*Reader, error) {
	rd := &Reader{src: r, buf: make([]byte, readSize), maxBlock: MaxBlock}
	if err := rd.detect(); err != nil {
		return nil, err
	}
	return rd, nil
}

// SetMaxBlock sets how long a block may be in bytes, instead of [MaxBlock], between
// 4096 and 1 GiB; what is outside of that is taken as the nearest. It is said before
// the first Next.
func (r *Reader) SetMaxBlock(n int) { r.maxBlock = min(max(n, 4096), 1<<30) }

// Whole is where the last whole block ends that Next has returned, in bytes from
// the begin of the input. After ErrTruncated a file cut here is whole.
func (r *Reader) Whole() int64 { return r.whole }

// Format names the format: "pcapng", "pcap" or "pcap (nanoseconds)".
func (r *Reader) Format() string {
	switch {
	case r.classic == nil:
		return "pcapng"
	case r.classic.unit == 1:
		return "pcap (nanoseconds)"
	}
	return "pcap"
}

// Interface returns the interface of that number in the section that is being
// read. It is valid as long as the section, longer than the block that brought it,
// and must not be changed.
func (r *Reader) Interface(n uint32) (*Interface, bool) {
	if uint64(n) >= uint64(len(r.interfaces)) {
		return nil, false
	}
	return r.interfaces[n], true
}

// Next returns the next block. A classic pcap gives its header as a block of
// KindInterface, then packets; it has no section. At the end of the input, where a
// block ends, it is io.EOF; everything else is an [*Error]. After ErrBlock and
// ErrVersion Next may be called again and goes on behind what was wrong; after any
// other error it returns the same again. It does not allocate, but for interfaces,
// and when a block is longer than those before.
func (r *Reader) Next() (Block, error) {
	for {
		if r.err != nil {
			return Block{}, r.err
		}
		b, err := r.next()
		if err == nil && b.Kind == 0 { // of a section that is passed over
			continue
		}
		if err != nil {
			if !passable(err) {
				r.err = err
			}
			return Block{}, err
		}
		return b, nil
	}
}

func (r *Reader) next() (Block, error) {
	if r.classic != nil {
		return r.nextClassic()
	}
	size, err := r.frame()
	if err != nil {
		return Block{}, err
	}
	b := Block{Type: r.order.uint32(r.buf[r.from:]), Offset: r.offset, Size: int64(size)}
	body := r.buf[r.from+headerSize : r.from+size-4 : r.from+size-4]
	r.consume(size)
	if r.skipping && b.Type != TypeSection {
		r.whole = r.offset
		return Block{}, nil
	}
	if err := r.parse(&b, body); err != nil {
		return Block{}, err
	}
	r.whole = r.offset
	return b, nil
}

// frame reads until the next block lies in the buffer as a whole and returns how
// long it is. It checks both lengths, and in a section header the byte order,
// which is the one that the lengths have.
func (r *Reader) frame() (size int, err error) {
	if ok, err := r.fill(headerSize); err != nil || !ok {
		return 0, r.ended(err, headerSize, "the header of a block")
	}
	if binary.LittleEndian.Uint32(r.buf[r.from:]) == TypeSection { // a palindrome
		if ok, err := r.fill(minBlock); err != nil || !ok {
			return 0, r.ended(err, minBlock, "a section header up to its byte order")
		}
		switch magic := binary.LittleEndian.Uint32(r.buf[r.from+8:]); magic {
		case byteOrderMagic:
			r.order = littleEndian
		case 0x4D3C2B1A:
			r.order = bigEndian
		default:
			return 0, r.fail(ErrLength, "a section header with the byte-order magic %#08x, not 0x1a2b3c4d in either order, so that its length cannot be read", magic)
		}
	}
	typ, long := r.order.uint32(r.buf[r.from:]), r.order.uint32(r.buf[r.from+4:])
	switch {
	case typ == 0 && long == 0:
		return 0, r.zeros(0)
	case long < minBlock:
		return 0, r.fail(ErrLength, "%s: length %d, at least %d", typeName(typ), long, minBlock)
	case long%4 != 0:
		return 0, r.fail(ErrLength, "%s: length %d is not a multiple of 4", typeName(typ), long)
	case uint64(long) > uint64(r.maxBlock):
		return 0, r.fail(ErrLimit, "%s: length %d, at most %d are read", typeName(typ), long, r.maxBlock)
	}
	size = int(long)
	if ok, err := r.fill(size); err != nil || !ok {
		return 0, r.ended(err, size, typeName(typ))
	}
	if again := r.order.uint32(r.buf[r.from+size-4:]); again == 0 {
		return 0, r.zeros(size)
	} else if again != long {
		return 0, r.fail(ErrLength, "%s: length %d at its begin and %d at its end", typeName(typ), long, again)
	}
	return size, nil
}

// fill reads until n bytes lie in the buffer; ok is false when the input has ended
// before. The buffer grows with what has come, not with what was promised.
func (r *Reader) fill(n int) (ok bool, err error) {
	for empty := 0; r.to-r.from < n; {
		if r.atEnd != nil {
			if errors.Is(r.atEnd, io.EOF) || errors.Is(r.atEnd, io.ErrUnexpectedEOF) {
				return false, nil
			}
			return false, r.atEnd
		}
		switch {
		case r.from > 0 && (r.to == len(r.buf) || len(r.buf)-r.from < n):
			copy(r.buf, r.buf[r.from:r.to])
			r.from, r.to = 0, r.to-r.from
		case r.to == len(r.buf):
			r.buf = append(r.buf, make([]byte, min(len(r.buf), r.maxBlock+readSize-len(r.buf)))...)
		}
		m, err := r.src.Read(r.buf[r.to:])
		r.to += m
		r.atEnd = err
		if m > 0 || err != nil {
			empty = 0
		} else if empty++; empty == 100 {
			r.atEnd = io.ErrNoProgress
		}
	}
	return true, nil
}

func (r *Reader) consume(n int) {
	r.from += n
	r.offset += int64(n)
}

// ended is the error of a fill that has not got its want bytes of what.
func (r *Reader) ended(err error, want int, what string) error {
	have := r.to - r.from
	switch {
	case err != nil:
		return r.fail(fmt.Errorf("pcapng: reading: %w", err), "%s", what)
	case have == 0 && errors.Is(r.atEnd, io.ErrUnexpectedEOF):
		return r.fail(ErrTruncated, "the input broke off between two blocks")
	case have == 0:
		return io.EOF
	}
	return r.fail(ErrTruncated, "%s: the input ends after %d of %d bytes", what, have, want)
}

// zeros is the error of an input that goes on with zeros, in place of a block or
// from the inside of one, which has torn bytes. When there is nothing else up to its
// end it is the tail of a file that had grown and was not written, as after a power
// failure. It reads all the rest.
func (r *Reader) zeros(torn int) error {
	r.from += torn
	for n := int64(0); ; {
		for _, c := range r.buf[r.from:r.to] {
			if c != 0 {
				return r.fail(ErrLength, "%s%d zero bytes, and then something else", ofTorn(torn), n)
			}
			n++
		}
		r.from, r.to = 0, 0
		if ok, err := r.fill(1); err != nil {
			return r.ended(err, 1, "zero bytes")
		} else if !ok {
			return r.fail(ErrTruncated, "%szero bytes up to the end, %d of them, as a power failure leaves", ofTorn(torn), n)
		}
	}
}

func ofTorn(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("a block of %d bytes that ends in zeros, and behind it ", n)
}

// fail is an error of the block that begins at the reader's offset.
func (r *Reader) fail(err error, format string, args ...any) error {
	return &Error{Err: err, Offset: r.offset, Whole: r.whole, Detail: fmt.Sprintf(format, args...)}
}

// detect finds out what the input is.
func (r *Reader) detect() error {
	ok, err := r.fill(minBlock)
	if err != nil {
		return r.ended(err, minBlock, "the first bytes")
	}
	head := r.buf[r.from:min(r.to, minBlock)]
	if len(head) == 0 {
		return r.fail(ErrTruncated, "the input is empty")
	}
	if len(head) >= 4 && binary.LittleEndian.Uint32(head) == TypeSection {
		if !ok {
			return r.fail(ErrTruncated, "a section header: the input ends after %d bytes", len(head))
		}
		if magic := binary.LittleEndian.Uint32(head[8:]); magic != byteOrderMagic && magic != 0x4D3C2B1A {
			return r.fail(ErrFormat, "it begins with % x, a section header of pcapng without its byte-order magic", head)
		}
		return nil
	}
	if c := classicOf(head); c != nil {
		r.classic = c
		return r.classicHeader()
	}
	if !ok && len(head) < 4 {
		return r.fail(ErrTruncated, "the input ends after %d bytes (% x)", len(head), head)
	}
	return r.fail(ErrFormat, "it begins with % x%s", head, hint(head))
}

// hint says what the first bytes may be instead.
func hint(head []byte) string {
	if len(head) < 4 {
		return ""
	}
	switch magic := binary.LittleEndian.Uint32(head); {
	case magic == 0xFD2FB528:
		return ": compressed by zstd, decompress it first"
	case magic&0xFFFF == 0x8B1F:
		return ": compressed by gzip, decompress it first"
	case magic == 0xA1B2CD34, magic == 0x34CDB2A1:
		return ": Kuznetzov's variant of pcap, which is not read; editcap converts it"
	case magic == 0x0D0D0A0D, magic&0xFFFFFF == 0x0A0D0A:
		return ": maybe pcapng, damaged by a transfer as text"
	}
	return ""
}
