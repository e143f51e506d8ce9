package packets

import (
	"bytes"
	"net/netip"
	"slices"
)

// Defaults of a Config, in bytes.
const (
	DefaultMaxWaiting = 4 << 20
	DefaultMaxTotal   = 64 << 20
)

// fairShare is what a direction may hold whatever others do, in bytes.
const fairShare = 64 << 10

// segmentCost is what a segment that waits costs beside its bytes.
const segmentCost = 64

// Config is how an [Assembler] works. The zero value is useful.
type Config struct {
	// MaxWaiting bounds the bytes of a direction that wait for bytes before them,
	// MaxTotal those of all directions that hold more than 64 KiB. What would be over it
	// makes a gap of what is waited for. Defaults DefaultMaxWaiting and DefaultMaxTotal.
	MaxWaiting, MaxTotal int
	// Client tells who is the client of a connection whose beginning was not captured.
	// Default: the side with the higher port.
	Client func(a, b netip.AddrPort) bool
}

// End is how a direction has ended.
type End uint8

// The ends.
const (
	Open End = iota
	FIN
	RST
)

func (e End) String() string { return [...]string{"open", "FIN", "RST"}[e] }

// Chunk is bytes of one direction, in their order. One chunk is what one packet has
// made known: its own bytes, and those behind them that had come before it.
type Chunk struct {
	Conn       int // place in Connections
	FromClient bool
	Time       int64  // of the packet, ns since 1970 UTC
	Data       []byte // valid until the function returns
	Gap        int64  // bytes before Data that were not captured
	End        End    // the direction ends behind Data
}

// Connection is what is known of a TCP connection.
type Connection struct {
	Client, Server netip.AddrPort
	First, Last    int64 // times of packets, ns since 1970 UTC
	Started        bool  // its SYN was captured
	ToServer       Direction
	ToClient       Direction
}

// Direction counts what one side has sent.
type Direction struct {
	Packets     int64
	Bytes       int64 // delivered
	Gaps        int64 // how many
	Missing     int64 // bytes in them
	Repeated    int64 // bytes that came again
	Differing   int64 // segments that came again with other bytes, while the first, which hold, were waiting
	OutOfOrder  int64 // segments that came before their time
	End         End
	WindowProbe int64 // packets of one byte that the other side had: keep-alives
}

// Assembler puts the segments of TCP connections in order. One goroutine uses it.
type Assembler struct {
	cfg   Config
	fn    func(*Chunk)
	conns map[tuple]*conn
	all   []*conn
	total int // bytes that wait, in all
	now   int64
	out   Chunk
}

// tuple is both ends, the lower first.
type tuple struct{ a, b netip.AddrPort }

type conn struct {
	Connection
	at   int
	dirs [2]direction // to the server, to the client
}

type direction struct {
	known   bool   // next is
	next    uint32 // sequence number that is to come
	first   uint32 // that of the first byte, if isFirst: its SYN was captured
	isFirst bool
	acked   uint32 // by the other side, if isAcked
	isAcked bool
	waiting []held // in order of their numbers from next
	size    int
	fin     bool // at finAt
	finAt   uint32
	gap     int64 // to be told with the next chunk
	stats   *Direction
}

// held is a segment that waits for what is before it.
type held struct {
	seq  uint32
	data []byte
}

// New makes an Assembler, which calls fn with the chunks of all connections, in the
// order in which they became known.
func New(cfg Config, fn func(*Chunk)) *Assembler {
	if cfg.MaxWaiting == 0 {
		cfg.MaxWaiting = DefaultMaxWaiting
	}
	if cfg.MaxTotal == 0 {
		cfg.MaxTotal = DefaultMaxTotal
	}
	return &Assembler{cfg: cfg, fn: fn, conns: make(map[tuple]*conn)}
}

// Connections are those that were seen, in the order of their first packets. Chunk.Conn
// is a place here.
func (a *Assembler) Connections() []Connection {
	out := make([]Connection, len(a.all))
	for i, c := range a.all {
		out[i] = c.Connection
	}
	return out
}

// Connection is one of them.
func (a *Assembler) Connection(n int) *Connection { return &a.all[n].Connection }

