package capture

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// encoder makes blocks of records. It appends to buf, which holds whole blocks at
// any time; the writer takes them away. Records that have no packet gather in batch
// and go along with the next packet, or become a block when the writer needs them.
type encoder struct {
	buf     []byte
	batch   []byte
	entries int

	distance int64 // the wall's time minus the recorder's clock
	next     int64 // distance of the next file, if the wall went back; 0: the same
	last     int64 // time of the last packet: they never go back within a file
	note     string

	begin     *tape.Record            // a copy; nil: none yet
	endpoints map[uint32]*tape.Record // copies of the Register of those that stand, by slot
	flows     map[uint32]*flow

	// hold is where in buf the secrets go that are still to come: packets which they
	// decrypt lie behind it. -1: none are awaited.
	hold    int
	holders int    // flows that await secrets
	holdNo  uint64 // which hold it is: 1, 2, 3, …

	packets, dropped uint64 // in this file

	// Reused by each packet.
	data    []byte
	value   []byte
	along   []byte
	flags   [4]byte
	options []pcapng.Option
	packet  pcapng.Packet
	secrets pcapng.Secrets
	custom  pcapng.CustomBlock
}

func newEncoder() *encoder {
	return &encoder{endpoints: make(map[uint32]*tape.Record), flows: make(map[uint32]*flow), hold: -1, holdNo: 1}
}

// header is what a file says of itself at its begin.
type header struct {
	part    partHead
	reactor string
	comment string
	at      int64 // of its first record
}

// start begins a file: its header, and what stands, restated. The distance becomes
// the current one, and times may go back.
func (e *encoder) start(h header) {
	if e.next != 0 {
		e.distance, e.next = e.next, 0
	}
	h.part.Distance, h.part.Created = e.distance, h.at+e.distance
	e.last, e.packets, e.dropped = h.at+e.distance, 0, 0
	section := pcapng.Section{Options: softwareOptions()}
	if h.comment != "" {
		section.Options = append(section.Options, pcapng.Comment(h.comment))
	}
	e.buf = pcapng.AppendSection(e.buf, &section)
	e.buf = pcapng.AppendInterface(e.buf, &pcapng.Interface{LinkType: pcapng.LinkRaw, Name: cutText(h.reactor, 1024)})
	head, _ := json.Marshal(h.part) // of a plain struct: cannot fail
	b := appendPrefix(nil, blockPart)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(head)))
	e.buf = pcapng.AppendCustom(e.buf, &pcapng.CustomBlock{PEN: pen, Data: append(b, head...), Copy: true})
	for _, f := range e.flows {
		f.announced = false
	}
	var again []*tape.Record
	if e.begin != nil {
		again = append(again, e.begin)
	}
	for _, r := range e.endpoints {
		again = append(again, r)
	}
	unknown, more := e.unannounced()
	again = append(again, more...)
	slices.SortFunc(again, bySeq)
	for _, r := range again {
		e.toBatch(r, true)
	}
	e.restate(unknown)
}

func bySeq(a, b *tape.Record) int { return cmp.Compare(a.Seq, b.Seq) }

// unannounced are the connections of which this file does not know, and the records
// that say how they came to be.
func (e *encoder) unannounced() (unknown []*flow, again []*tape.Record) {
	for _, f := range e.flows {
		if f.announced {
			continue
		}
		unknown = append(unknown, f)
		if f.connect != nil {
			again = append(again, f.connect)
		}
		if f.dialed != nil {
			again = append(again, f.dialed)
		}
	}
	slices.SortFunc(unknown, func(a, b *flow) int { return cmp.Compare(a.num, b.num) })
	return unknown, again
}

// restate shows the handshakes of connections that stand.
func (e *encoder) restate(unknown []*flow) {
	for _, f := range unknown {
		f.announced = true
		if f.stands && !f.over {
			e.restateFlow(f)
		}
	}
}

