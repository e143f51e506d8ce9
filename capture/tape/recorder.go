package tape

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

// Defaults and bounds of a [Config], in bytes.
const (
	DefaultRing  = 32 << 20
	MinRing      = 4 << 20 // a record is an eighth of the ring at most
	DefaultSetup = 16 << 20
)

// ErrInUse says that a Recorder records another reactor already.
var ErrInUse = errors.New("tape: the recorder is in use by another reactor")

// Config is how a [Recorder] works. The zero value is useful.
type Config struct {
	// Ring is the room between the reactor and the writer in bytes, rounded up to a
	// power of two, from MinRing to 1 GiB. Default DefaultRing. What the reactor
	// records while the writer is held up must fit there: 32 MiB are 160 ms of 200 MB/s.
	Ring int
	// Setup bounds what set-ups have recorded and the writer has not taken, in bytes.
	// Default DefaultSetup.
	Setup int
	// BelowTLS records the bytes on the wire instead of those that the protocol
	// reads and writes. With Secrets the TLS keys are recorded as well.
	BelowTLS, Secrets bool
}

// Recorder writes down what comes into one reactor, or into streams without one.
// It is given to the reactor as Config.Tape; package capture makes one that writes
// files. The methods named after events are for the reactor: its goroutine calls
// them, unless it says otherwise.
type Recorder struct {
	cfg   Config
	clock clock.Clock
	ring  *ring.Bytes
	name  string
	apart int64 // CLOCK_REALTIME minus clock, when the recording began

	// The reactor goroutine's own.
	turn          uint64
	turns         uint64 // that have begun, whether anything happened in them or not
	begin, parked int64
	open          bool  // this turn has a record
	missing       int64 // records that are to be told of as missing
	conns         uint32

	_    [128]byte
	seq  atomic.Uint64
	_    [128]byte
	lost atomic.Uint64 // records, of both sides

	used   atomic.Bool
	ended  atomic.Bool
	mu     sync.Mutex // guards what follows: the set-up side
	setup  []byte     // records, each behind its length
	absent int64      // records of set-ups that are missing

	// The drainer's own.
	taken   []byte // set-up records under way
	at      int    // taken[at:] is left
	next    uint64 // seq of the next record
	scratch Record
}

// New makes a Recorder.
func New(cfg Config) (*Recorder, error) {
	if cfg.Ring == 0 {
		cfg.Ring = DefaultRing
	}
	if cfg.Setup == 0 {
		cfg.Setup = DefaultSetup
	}
	if cfg.Ring < MinRing || cfg.Ring > ring.MaxCapacity {
		return nil, fmt.Errorf("tape: Ring of %d bytes is not in %d..%d", cfg.Ring, MinRing, ring.MaxCapacity)
	}
	if cfg.Setup < 0 {
		return nil, fmt.Errorf("tape: Setup of %d bytes is negative", cfg.Setup)
	}
	if cfg.Secrets && !cfg.BelowTLS {
		return nil, errors.New("tape: Secrets are for BelowTLS: above TLS there is nothing to decrypt")
	}
	b, err := ring.NewBytes(ring.Config{Capacity: cfg.Ring})
	if err != nil {
		return nil, err
	}
	touch(b)
	return &Recorder{cfg: cfg, clock: clock.Monotonic{}, ring: b, next: 1}, nil
}

// touch has the system give b its memory now: the reactor would else wait for each
// page, twice as long as a copy into it takes.
func touch(b *ring.Bytes) {
	for range b.Cap()/b.MaxMessage() + 1 {
		if p, res := b.TryClaim(b.MaxMessage(), 1); res == ring.Accepted {
			clear(p)
			b.Commit(len(p))
			_, _ = b.Peek() // over the padding
			b.Release()
		}
	}
}

// Lost is how many records were lost for want of room, in the ring or on the side of
// the set-ups. Any goroutine.
func (r *Recorder) Lost() uint64 { return r.lost.Load() }

// Backlog is how many bytes wait for the drainer in the ring, and its size. Any
// goroutine.
func (r *Recorder) Backlog() (bytes, size int) { return r.ring.Len(), r.ring.Cap() }

// hot records rec on the reactor's goroutine. It reports whether there was room.
func (r *Recorder) hot(rec *Record) bool {
	if r.missing > 0 && rec.Kind != KindMissing {
		lost := Record{Kind: KindMissing, At: rec.At, Arg: r.missing}
		if !r.put(&lost) {
			r.miss()
			return false
		}
		r.missing = 0
	}
	if !r.put(rec) {
		r.miss()
		return false
	}
	return true
}

func (r *Recorder) miss() {
	r.missing++
	r.lost.Add(1)
}