// before compares sequence numbers, which wrap.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// Add takes a packet. It keeps nothing of p.
func (a *Assembler) Add(time int64, p *Packet) {
	a.now = time
	key := tuple{p.Src, p.Dst}
	if p.Dst.Compare(p.Src) < 0 {
		key = tuple{p.Dst, p.Src}
	}
	c := a.conns[key]
	if c == nil || p.SYN && c.renewed(p) {
		if c != nil {
			a.flush(c)
		}
		c = a.begin(p)
		a.conns[key] = c
	}
	c.Last = time
	fromClient := p.Src == c.Client
	d, other := &c.dirs[0], &c.dirs[1]
	if !fromClient {
		d, other = other, d
	}
	d.stats.Packets++
	seq := p.Seq
	if p.SYN {
		seq++
		if d.first, d.isFirst = seq, true; !d.known {
			d.known, d.next = true, seq
		}
		if fromClient {
			c.Started = true
		}
	} else if !d.known {
		d.known, d.next = true, seq // the capture begins in the midst of it
	}
	if p.ACK && (!other.isAcked || before(other.acked, p.Ack)) {
		other.acked, other.isAcked = p.Ack, true
	}
	if d.stats.End != Open || p.RST { // nothing counts any more
	} else if len(d.waiting) == 0 && seq == d.next && len(p.Payload) > 0 { // the usual case: nothing to keep
		d.next += uint32(len(p.Payload))
		a.emit(c, fromClient, d, p.Payload, Open)
	} else {
		a.insert(d, seq, p.Payload)
	}
	if p.FIN {
		d.fin, d.finAt = true, seq+uint32(len(p.Payload)+p.Cut)
	}
	a.deliver(c, fromClient, d)
	if len(p.Payload) > 0 || p.FIN {
		// Not at the acknowledgement, which may be captured a little before its data.
		a.skip(c, fromClient, d, false)
	}
	if p.RST && d.stats.End == Open && near(seq, d.next) {
		a.skip(c, fromClient, d, true)
		a.emit(c, fromClient, d, nil, RST)
		a.skip(c, !fromClient, other, true)
	}
}

// renewed reports whether a SYN begins another connection of the same ends: it comes
// from the other side, or has another number than that of this one.
func (c *conn) renewed(p *Packet) bool {
	if !p.ACK && p.Src != c.Client {
		return true
	}
	d := &c.dirs[0]
	if p.Src != c.Client {
		d = &c.dirs[1]
	}
	return d.known && (!d.isFirst || p.Seq+1 != d.first) && (d.isFirst || d.stats.End != Open || !near(p.Seq+1, d.next))
}

// near reports whether two sequence numbers may belong to one connection: a SYN-ACK that
// was captured behind the first data.
func near(a, b uint32) bool {
	const window = 1 << 20
	return a-b < window || b-a < window
}

func (a *Assembler) begin(p *Packet) *conn {
	c := &conn{at: len(a.all)}
	c.Client, c.Server, c.First = p.Src, p.Dst, a.now
	switch {
	case p.SYN && !p.ACK:
	case p.SYN:
		c.Client, c.Server = p.Dst, p.Src
	case a.cfg.Client != nil:
		if !a.cfg.Client(p.Src, p.Dst) {
			c.Client, c.Server = p.Dst, p.Src
		}
	case p.Src.Port() < p.Dst.Port():
		c.Client, c.Server = p.Dst, p.Src
	}
	c.dirs[0].stats, c.dirs[1].stats = &c.ToServer, &c.ToClient
	a.all = append(a.all, c)
	return c
}