// restateFlow shows a connection that began in an earlier file: its handshake and its
// upgrade, with sequence numbers that lead up to what follows.
func (e *encoder) restateFlow(f *flow) {
	out, in := f.out, f.in
	finOut, finIn := f.finOut, f.finIn
	f.finOut, f.finIn = false, false
	f.out -= uint32(len(f.upgradeOut))
	f.in -= uint32(len(f.upgradeIn))
	at := e.last - e.distance
	e.handshake(f, at, nil, restatedText(f))
	if len(f.upgradeOut) > 0 {
		e.send(f, at, true, flagPSH, f.upgradeOut, "restated from an earlier file: what the set-up sent")
	}
	if len(f.upgradeIn) > 0 {
		e.send(f, at, false, flagPSH, f.upgradeIn, "restated from an earlier file: what the set-up received")
	}
	f.out, f.in, f.finOut, f.finIn = out, in, finOut, finIn
}

// record appends r.
func (e *encoder) record(r *tape.Record) {
	f := e.follow(r)
	switch r.Kind {
	case tape.KindRead:
		if f != nil {
			e.bytes(f, r, false)
			return
		}
	case tape.KindWrite, tape.KindControl:
		if f != nil {
			e.bytes(f, r, true)
			return
		}
	case tape.KindDialed:
		if f != nil {
			e.dialed(f, r)
			return
		}
	case tape.KindSecrets:
		e.keys(f, r)
		return
	case tape.KindMissing, tape.KindState, tape.KindOutcome, tape.KindFlush, tape.KindWait:
		if text := eventText(r); f != nil && f.stands && !f.over && text != "" {
			e.missing(f, r)
			e.event(f, r, text)
			return
		}
	case tape.KindLost, tape.KindClose:
		if f != nil && f.stands && !f.over {
			e.end(f, r, endText(r))
			e.forget(f, r)
			return
		}
	}
	e.toBatch(r, false)
	e.forget(f, r)
}

// follow keeps in mind what r says of the standing connections and endpoints, and
// returns the flow of its connection; nil: it is of none. It is all that happens to a
// record for which the disk has no room.
func (e *encoder) follow(r *tape.Record) *flow {
	switch r.Kind {
	case tape.KindBegin:
		e.begin = keep(r)
	case tape.KindRegister:
		e.endpoints[r.Slot] = keep(r)
	case tape.KindDeregister:
		delete(e.endpoints, r.Slot)
	}
	if r.Conn == 0 {
		return nil
	}
	f := e.flows[r.Conn]
	switch r.Kind {
	case tape.KindConnect:
		f = &flow{num: r.Conn, name: string(r.Text), connect: keep(r)}
		e.flows[r.Conn] = f
	case tape.KindDialed, tape.KindRead, tape.KindWrite, tape.KindControl:
		if f == nil {
			f = &flow{num: r.Conn}
			e.flows[r.Conn] = f
		}
	}
	if f == nil {
		return nil
	}
	switch r.Kind {
	case tape.KindResolve:
		f.resolved = resolvedText(r)
	case tape.KindDialed:
		if r.Err.Class == tape.OK {
			f.dialed = keep(r)
			f.open(r)
		}
	case tape.KindRead, tape.KindWrite, tape.KindControl:
		if !f.stands {
			f.open(nil)
		}
		if r.Flags&tape.Setup != 0 && len(r.Data) > 0 && f.peer.Layer != tape.BelowTLS {
			f.keepUpgrade(r.Kind != tape.KindRead, r.Data)
		}
	}
	return f
}

// forget lets a connection go with its last record.
func (e *encoder) forget(f *flow, r *tape.Record) {
	if f == nil {
		return
	}
	if r.Kind == tape.KindClose || r.Kind == tape.KindOutcome && r.Err.Class != tape.OK && !f.stands {
		e.unhold(f)
		delete(e.flows, f.num)
	}
}

