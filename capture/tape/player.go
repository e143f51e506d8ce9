package tape

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/clock"
)

// Errors of a replay.
var (
	// ErrEnd says that the recording has been played to its end.
	ErrEnd = errors.New("tape: end of the recording")
	// ErrAborted says that Player.Abort has ended the replay.
	ErrAborted = errors.New("tape: replay aborted")
	// ErrNoBegin says that a recording does not begin with how it began, so that
	// nothing can be replayed from it.
	ErrNoBegin = errors.New("tape: the recording has no beginning")
)

// DefaultMaxSetup bounds what a Player keeps of all set-ups, in bytes.
const DefaultMaxSetup = 1 << 30

// DefaultPatience is that of a PlayConfig.
const DefaultPatience = 30 * time.Second

// PlayConfig is how a Player plays. The zero value is useful: as fast as possible.
type PlayConfig struct {
	// Speed is how fast time passes: 1 as it was recorded, 10 ten times as fast.
	// 0: the next turn comes when the last one is done.
	Speed float64
	// OnDivergence is told of each difference between what was recorded and what
	// happens now, on the goroutine on which it happens. Default: they are kept, see
	// Player.Divergences.
	OnDivergence func(*Divergence)
	// Patience bounds how long a turn waits for what a set-up reports: it has nothing
	// to wait for, so only a busy machine, or a set-up that has become another one,
	// needs time. Default DefaultPatience.
	Patience time.Duration
	// MaxSetup bounds the memory for the records of set-ups, in bytes; those of
	// streams without a reactor (Bare) are among them. Default DefaultMaxSetup.
	MaxSetup int64
}

// Player lets what was recorded come in again. It is given to a reactor as
// Config.Replay: the reactor then has its clock, randomness, streams and mail from
// the recording, and each of its turns, Poll for one, is a recorded turn. Endpoints
// are registered as they were when it was recorded, and recognised by their names;
// those that are not registered are left out. One Player plays once.
type Player struct {
	cfg      PlayConfig
	src      Source
	name     string
	seed     [32]byte
	distance int64
	complete bool  // it was recorded to the end of the reactor
	stopAt   int64 // when its orderly end began; 0: it did not
	missing  int64 // records
	names    []string
	setups   map[uint32]*queues

	now     atomic.Int64
	number  atomic.Uint64 // of the turn that is played
	used    atomic.Bool
	aborted atomic.Bool

	// The reactor goroutine's own.
	ahead   *Record // read, of the turn that comes next
	ended   error
	turn    Turn
	live    map[uint32]*Played
	started bool
	first   int64 // Begin of the first turn, and when it was played
	at      int64

	mu     sync.Mutex
	kept   []*Divergence
	differ int
}

// Turn is a turn that was recorded: its records are valid until the next one.
type Turn struct {
	Number        uint64
	Begin, Parked int64
	Records       []Record
	memory        []byte
}

// NewPlayer reads the recording through once, for the set-ups in it. Errors are those
// of reading, ErrNoBegin, and one that says that set-ups are larger than MaxSetup.
func NewPlayer(recording Recording, cfg PlayConfig) (*Player, error) {
	if cfg.MaxSetup == 0 {
		cfg.MaxSetup = DefaultMaxSetup
	}
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	if cfg.Speed < 0 {
		return nil, fmt.Errorf("tape: a speed of %v is negative", cfg.Speed)
	}
	p := &Player{cfg: cfg, setups: make(map[uint32]*queues), live: make(map[uint32]*Played)}
	if err := p.scan(recording); err != nil {
		return nil, err
	}
	var err error
	if p.src, err = recording.Open(); err != nil {
		return nil, err
	}
	return p, nil
}