// insert keeps what is new of a segment.
func (a *Assembler) insert(d *direction, seq uint32, data []byte) {
	if len(data) == 0 {
		return
	}
	if old := int32(d.next - seq); old > 0 { // bytes that were delivered
		if len(data) == 1 && old == 1 {
			d.stats.WindowProbe++
			return
		}
		n := min(int(old), len(data))
		d.stats.Repeated += int64(n)
		seq, data = seq+uint32(n), data[n:]
	}
	if len(data) > 0 && seq != d.next {
		d.stats.OutOfOrder++
	}
	// Between and behind those that wait; where both have bytes, the first hold.
	for i := 0; len(data) > 0; i++ {
		if i == len(d.waiting) {
			a.keep(d, i, seq, data)
			return
		}
		w := &d.waiting[i]
		if before(seq, w.seq) {
			n := min(int(w.seq-seq), len(data))
			a.keep(d, i, seq, data[:n])
			seq, data = seq+uint32(n), data[n:]
			i++ // over the one that was put in
			w = &d.waiting[i]
		}
		end := w.seq + uint32(len(w.data))
		if !before(seq, end) || len(data) == 0 {
			continue
		}
		n := min(int(end-seq), len(data))
		from := int(seq - w.seq)
		if !bytes.Equal(data[:n], w.data[from:from+n]) {
			d.stats.Differing++
		}
		d.stats.Repeated += int64(n)
		seq, data = seq+uint32(n), data[n:]
	}
}

func (a *Assembler) keep(d *direction, i int, seq uint32, data []byte) {
	d.waiting = slices.Insert(d.waiting, i, held{seq, bytes.Clone(data)})
	d.size += len(data) + segmentCost
	a.total += len(data) + segmentCost
}

// deliver hands out what has come in order.
func (a *Assembler) deliver(c *conn, fromClient bool, d *direction) {
	for {
		var data []byte
		for len(d.waiting) > 0 && d.waiting[0].seq == d.next {
			w := d.waiting[0]
			if data == nil {
				data = w.data
			} else {
				data = append(data, w.data...)
			}
			d.waiting = d.waiting[1:]
			d.size -= len(w.data) + segmentCost
			a.total -= len(w.data) + segmentCost
			d.next += uint32(len(w.data))
		}
		if len(data) > 0 {
			a.emit(c, fromClient, d, data, Open)
		}
		if len(d.waiting) == 0 {
			d.waiting = nil
			break
		}
		if d.size <= a.cfg.MaxWaiting && (a.total <= a.cfg.MaxTotal || d.size <= fairShare) {
			break
		}
		d.jump(d.waiting[0].seq)
	}
	if d.fin && d.finAt == d.next && d.stats.End == Open {
		a.emit(c, fromClient, d, nil, FIN)
	}
}

// jump gives up bytes up to seq.
func (d *direction) jump(seq uint32) {
	n := int64(seq - d.next)
	d.gap += n
	d.stats.Gaps++
	d.stats.Missing += n
	d.next = seq
}

// skip gives up what the other side has acknowledged and was not captured, when bytes
// behind it have come; with all, everything that is waited for. A FIN that was
// acknowledged and not captured is then a byte that is missing.
func (a *Assembler) skip(c *conn, fromClient bool, d *direction, all bool) {
	for d.stats.End == Open {
		switch {
		case len(d.waiting) > 0 && (all || d.isAcked && !before(d.acked, d.waiting[0].seq)):
			d.jump(d.waiting[0].seq)
		case all && d.fin && before(d.next, d.finAt):
			d.jump(d.finAt)
		case all && d.isAcked && !d.fin && before(d.next, d.acked):
			d.jump(d.acked)
		default:
			return
		}
		a.deliver(c, fromClient, d)
	}
}

func (a *Assembler) emit(c *conn, fromClient bool, d *direction, data []byte, end End) {
	if d.stats.End != Open {
		return
	}
	d.stats.Bytes += int64(len(data))
	d.stats.End = end
	a.out = Chunk{Conn: c.at, FromClient: fromClient, Time: a.now, Data: data, Gap: d.gap, End: end}
	d.gap = 0
	if end != Open { // what lies behind the end is of no account
		a.total -= d.size
		d.waiting, d.size = nil, 0
	}
	a.fn(&a.out)
}

// Flush gives up what is waited for, as nothing more comes, and hands out the rest.
func (a *Assembler) Flush() {
	for _, c := range a.all {
		a.flush(c)
	}
}

func (a *Assembler) flush(c *conn) {
	for i := range c.dirs {
		d := &c.dirs[i]
		a.skip(c, i == 0, d, true)
		if d.gap > 0 {
			a.emit(c, i == 0, d, nil, Open) // a gap that nothing follows
		}
	}
}