// bytes appends a read or a write.
func (e *encoder) bytes(f *flow, r *tape.Record, out bool) {
	if !f.announced && f.dialed == nil {
		f.announced = true
		e.handshake(f, r.At, nil, unknownText(f))
	}
	if f.over {
		e.toBatch(r, false)
		return
	}
	text := callText(r)
	if !out {
		e.awaitKeys(f, r)
		if r.Err.Class == tape.System {
			f.reset = true
		}
	}
	flags := byte(0)
	if len(r.Data) > 0 {
		flags = flagPSH
	}
	if !out && r.Err.Class == tape.EOF && !f.finIn {
		flags |= flagFIN
	}
	switch {
	case flags != 0:
		e.carry(f, r, out, flags, text)
	case text != "":
		e.event(f, r, text)
	default:
		e.toBatch(r, false)
	}
}

// carry appends the packets that carry r, of any size.
func (e *encoder) carry(f *flow, r *tape.Record, out bool, flags byte, text string) {
	data := r.Data
	fits := markSize(r) <= maxMark
	if len(data) > maxChunk || !fits {
		e.flush() // a file that is cut behind a record that goes on keeps those before
	}
	for len(data) > maxChunk || !fits && len(data) > 0 {
		n := min(len(data), maxChunk)
		e.value = appendMark(e.value[:0], markMore, r.Seq)
		e.put(f, r.At, out, 0, data[:n], e.value, "")
		data = data[n:]
	}
	if fits {
		e.value = appendRecordMark(e.value[:0], r)
		e.put(f, r.At, out, flags, data, e.value, text)
		return
	}
	e.put(f, r.At, out, flags&^flagPSH, nil, nil, text)
	e.entry(r, false, len(r.Data) > 0)
}

// event appends r and a comment: with an ACK of its own where there is something to
// acknowledge, else the comment goes along with the connection's next packet: an ACK
// that says nothing new would look like a sign of loss.
func (e *encoder) event(f *flow, r *tape.Record, text string) {
	if markSize(r) > maxMark || len(r.Data) > 0 || f.inOpen.packets == 0 && r.Kind != tape.KindMissing {
		if len(f.later)+len(text) < maxComment {
			f.later = strings.TrimPrefix(f.later+"\n"+text, "\n")
		}
		e.toBatch(r, false)
		return
	}
	e.value = appendRecordMark(e.value[:0], r)
	e.put(f, r.At, true, 0, nil, e.value, text)
}

// missing leaves a hole where bytes are missing.
func (e *encoder) missing(f *flow, r *tape.Record) {
	if r.Kind == tape.KindMissing {
		f.in += uint32(r.Arg)
		f.out += uint32(r.Arg2)
	}
}

// dialed appends the record that a connection stands, or that it came to nothing.
func (e *encoder) dialed(f *flow, r *tape.Record) {
	if r.Err.Class != tape.OK {
		e.failed(f, r)
		return
	}
	f.announced = true
	e.handshake(f, r.At, r, dialedText(f))
}

// failed shows a dial that came to nothing as a SYN, refused or without an answer.
func (e *encoder) failed(f *flow, r *tape.Record) {
	if f.stands || markSize(r) > maxMark || len(r.Data) > 0 {
		e.toBatch(r, false)
		return
	}
	try := flow{num: f.num, name: f.name}
	try.open(r)
	e.value = appendRecordMark(e.value[:0], r)
	e.put(&try, r.At, true, flagSYN, nil, e.value, failedText(f, r))
	if r.Err.Class == tape.System && syscall.Errno(r.Err.Errno) == syscall.ECONNREFUSED {
		e.put(&try, r.At, false, flagRST, nil, nil, "")
	}
}

// handshake appends SYN, SYN-ACK and ACK; r, if any, ends with the last.
func (e *encoder) handshake(f *flow, at int64, r *tape.Record, text string) {
	f.out--
	f.in--
	e.put(f, at, true, flagSYN, nil, nil, "")
	e.put(f, at, false, flagSYN, nil, nil, "")
	if r == nil {
		e.put(f, at, true, 0, nil, nil, text)
		return
	}
	if markSize(r) > maxMark-len(r.Data) { // the data stay with the record
		e.put(f, at, true, 0, nil, nil, text)
		e.toBatch(r, false)
		return
	}
	e.value = r.Append(appendPrefix(binary.LittleEndian.AppendUint32(e.value[:0], pen), markRecord), true)
	e.put(f, at, true, 0, nil, e.value, text)
}