// scan reads what the set-ups of all connections have recorded.
func (p *Player) scan(recording Recording) error {
	src, err := recording.Open()
	if err != nil {
		return err
	}
	defer src.Close()
	begun, size := false, int64(0)
	for {
		rec, err := src.Next()
		switch {
		case err == io.EOF && !begun:
			return ErrNoBegin
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		switch rec.Kind {
		case KindBegin:
			if !begun {
				begun = true
				p.name, p.distance = string(rec.Text), rec.Arg
				copy(p.seed[:], rec.Data)
				p.now.Store(rec.At)
			}
			continue
		case KindEnd:
			p.complete = true
			continue
		case KindRegister:
			p.names = append(p.names, string(rec.Text))
			continue
		case KindStop:
			p.stopAt = rec.Begin
			continue
		case KindMissing:
			if rec.Conn == 0 {
				p.missing += rec.Arg
			}
		}
		if rec.Flags&Setup == 0 && rec.Kind == KindOutcome {
			if q := p.setups[rec.Conn]; q != nil {
				q.ended = true
			}
		}
		if rec.Flags&Setup == 0 || rec.Conn == 0 {
			continue
		}
		if size += int64(rec.size()); size > p.cfg.MaxSetup {
			return fmt.Errorf("tape: the set-ups in the recording take over %d bytes (PlayConfig.MaxSetup)", p.cfg.MaxSetup)
		}
		q := p.setups[rec.Conn]
		if q == nil {
			q = new(queues)
			p.setups[rec.Conn] = q
		}
		q.add(keep(rec))
	}
}

// keep is a copy of rec with memory of its own.
func keep(rec *Record) Record {
	own := *rec
	own.Text = append([]byte(nil), rec.Text...)
	own.Data = append([]byte(nil), rec.Data...)
	return own
}

// Name is that of the reactor that was recorded. Endpoints are the names of the
// endpoints that it had, in the order in which they began. Any goroutine.
func (p *Player) Name() string { return p.name }

// Endpoints see Name.
func (p *Player) Endpoints() []string { return p.names }

// Complete reports whether the recording goes to the end of the reactor. If not, it
// was cut, or the process was killed. Any goroutine.
func (p *Player) Complete() bool { return p.complete }

// Missing is how many records were lost when it was recorded: a replay cannot be exact
// from the first of them on. Any goroutine.
func (p *Player) Missing() int64 { return p.missing }

// Stops says whether the recording's own orderly end is to come within a second of
// the turn that is played: a handler that has the reactor stopped does so again, and
// then that end is played instead of ending at once.
func (p *Player) Stops() bool {
	left := float64(p.stopAt - p.now.Load())
	if p.cfg.Speed > 0 && p.cfg.Speed < 1 { // nor longer than a second from now
		left /= p.cfg.Speed
	}
	return p.stopAt != 0 && left <= float64(time.Second)
}

// Now implements clock.Clock: the time of the turn that is played. Any goroutine.
func (p *Player) Now() int64 { return p.now.Load() }

// Patience is that of the configuration. Any goroutine.
func (p *Player) Patience() time.Duration { return p.cfg.Patience }

// Turn is the number, in the recording, of the turn that was played last; 0: none.
// Any goroutine.
func (p *Player) Turn() uint64 { return p.number.Load() }

// Wall is Now by the wall clock of then.
func (p *Player) Wall() time.Time { return time.Unix(0, p.now.Load()+p.distance) }

// Abort ends the replay: the next turn is the last. Any goroutine.
func (p *Player) Abort() { p.aborted.Store(true) }

// Close ends the reading of the recording. The reactor calls it in the end; who has
// made a Player that no reactor plays does.
func (p *Player) Close() error {
	if p.ended != nil {
		return nil
	}
	p.ahead, p.ended = nil, ErrAborted
	return p.src.Close()
}

// Use gives the player to a reactor, and returns the source of its randomness.
// ErrInUse: it has played already.
func (p *Player) Use() (rand.Source, error) {
	if !p.used.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: a Player plays once", ErrInUse)
	}
	return newSeeded(p.seed), nil
}

// Next returns the turn that comes next, or how long it is until it comes. ErrEnd
// and ErrAborted end the replay. The reactor calls it.
func (p *Player) Next() (turn *Turn, wait time.Duration, err error) {
	if p.aborted.Load() {
		return nil, 0, ErrAborted
	}
	if p.ahead == nil && p.ended == nil {
		p.advance()
	}
	if p.ahead == nil {
		return nil, 0, p.ended
	}
	if !p.started {
		p.started, p.first, p.at = true, p.ahead.Begin, clock.Nano()
	}
	if p.cfg.Speed > 0 {
		due := p.at + int64(float64(p.ahead.Begin-p.first)/p.cfg.Speed)
		if wait := due - clock.Nano(); wait > 0 {
			return nil, time.Duration(wait), nil
		}
	}
	p.load()
	return &p.turn, 0, nil
}

// advance reads on to the next record of the reactor.
func (p *Player) advance() {
	for {
		rec, err := p.src.Next()
		if err != nil {
			if err == io.EOF {
				err = ErrEnd
			}
			p.ahead, p.ended = nil, errors.Join(err, p.src.Close())
			if err == ErrEnd && errors.Is(p.ended, ErrEnd) {
				p.ended = ErrEnd
			}
			return
		}
		if rec.Flags&Setup == 0 && rec.Turn > 0 {
			p.ahead = rec
			return
		}
	}
}

// load reads the turn that p.ahead begins.
func (p *Player) load() {
	t := &p.turn
	t.Number, t.Begin, t.Parked = p.ahead.Turn, p.ahead.Begin, 0
	t.Records, t.memory = t.Records[:0], t.memory[:0]
	for p.ahead != nil && p.ahead.Turn == t.Number {
		rec := *p.ahead
		t.Parked = max(t.Parked, rec.Parked)
		at := len(t.memory)
		t.memory = append(append(t.memory, rec.Text...), rec.Data...)
		middle := at + len(rec.Text)
		rec.Text, rec.Data = t.memory[at:middle:middle], t.memory[middle:len(t.memory):len(t.memory)]
		t.Records = append(t.Records, rec)
		p.advance()
	}
	p.now.Store(t.Begin)
	p.number.Store(t.Number)
	for i := range t.Records {
		if c := p.live[t.Records[i].Conn]; c != nil {
			if t.Records[i].Flags&Setup == 0 {
				c.hot.add(t.Records[i])
			}
		}
	}
}

// Park moves the time on to when the turn had parked.
func (p *Player) Park() {
	if p.turn.Parked != 0 {
		p.now.Store(p.turn.Parked)
	}
}

// Done says that the turn was played: what it did not use of its records is a
// divergence, except for reads, which are offered again.
func (p *Player) Done() {
	for _, c := range p.live {
		c.settle()
	}
}

// seeded is a source that says what it was made from.
type seeded struct {
	*rand.ChaCha8
	seed [32]byte
}

func newSeeded(seed [32]byte) *seeded { return &seeded{rand.NewChaCha8(seed), seed} }

// values hands out numbers, then those of a source of a seed of zeros.
type values struct {
	left []byte
	then *rand.ChaCha8
}

// Uint64 implements rand.Source.
func (v *values) Uint64() uint64 {
	if len(v.left) >= 8 {
		n := binary.LittleEndian.Uint64(v.left)
		v.left = v.left[8:]
		return n
	}
	if v.then == nil {
		v.then = rand.NewChaCha8([32]byte{})
	}
	return v.then.Uint64()
}