func (r *Recorder) put(rec *Record) bool {
	size := rec.size()
	b, res := r.ring.TryClaim(size, 1)
	if res != ring.Accepted {
		return false
	}
	if !r.open {
		r.open = true
		r.turn++
	}
	rec.Turn, rec.Begin, rec.Parked = r.turn, r.begin, r.parked
	rec.Seq = r.seq.Add(1) // when it is certain that there will be a record
	rec.put(b)
	r.ring.Commit(size)
	return true
}

// aside records rec on any other goroutine. It reports whether there was room; for
// how the recording begins and ends, which takes little, there always is.
func (r *Recorder) aside(rec *Record) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended.Load() {
		return true // a set-up that the reactor has left behind: of no account
	}
	rec.Flags |= Setup
	framing := rec.Kind == KindBegin || rec.Kind == KindEnd || rec.Kind == KindMissing && rec.Conn == 0
	if len(r.setup)+lengthSize+rec.size() > r.cfg.Setup && !framing {
		r.absent++
		r.lost.Add(1)
		return false
	}
	if r.absent > 0 {
		lost := Record{Kind: KindMissing, Flags: Setup, At: rec.At, Arg: r.absent}
		r.absent = 0
		r.keep(&lost)
	}
	r.keep(rec)
	if rec.Kind == KindEnd {
		r.ended.Store(true)
	}
	return true
}

// lengthSize is what stands before a record of a set-up: its length.
const lengthSize = 4

func (r *Recorder) keep(rec *Record) {
	rec.Seq = r.seq.Add(1)
	size := rec.size()
	r.setup = append(r.setup, byte(size), byte(size>>8), byte(size>>16), byte(size>>24))
	r.setup = rec.Append(r.setup, true)
}

// Drain hands out up to limit records in the order of Seq and returns how many; the
// record is fn's until it returns. It does not wait. One goroutine at a time may
// call it: the writer. final, when nobody records any more, also hands out what
// lies behind a record that was begun and never finished.
func (r *Recorder) Drain(limit int, final bool, fn func(*Record)) (n int) {
	for ; n < limit; n++ {
		if !r.drainOne(final, fn) {
			break
		}
	}
	return n
}

func (r *Recorder) drainOne(final bool, fn func(*Record)) bool {
	// The reactor's next and the set-ups' next: the one whose turn it is.
	_, hot := r.ring.Peek()
	var aside []byte
	rec := &r.scratch
	fromRing := hot != nil && seqOf(hot) == r.next
	if !fromRing {
		aside = r.peekAside()
		if ready := aside != nil && seqOf(aside) == r.next; !ready && !final {
			return false // somebody is between taking a number and publishing it
		}
		fromRing = hot != nil && (aside == nil || seqOf(hot) < seqOf(aside))
	}
	switch {
	case fromRing:
		_, _ = rec.Parse(hot)
	case aside != nil:
		_, _ = rec.Parse(aside)
	default:
		return false
	}
	r.next = rec.Seq + 1
	fn(rec)
	if fromRing {
		r.ring.Release()
	} else {
		r.at += lengthSize + len(aside)
	}
	return true
}

// peekAside is the next record of the set-ups, or nil.
func (r *Recorder) peekAside() []byte {
	if r.at == len(r.taken) {
		empty := r.taken[:0]
		if cap(empty) > keepSetup {
			empty = nil
		}
		r.mu.Lock()
		r.taken, r.setup, r.at = r.setup, empty, 0
		r.mu.Unlock()
	}
	if r.at == len(r.taken) {
		return nil
	}
	b := r.taken[r.at:]
	size := int(b[0]) | int(b[1])<<8 | int(b[2])<<16 | int(b[3])<<24
	return b[lengthSize : lengthSize+size]
}

// keepSetup is the memory for records of set-ups that stays when it is not needed.
const keepSetup = 1 << 20

func seqOf(b []byte) uint64 {
	return uint64(b[8]) | uint64(b[9])<<8 | uint64(b[10])<<16 | uint64(b[11])<<24 |
		uint64(b[12])<<32 | uint64(b[13])<<40 | uint64(b[14])<<48 | uint64(b[15])<<56
}

// Ended reports whether the reactor has ended: nothing more comes. Any goroutine.
func (r *Recorder) Ended() bool { return r.ended.Load() }

// Name is that of the reactor. The drainer may ask after the first record.
func (r *Recorder) Name() string { return r.name }

// distance is CLOCK_REALTIME minus c.
func distance(c clock.Clock) int64 {
	if p, ok := c.(*Player); ok { // a replay is recorded
		return p.distance
	}
	return time.Now().UnixNano() - c.Now()
}

// stampSize is the length of a stamp in KindRead's Text: software, hardware.
const stampSize = 16

// fullMessage is the longest data of a record that fits into the ring.
func (r *Recorder) fullMessage() int { return r.ring.MaxMessage() - HeaderSize - stampSize }