// end appends the end of a connection; r ends with its first packet.
func (e *encoder) end(f *flow, r *tape.Record, text string) {
	f.over = true
	e.unhold(f)
	var value []byte
	if markSize(r) > maxMark || len(r.Data) > 0 {
		e.toBatch(r, false)
	} else {
		e.value = appendRecordMark(e.value[:0], r)
		value = e.value
	}
	if f.reset {
		e.put(f, r.At, false, flagRST, nil, value, text)
		return
	}
	flags := byte(flagFIN)
	if f.finOut {
		flags = 0
	}
	e.put(f, r.At, true, flags, nil, value, text)
	if !f.finIn {
		e.put(f, r.At, false, flagFIN, nil, nil, "")
		e.put(f, r.At, true, 0, nil, nil, "")
		return
	}
	e.put(f, r.At, false, 0, nil, nil, "")
}

// send appends a packet that is no record's.
func (e *encoder) send(f *flow, at int64, out bool, flags byte, data []byte, text string) {
	e.put(f, at, out, flags, data, nil, text)
}

// put appends one packet, and behind it, when enough is not acknowledged, the other
// side's ACK. value is that of a custom option, if any.
func (e *encoder) put(f *flow, at int64, out bool, flags byte, data, value []byte, text string) {
	if len(e.batch) > maxAlong {
		e.flush()
	}
	s := segment{from: f.local, to: f.remote, seq: f.out, ack: f.in, flags: flags | flagACK, payload: data}
	next, open, back := &f.out, &f.outOpen, &f.inOpen
	if !out {
		s.from, s.to, s.seq, s.ack = f.remote, f.local, f.in, f.out
		next, open, back = &f.in, &f.inOpen, &f.outOpen
	}
	if out && flags&flagSYN != 0 {
		s.flags &^= flagACK
	}
	if f.later != "" {
		text = strings.TrimSuffix(f.later+"\n"+text, "\n")
		f.later = ""
	}
	e.appendPacket(&s, at, out, value, text)
	*next += uint32(len(data))
	if flags&(flagSYN|flagFIN) != 0 {
		*next++
	}
	if flags&flagFIN != 0 {
		if out {
			f.finOut = true
		} else {
			f.finIn = true
		}
	}
	*back = unacked{}
	if len(data) == 0 {
		return
	}
	open.packets++
	open.bytes += len(data)
	if open.packets >= ackPackets || open.bytes >= ackBytes {
		*open = unacked{}
		s := segment{from: s.to, to: s.from, seq: s.ack, ack: *next, flags: flagACK}
		e.appendPacket(&s, at, !out, nil, "")
	}
}

// appendPacket appends one packet block.
func (e *encoder) appendPacket(s *segment, at int64, out bool, value []byte, text string) {
	e.last = max(e.last, at+e.distance)
	e.packets++
	e.data = appendPacket(e.data[:0], s)
	direction := pcapng.FlagInbound
	if out {
		direction = pcapng.FlagOutbound
	}
	binary.LittleEndian.PutUint32(e.flags[:], direction)
	e.options = append(e.options[:0], pcapng.Option{Code: pcapng.OptPacketFlags, Value: e.flags[:]})
	if e.note != "" {
		e.options = append(e.options, pcapng.Comment(e.note))
		e.note = ""
	}
	if text != "" {
		e.options = append(e.options, pcapng.Comment(cutText(text, 2*maxComment)))
	}
	if e.entries > 0 {
		e.endBatch()
		e.along = append(binary.LittleEndian.AppendUint32(e.along[:0], pen), e.batch...)
		e.options = append(e.options, pcapng.Option{Code: pcapng.OptCustom, Value: e.along})
	}
	if value != nil {
		e.options = append(e.options, pcapng.Option{Code: pcapng.OptCustom, Value: value})
	}
	e.packet = pcapng.Packet{Time: e.last, Data: e.data, Options: e.options}
	e.buf = pcapng.AppendPacket(e.buf, &e.packet)
}

