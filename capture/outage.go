package capture

import (
	"maps"
	"slices"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// outage counts what was recorded while the disk would not take it. Then the records
// are drained all the same, so that the ring does not fill up, and dropped.
type outage struct {
	records     uint64
	first, last tape.Record // without their bytes
	conns       map[uint32]*missingBytes
}

// bytesOf is how many bytes of its connection r stands for, received and sent.
func bytesOf(r *tape.Record) (in, out int64) {
	switch r.Kind {
	case tape.KindRead:
		return int64(len(r.Data)), 0
	case tape.KindWrite, tape.KindControl:
		return 0, int64(len(r.Data))
	case tape.KindMissing:
		return r.Arg, r.Arg2
	}
	return 0, 0
}

// missingBytes are those of one connection.
type missingBytes struct {
	slot    uint32
	in, out int64
}

func (o *outage) bytes() (n uint64) {
	for _, m := range o.conns {
		n += uint64(m.in + m.out)
	}
	return n
}

// drop counts r, of which only what stands is kept in mind.
func (e *encoder) drop(o *outage, r *tape.Record) {
	f := e.follow(r)
	if f != nil {
		switch r.Kind {
		case tape.KindDialed:
			if r.Err.Class == tape.OK {
				f.announced = false
			}
		case tape.KindLost:
			f.over = true
		}
	}
	e.forget(f, r)
	e.dropped++
	o.records++
	o.last = *r
	o.last.Text, o.last.Data = nil, nil
	if o.records == 1 {
		o.first = o.last
	}
	in, out := bytesOf(r)
	if r.Conn == 0 || in|out == 0 {
		return
	}
	m := o.conns[r.Conn]
	if m == nil {
		if o.conns == nil {
			o.conns = make(map[uint32]*missingBytes)
		}
		m = &missingBytes{slot: r.Slot}
		o.conns[r.Conn] = m
	}
	m.in += in
	m.out += out
}

// resume puts into the file what stands instead of the dropped records: what began
// meanwhile and still is, restated, and what is missing. They take the numbers of
// dropped records; there are always enough.
func (e *encoder) resume(o *outage) {
	unknown, again := e.unannounced()
	for _, r := range e.endpoints {
		again = append(again, r)
	}
	if e.begin != nil {
		again = append(again, e.begin)
	}
	again = slices.DeleteFunc(again, func(r *tape.Record) bool { return r.Seq < o.first.Seq })
	used := make(map[uint64]bool)
	for _, r := range again {
		used[r.Seq] = true
	}
	left := o.records - uint64(len(again))
	seq := o.last.Seq
	insert := func(r tape.Record) {
		for used[seq] {
			seq--
		}
		used[seq] = true
		left--
		r.Kind, r.Seq, r.At = tape.KindMissing, seq, o.last.At
		r.Turn, r.Begin, r.Parked = o.last.Turn, o.last.Begin, o.last.Parked
		again = append(again, &r)
	}
	for _, conn := range slices.Backward(slices.Sorted(maps.Keys(o.conns))) {
		m := o.conns[conn]
		insert(tape.Record{Conn: conn, Slot: m.slot, Arg: m.in, Arg2: m.out})
	}
	if left > 0 {
		insert(tape.Record{Arg: int64(left)})
	}
	slices.SortFunc(again, bySeq)
	for _, r := range again {
		switch f := e.flows[r.Conn]; {
		case r.Kind != tape.KindMissing:
			e.toBatch(r, true)
		case f != nil && !f.announced: // its handshake comes behind
			e.missing(f, r)
			e.toBatch(r, false)
		default:
			e.record(r)
		}
	}
	e.restate(unknown)
}

func (o *outage) loss() Loss { return Loss{Records: o.records, Bytes: o.bytes()} }
