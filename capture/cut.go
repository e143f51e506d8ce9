package capture

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// Filter says what Cut keeps. The zero value keeps all.
type Filter struct {
	// From and To bound the wall's time: from From on, before To. Zero: no bound.
	From, To time.Time
	// Conns are the numbers of connections in the recording. Empty: all.
	Conns []uint32
	// Endpoints are the names of endpoints. Empty: all.
	Endpoints []string
	// NoSecrets leaves TLS secrets out.
	NoSecrets bool
}

func (k Filter) String() string {
	var parts []string
	if !k.From.IsZero() {
		parts = append(parts, "from "+k.From.UTC().Format(time.RFC3339Nano))
	}
	if !k.To.IsZero() {
		parts = append(parts, "before "+k.To.UTC().Format(time.RFC3339Nano))
	}
	if len(k.Endpoints) > 0 {
		parts = append(parts, "endpoints "+strings.Join(k.Endpoints, ", "))
	}
	if len(k.Conns) > 0 {
		parts = append(parts, strings.Trim(fmt.Sprint("connections ", k.Conns), "[]"))
	}
	if k.NoSecrets {
		parts = append(parts, "no secrets")
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, "; ")
}

// CutOptions are how Cut writes.
type CutOptions struct {
	// Compress writes zstd; a dst that ends in ".zst" is compressed anyway.
	Compress bool
	// Comment is put into the file, with what was kept.
	Comment string
}

// Cut writes those records of src that keep names to a new file, 0600. Numbers and
// times of records stay. A comment in the header says what was kept, one at the end
// how much was left out.
//
// So that what is left can be replayed where it can be at all, of connections
// that stand at From all is kept that is not bytes: how they were set up, with the
// bytes of the set-up, seeds, states. The bytes between are missing, and the file says so
// (KindMissing). What belongs to no connection is kept from From on, and before
// the begin and the endpoints. Connections that ended before From are left out.
func Cut(dst string, src tape.Recording, keep Filter, o CutOptions) error {
	c := &cutter{keep: keep, conns: make(map[uint32]*cutConn)}
	if err := c.each(src, c.learn); err != nil {
		return err
	}
	if c.records == 0 {
		return fmt.Errorf("capture: cut: %v: nothing is left of %d records", keep, c.seen)
	}
	compress := o.Compress || strings.HasSuffix(dst, zstdSuffix)
	if compress && !strings.HasSuffix(dst, zstdSuffix) {
		dst += zstdSuffix
	}
	out, err := newOutput(system{}, dst, compress, 0)
	if err != nil {
		return err
	}
	if err := out.open(); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	c.out, c.enc, c.comment = out, newEncoder(), o.Comment
	err = c.each(src, c.write)
	if err == nil {
		err = c.finish()
	}
	if closing := out.close(false); closing != nil {
		err = errors.Join(err, fmt.Errorf("capture: %w", closing))
	}
	if err != nil {
		_ = os.Remove(dst) // the error is told
	}
	return err
}

// cutter goes through a recording twice: to learn which connections stand and what
// is missing of them, and to write.
type cutter struct {
	keep  Filter
	conns map[uint32]*cutConn

	seen, records uint64 // in all, and of those the filter's own

	out     *output
	enc     *encoder
	comment string
	name    string // the reactor's
	started bool
	left    uint64
	names   map[uint32]string // of endpoints, by slot
}

// cutConn is what is known of a connection.
type cutConn struct {
	out     bool // it is not kept
	missing tape.Record
}

// each calls do with each record and its wall time.
func (c *cutter) each(src tape.Recording, do func(r *tape.Record, wall int64) error) error {
	s, err := src.Open()
	if err != nil {
		return err
	}
	defer s.Close()
	c.names = make(map[uint32]string)
	var distance int64
	for {
		r, err := s.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if r.Kind == tape.KindBegin {
			distance = r.Arg
		}
		if r.Kind == tape.KindRegister {
			c.names[r.Slot] = string(r.Text)
		}
		wall := r.At + distance
		if reader, ok := s.(interface{ Wall() time.Time }); ok { // a Reader, or what wraps one
			wall = reader.Wall().UnixNano()
		}
		if err := do(r, wall); err != nil {
			return err
		}
	}
}

func (c *cutter) before(wall int64) bool {
	return !c.keep.From.IsZero() && wall < c.keep.From.UnixNano()
}

func (c *cutter) after(wall int64) bool {
	return !c.keep.To.IsZero() && wall >= c.keep.To.UnixNano()
}