// toBatch appends r as it is.
func (e *encoder) toBatch(r *tape.Record, restated bool) {
	if len(r.Data) <= maxInline {
		e.entry(r, restated, false)
		return
	}
	e.flush()
	for data := r.Data; len(data) > 0; {
		n := min(len(data), maxPiece)
		e.data = appendPrefix(e.data[:0], blockData)
		e.data = binary.LittleEndian.AppendUint64(e.data, r.Seq)
		e.data = binary.LittleEndian.AppendUint32(e.data, uint32(n))
		e.data = append(e.data, data[:n]...)
		e.appendCustom(e.data)
		data = data[n:]
	}
	e.entry(r, restated, true)
}

// entry appends r to the batch, without its data if they are elsewhere.
func (e *encoder) entry(r *tape.Record, restated, elsewhere bool) {
	if e.entries == 0 {
		e.batch = appendPrefix(e.batch[:0], blockBatch)
		e.batch = append(e.batch, make([]byte, batchHead-prefixSize)...)
	}
	size := markSize(r)
	if !elsewhere {
		size += len(r.Data)
	}
	head := uint32(size)
	if restated {
		head |= restatedEntry
	}
	e.batch = binary.LittleEndian.AppendUint32(e.batch, head)
	e.batch = r.Append(e.batch, !elsewhere)
	e.entries++
	if len(e.batch) >= maxBatch {
		e.flush()
	}
}

const (
	// maxBatch is how long a batch may get before it becomes a block.
	maxBatch = 64 << 10
	// maxAlong is how long one may be to go along with a packet, as an option: tools
	// show blocks of their own as lines between the packets.
	maxAlong = 16 << 10
)

// flush makes a block of the batch.
func (e *encoder) flush() {
	if e.entries == 0 {
		return
	}
	e.endBatch()
	e.appendCustom(e.batch)
}

// endBatch writes the batch's head; the next entry begins another.
func (e *encoder) endBatch() {
	b := e.batch[prefixSize:]
	binary.LittleEndian.PutUint64(b, uint64(e.distance))
	binary.LittleEndian.PutUint32(b[8:], uint32(e.entries))
	binary.LittleEndian.PutUint32(b[12:], uint32(len(e.batch)-batchHead))
	e.entries = 0
}

func (e *encoder) appendCustom(data []byte) {
	e.custom = pcapng.CustomBlock{PEN: pen, Data: data, Copy: true}
	e.buf = pcapng.AppendCustom(e.buf, &e.custom)
}

// finish ends a file with the counts of its interface.
func (e *encoder) finish(comment string) {
	e.flush()
	stats := pcapng.Stats{Time: e.last, Options: []pcapng.Option{
		pcapng.Uint64(pcapng.OptStatsReceived, e.packets), pcapng.Uint64(pcapng.OptStatsDropped, e.dropped),
	}}
	if comment != "" {
		stats.Options = append(stats.Options, pcapng.Comment(comment))
	}
	e.buf = pcapng.AppendStats(e.buf, &stats)
}

// took says that the writer has taken buf.
func (e *encoder) took() {
	e.buf = e.buf[:0]
	e.release()
}

// setDistance follows the wall clock. What is less than a millisecond is noise: NTP
// slews CLOCK_MONOTONIC as well, so only a step changes the distance. A step back
// waits for the next file.
func (e *encoder) setDistance(d int64) {
	by := time.Duration(d - e.distance)
	switch {
	case by.Abs() < time.Millisecond:
		e.next = 0
	case by > 0:
		e.flush() // it has the distance of all its records
		e.note = "the wall clock was set forward by " + by.String()
		e.distance, e.next = d, 0
	case e.next == 0 || time.Duration(d-e.next).Abs() >= time.Millisecond:
		e.note = "the wall clock was set back by " + (-by).String() + ": times follow it in the next file"
		e.next = d
	}
}
