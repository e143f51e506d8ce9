package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// Reader reads the records of a recording, file after file. It is a tape.Source. One
// goroutine at a time.
type Reader struct {
	file    *File
	lenient bool
	part    int // of file.info.Files: the next one
	path    string
	in      *input
	blocks  *pcapng.Reader
	err     error // Next returns it from now on

	offset   int64           // of the block
	options  []pcapng.Option // of a packet, that are left
	load     []byte          // what the packet carries
	time     int64           // of the packet
	entries  []byte          // of a batch, that are left
	count    uint32
	distance int64

	dataSeq uint64 // the record whose data are gathered, if there are any
	data    []byte
	secrets map[uint64][]byte
	kept    int // bytes of secrets

	rec       tape.Record
	wall      int64
	last      uint64
	truncated error
}

// maxSecrets bounds the secrets whose records have not come yet, in bytes.
const maxSecrets = 16 << 20

// Read begins to read. Several readers may be open at a time; each holds one file
// open.
func (f *File) Read() (*Reader, error) {
	r := &Reader{file: f, lenient: f.lenient}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

// Next implements tape.Source: the next record, in the order in which things
// happened, as it was recorded. It is the caller's until the next call. After the
// last it is io.EOF; everything else but errors of the system is an *Error of
// ErrTruncated or ErrCorrupt, and is returned again from then on.
func (r *Reader) Next() (*tape.Record, error) {
	for r.err == nil {
		ok, err := r.next()
		if err != nil {
			r.err = err
			break
		}
		if ok {
			return &r.rec, nil
		}
	}
	return nil, r.err
}

// Wall is the wall's time of the record that Next has returned.
func (r *Reader) Wall() time.Time { return time.Unix(0, r.wall) }

// Path is the file that is being read, Offset where in it the block is from which
// the last record came, in bytes of what the file holds when it is decompressed.
func (r *Reader) Path() string { return r.path }

// Offset: see Path.
func (r *Reader) Offset() int64 { return r.offset }

// Truncated is the error that a lenient reader has passed over; nil: none.
func (r *Reader) Truncated() error { return r.truncated }

// Close implements tape.Source.
func (r *Reader) Close() error {
	if r.err == nil {
		r.err = fmt.Errorf("capture: the reader is closed")
	}
	if r.in == nil {
		return nil
	}
	err := r.in.Close()
	r.in = nil
	return err
}

// open opens the next file; io.EOF: there is none.
func (r *Reader) open() error {
	if r.in != nil {
		_ = r.in.Close() // was only read
		r.in = nil
	}
	if r.part == len(r.file.info.Files) {
		return io.EOF
	}
	r.path = r.file.info.Files[r.part].Path
	r.part++
	in, err := openInput(r.path)
	if err != nil {
		return err
	}
	blocks, err := pcapng.NewReader(in)
	if err != nil {
		_ = in.Close() // was only read
		return wrongAt(r.path, err)
	}
	r.in, r.blocks = in, blocks
	return nil
}

// next reads an entry or a block; ok: r.rec is a record.
func (r *Reader) next() (ok bool, err error) {
	if r.count > 0 {
		return r.entry()
	}
	if len(r.options) > 0 {
		if ok, err = r.option(); err != nil {
			err = corrupt(r.path, r.offset, err)
		}
		return ok, err
	}
	b, err := r.blocks.Next()
	if err != nil {
		return false, r.ended(err)
	}
	r.offset = b.Offset
	ok, err = r.block(&b)
	if err != nil {
		err = corrupt(r.path, b.Offset, err)
	}
	return ok, err
}

// ended goes on behind the end of a file.
func (r *Reader) ended(err error) error {
	if !errors.Is(err, io.EOF) {
		err = wrongAt(r.path, err)
	} else if err = nil; len(r.data) > 0 {
		err = &Error{Err: ErrTruncated, Path: r.path, Offset: r.offset, Detail: fmt.Sprintf("record %d has no end", r.dataSeq)}
	}
	if r.lenient && errors.Is(err, ErrTruncated) {
		r.truncated, err = err, nil
	}
	r.data = r.data[:0]
	if err != nil {
		return err
	}
	return r.open()
}

// block reads a block.
func (r *Reader) block(b *pcapng.Block) (ok bool, err error) {
	switch b.Kind {
	case pcapng.KindPacket:
		r.options, r.load, r.time = b.Packet.Options, b.Packet.Data, b.Packet.Time
		return false, nil
	case pcapng.KindSecrets:
		return false, r.keep(b.Secrets)
	case pcapng.KindCustom:
		kind, rest, mine, err := customPrefix(b.Custom)
		if err != nil || !mine {
			return false, err
		}
		switch kind {
		case blockPart:
			h, err := parsePart(rest)
			if err == nil && h.Recording != r.file.info.Recording {
				err = fmt.Errorf("here begins another recording, %q", h.Recording)
			}
			return false, err
		case blockBatch:
			return false, r.batch(rest)
		case blockData:
			return false, r.piece(rest)
		}
		return false, fmt.Errorf("a custom block of kind %q", kind)
	}
	return false, nil
}

// option reads the next option of a packet.
func (r *Reader) option() (ok bool, err error) {
	o := r.options[0]
	r.options = r.options[1:]
	data, custom := pcapng.CustomData(o, pen)
	if !custom {
		return false, nil
	}
	kind, rest, mine, err := parsePrefix(data)
	if err != nil || !mine {
		return false, err
	}
	switch kind {
	case blockBatch:
		return false, r.batch(rest)
	case markMore, markRecord:
		r.options = nil // there is one of these
	default:
		return false, fmt.Errorf("a mark of kind %q", kind)
	}
	load, err := payload(r.load)
	if err != nil {
		return false, err
	}
	if kind == markMore {
		seq, err := parseSeq(rest)
		if err != nil {
			return false, err
		}
		return false, r.gather(seq, load)
	}
	missing, err := r.rec.Parse(rest)
	if err != nil {
		return false, err
	}
	r.wall = r.time
	return true, r.deliver(missing, load)
}

// payload is what a TCP packet of ours carries.
func payload(p []byte) ([]byte, error) {
	if len(p) == 0 {
		return nil, errors.New("an empty packet")
	}
	var head, protocol, length int
	switch p[0] >> 4 {
	case 4:
		head = int(p[0]&15) * 4
		if head < 20 || len(p) < head {
			return nil, fmt.Errorf("an IPv4 header of %d bytes in a packet of %d", head, len(p))
		}
		protocol, length = int(p[9]), int(binary.BigEndian.Uint16(p[2:]))
	case 6:
		if head = 40; len(p) < head {
			return nil, fmt.Errorf("an IPv6 packet of %d bytes", len(p))
		}
		protocol, length = int(p[6]), 40+int(binary.BigEndian.Uint16(p[4:]))
	default:
		return nil, fmt.Errorf("a packet of IP version %d", p[0]>>4)
	}
	if protocol != 6 || length != len(p) || length < head+20 {
		return nil, fmt.Errorf("not a whole TCP packet: protocol %d, length %d of %d bytes", protocol, length, len(p))
	}
	tcp := p[head:]
	offset := int(tcp[12]>>4) * 4
	if offset < 20 || offset > len(tcp) {
		return nil, fmt.Errorf("a TCP header of %d bytes in %d", offset, len(tcp))
	}
	return tcp[offset:], nil
}

// keep keeps secrets until their record comes.
func (r *Reader) keep(s *pcapng.Secrets) error {
	for _, o := range s.Options {
		data, custom := pcapng.CustomData(o, pen)
		if !custom {
			continue
		}
		kind, rest, mine, err := parsePrefix(data)
		if err != nil || !mine {
			return err
		}
		if kind != markSecrets {
			return fmt.Errorf("secrets with a mark of kind %q", kind)
		}
		seq, err := parseSeq(rest)
		if err != nil {
			return err
		}
		if r.kept += len(s.Data); r.kept > maxSecrets {
			return fmt.Errorf("more than %d bytes of secrets whose records have not come", maxSecrets)
		}
		if r.secrets == nil {
			r.secrets = make(map[uint64][]byte)
		}
		r.kept -= len(r.secrets[seq])
		r.secrets[seq] = append([]byte(nil), s.Data...)
	}
	return nil
}

// batch begins a batch.
func (r *Reader) batch(b []byte) error {
	if len(b) < batchHead-prefixSize {
		return fmt.Errorf("a batch of %d bytes, at least %d", len(b), batchHead-prefixSize)
	}
	r.distance = int64(binary.LittleEndian.Uint64(b))
	r.count = binary.LittleEndian.Uint32(b[8:])
	var err error
	r.entries, err = sized(b[12:])
	return err
}

// entry reads the next record of a batch.
func (r *Reader) entry() (ok bool, err error) {
	if r.count--; len(r.entries) < 4 {
		return false, corrupt(r.path, r.offset, fmt.Errorf("a batch ends %d records before its count says", r.count+1))
	}
	head := binary.LittleEndian.Uint32(r.entries)
	restated := head&restatedEntry != 0
	size := int64(head &^ restatedEntry)
	r.entries = r.entries[4:]
	if size > int64(len(r.entries)) {
		return false, corrupt(r.path, r.offset, fmt.Errorf("a record of %d bytes, and %d are left in the batch", size, len(r.entries)))
	}
	missing, err := r.rec.Parse(r.entries[:size])
	if err != nil {
		return false, corrupt(r.path, r.offset, err)
	}
	r.entries = r.entries[size:]
	if r.count == 0 && len(r.entries) > 0 {
		return false, corrupt(r.path, r.offset, fmt.Errorf("%d bytes behind the last record of a batch", len(r.entries)))
	}
	r.wall = r.rec.At + r.distance
	if restated && r.rec.Seq <= r.last {
		r.data = r.data[:0] // of a record that was longer than a batch
		return false, nil
	}
	if err := r.deliver(missing, nil); err != nil {
		return false, corrupt(r.path, r.offset, err)
	}
	return true, nil
}

// piece gathers a block of data.
func (r *Reader) piece(b []byte) error {
	if len(b) < 12 {
		return fmt.Errorf("data of %d bytes, at least 12", len(b))
	}
	data, err := sized(b[8:])
	if err != nil {
		return err
	}
	return r.gather(binary.LittleEndian.Uint64(b), data)
}

// gather keeps data of a record that goes on.
func (r *Reader) gather(seq uint64, data []byte) error {
	if len(r.data) > 0 && seq != r.dataSeq {
		return fmt.Errorf("data of record %d where record %d goes on", seq, r.dataSeq)
	}
	if len(r.data)+len(data) > maxRecord {
		return fmt.Errorf("record %d has more than %d bytes of data", seq, maxRecord)
	}
	if len(r.data) == 0 && cap(r.data) > maxPiece {
		r.data = nil // a long one was before
	}
	r.dataSeq = seq
	r.data = append(r.data, data...)
	return nil
}

// deliver completes r.rec, whose header announces missing bytes, with what came
// before it and load.
func (r *Reader) deliver(missing uint64, load []byte) error {
	rec := &r.rec
	if rec.Seq <= r.last {
		return fmt.Errorf("record %d comes after record %d", rec.Seq, r.last)
	}
	if len(r.data) > 0 {
		if rec.Seq != r.dataSeq {
			return fmt.Errorf("record %d where record %d goes on", rec.Seq, r.dataSeq)
		}
		r.data = append(r.data, load...)
		load, r.data = r.data, r.data[:0]
	}
	if rec.Kind == tape.KindSecrets && missing > 0 {
		if load = r.secrets[rec.Seq]; load == nil {
			missing = 0 // somebody has taken them out
		}
		r.kept -= len(load)
		delete(r.secrets, rec.Seq)
	}
	if uint64(len(load)) != missing {
		return fmt.Errorf("record %d has %d bytes of data, and its header says %d", rec.Seq, len(load), missing)
	}
	if len(load) > 0 {
		rec.Data = load
	}
	r.last = rec.Seq
	return nil
}

var (
	_ tape.Recording = (*File)(nil)
	_ tape.Source    = (*Reader)(nil)
)