// learn is the first pass.
func (c *cutter) learn(r *tape.Record, wall int64) error {
	c.seen++
	if r.Kind == tape.KindBegin {
		c.name = string(r.Text)
	}
	if r.Conn == 0 {
		if !c.before(wall) && !c.after(wall) && c.ofEndpoint(r) {
			c.records++
		}
		return nil
	}
	conn := c.conns[r.Conn]
	if conn == nil {
		conn = new(cutConn)
		c.conns[r.Conn] = conn
		conn.out = len(c.keep.Conns) > 0 && !slices.Contains(c.keep.Conns, r.Conn)
	}
	if r.Kind == tape.KindConnect && len(c.keep.Endpoints) > 0 && !slices.Contains(c.keep.Endpoints, string(r.Text)) {
		conn.out = true
	}
	switch {
	case conn.out || c.after(wall):
	case !c.before(wall):
		c.records++
	case r.Kind == tape.KindClose:
		conn.out = true
	case isTraffic(r):
		m := &conn.missing
		in, out := bytesOf(r)
		in, out = m.Arg+in, m.Arg2+out
		*m = *r
		m.Kind, m.Flags, m.Err, m.Text, m.Data, m.Arg, m.Arg2 = tape.KindMissing, 0, tape.Error{}, nil, nil, in, out
	}
	return nil
}

// isTraffic says whether r is of what a connection does when it stands.
func isTraffic(r *tape.Record) bool {
	switch r.Kind {
	case tape.KindRead, tape.KindWrite, tape.KindControl, tape.KindFlush, tape.KindWait, tape.KindClock, tape.KindWritable:
		return r.Flags&tape.Setup == 0
	case tape.KindMissing:
		return true
	}
	return false
}

// ofEndpoint says whether a record of no connection is of an endpoint that is kept, or
// of none.
func (c *cutter) ofEndpoint(r *tape.Record) bool {
	switch r.Kind {
	case tape.KindRegister, tape.KindDeregister, tape.KindRetryAt, tape.KindDrop:
		return len(c.keep.Endpoints) == 0 || slices.Contains(c.keep.Endpoints, c.names[r.Slot])
	}
	return true
}

// keeps says whether r is kept; for the last of what is missing r becomes that.
func (c *cutter) keeps(r *tape.Record, wall int64) bool {
	if c.after(wall) || r.Kind == tape.KindSecrets && c.keep.NoSecrets {
		return false
	}
	if r.Conn == 0 {
		if c.before(wall) {
			switch r.Kind {
			case tape.KindBegin, tape.KindRegister, tape.KindDeregister:
			default:
				return false
			}
		}
		return c.ofEndpoint(r)
	}
	conn := c.conns[r.Conn]
	if conn == nil || conn.out {
		return false
	}
	if !c.before(wall) || !isTraffic(r) {
		return true
	}
	if r.Seq == conn.missing.Seq && conn.missing.Arg|conn.missing.Arg2 != 0 {
		*r = conn.missing
		return true
	}
	return false
}

// write is the second pass.
func (c *cutter) write(r *tape.Record, wall int64) error {
	if !c.keeps(r, wall) {
		c.left++
		return nil
	}
	e := c.enc
	if d := wall - r.At; time.Duration(d-e.distance).Abs() > distanceNoise || !c.started {
		e.flush()
		e.distance = d
	}
	if !c.started {
		c.started = true
		comment := fmt.Sprintf("cut: %v", c.keep)
		if c.comment != "" {
			comment = c.comment + "\n" + comment
		}
		e.start(header{part: partHead{Recording: randomName(), Part: 1}, reactor: c.name, comment: comment, at: r.At})
	}
	e.record(r)
	if e.hold < 0 && len(e.buf) >= plainBytes || len(e.buf) >= maxHeld {
		return c.flush()
	}
	return nil
}

// distanceNoise is by how much the time of a packet may differ from that of its
// record because times do not go back.
const distanceNoise = 50 * time.Millisecond

func (c *cutter) flush() error {
	c.enc.flush()
	if err := c.out.write(c.enc.buf); err != nil {
		return fmt.Errorf("capture: writing %s: %w", c.out.name, err)
	}
	c.enc.took()
	return nil
}

func (c *cutter) finish() error {
	c.enc.finish(fmt.Sprintf("%d of %d records were left out", c.left, c.seen))
	return c.flush()
}
