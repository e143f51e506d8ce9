package reactor

import (
	"fmt"
	"runtime"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// A replay (Config.Replay) is this reactor with all that comes in from a recording:
//
//	clock, randomness      the player's
//	set-ups                run at once, on goroutines of their own, against the player;
//	                       what they report is held until the recorded turn reads it
//	readiness              a connection is driven in the turns in which it was read
//	timers                 fire by themselves: the times are the same
//
// Calls that come through the mailbox (Dispatch) are made when they come.

// replay is the state of it.
type replay struct {
	player  *tape.Player
	turn    *tape.Turn
	waiting []*slot          // registered, and not begun
	slots   map[uint32]*slot // by their place in the recording
	places  map[*slot]uint32
	conns   map[uint32]*conn // by their number in the recording
}

// prepare fills in what a replay brings.
func prepare(cfg *Config) {
	p := cfg.Replay
	if cfg.Name == "" {
		cfg.Name = p.Name()
	}
	cfg.Idle, cfg.CPU = idle.Backoff, Config{}.CPU
	cfg.Seams.Clock, cfg.Seams.Limiter = p, nil
	cfg.Seams.Dial, cfg.Seams.Resolver, cfg.Seams.Rand = nil, nil, nil
	cfg.Seams.Executor = func(task func()) { go task() }
}

func newReplay(p *tape.Player) *replay {
	return &replay{player: p, slots: make(map[uint32]*slot), places: make(map[*slot]uint32), conns: make(map[uint32]*conn)}
}

// replayTurn plays the next recorded turn, or waits for its time, at most wait.
func (r *Reactor) replayTurn(wait time.Duration) (work int, err error) {
	p := r.replay.player
	if r.stop.Load() && !r.closing && !p.Stops() {
		return 0, tape.ErrAborted
	}
	t, late, err := p.Next()
	switch {
	case err != nil:
		r.replayEnds()
		return 0, err
	case t == nil:
		time.Sleep(min(wait, late))
		return 0, nil
	}
	r.replay.turn = t
	r.now = t.Begin
	r.counts.settle(r.now)
	if r.tape != nil {
		r.recordTurn()
	}
	r.house.refill()
	r.takeMail()
	for i := range t.Records {
		work += r.replayMail(&t.Records[i])
	}
	r.replaySent() // what was sent until now came in by records
	work += r.fireTimers()
	if t.Parked != 0 {
		p.Park()
		r.now = t.Parked
		r.recordPark()
	}
	for i := range t.Records {
		if rec := &t.Records[i]; rec.Kind == tape.KindWritable {
			if c := r.replay.conns[rec.Conn]; c != nil && !c.dead && c.hot != nil {
				if c.tape != nil {
					c.tape.Writable()
				}
				r.writable(c)
			}
		}
	}
	for i := range t.Records {
		if rec := &t.Records[i]; rec.Kind == tape.KindRead {
			if c := r.replay.conns[rec.Conn]; c != nil && c.hot != nil {
				r.markReady(c)
			}
		}
	}
	for _, c := range r.conns { // reads that were not made when they were recorded
		if c != nil && c.played != nil && c.played.Pending() {
			r.markReady(c)
		}
	}
	work += r.driveReady()
	p.Done()
	r.counts.turn(work)
	if r.now-r.ringsAt >= int64(maxRingAge) {
		r.publishRings()
	}
	return work, nil
}

// takeMail reads the mailbox: calls are made, endpoints and what set-ups report are
// kept until the recording says so.
func (r *Reactor) takeMail() {
	for {
		m, ok := r.mail.pop()
		if !ok {
			return
		}
		switch m.kind {
		case mailCall:
			m.call()
		case mailRegister:
			r.replay.waiting = append(r.replay.waiting, m.slot)
		case mailDeregister:
			if !r.replayComes(m.slot, tape.KindDeregister) {
				r.readLife(&m)
			}
		default:
			m.conn.held = append(m.conn.held, m)
		}
		r.counts.mail++
	}
}

// replayMail does what came in by mail or from other reactors.
func (r *Reactor) replayMail(rec *tape.Record) int {
	rp := r.replay
	s := rp.slots[rec.Slot]
	switch rec.Kind {
	case tape.KindRegister:
		r.replayRegister(rec)
	case tape.KindDeregister:
		if s == nil {
			return 0
		}
		r.readLife(&mail{kind: mailDeregister, slot: s})
	case tape.KindDrop:
		if s == nil || s.conns[current] == nil {
			return 0
		}
		if r.tape != nil {
			r.tape.Endpoint(tape.KindDrop, s.id.Slot, string(rec.Text), 0)
		}
		r.lose(s.conns[current], &endpoint.DroppedError{Why: string(rec.Text)})
	case tape.KindPhase, tape.KindOutcome:
		c := rp.conns[rec.Conn]
		if c == nil {
			return 0 // of an endpoint that is not registered
		}
		r.replayReport(c, rec)
	case tape.KindMessage:
		r.replayMessage(rec)
	case tape.KindStop:
		r.replayStop()
	case tape.KindMissing:
		if rec.Conn == 0 {
			r.diverge(nil, 0, fmt.Sprintf("%d records are missing here: they were lost when it was recorded", rec.Arg))
		}
	default:
		return 0
	}
	return 1
}

// replayRegister begins an endpoint: that of the name, or the only one if there was
// only one.
func (r *Reactor) replayRegister(rec *tape.Record) {
	rp := r.replay
	at := -1
	for i, s := range rp.waiting {
		if s.name == string(rec.Text) {
			at = i
			break
		}
	}
	if at < 0 && len(rp.waiting) == 1 && len(rp.player.Endpoints()) == 1 {
		at = 0
	}
	if at < 0 {
		return
	}
	s := rp.waiting[at]
	rp.waiting = append(rp.waiting[:at], rp.waiting[at+1:]...)
	rp.slots[rec.Slot], rp.places[s] = s, rec.Slot
	r.readLife(&mail{kind: mailRegister, slot: s})
}

// replayReport reads what a set-up reports now, as it did then.
func (r *Reactor) replayReport(c *conn, rec *tape.Record) {
	for until := clock.Nano() + int64(r.replay.player.Patience()); len(c.held) == 0; {
		// Looked at before the mail, which it had posted before.
		stuck := !c.dead && c.played.Stuck() || c.reported || r.stop.Load() && !r.closing
		r.takeMail()
		if len(c.held) > 0 {
			break
		}
		if stuck || clock.Nano() > until {
			r.diverge(c.slot, rec.Conn, "its set-up does not report what was recorded: "+reported(rec))
			return
		}
		runtime.Gosched()
	}
	m := c.held[0]
	wanted := mailPhase
	if rec.Kind == tape.KindOutcome {
		wanted = mailOutcome
	}
	if m.kind != wanted || m.kind == mailPhase && m.state != endpoint.State(rec.Arg) {
		r.diverge(c.slot, rec.Conn, "its set-up reports something else than was recorded: "+reported(rec))
		if wanted == mailPhase && m.kind == mailOutcome {
			return // its turn comes
		}
	}
	c.held = c.held[1:]
	if (m.err != nil) != (rec.Err.Class != tape.OK) && m.kind == mailOutcome && rec.Kind == tape.KindOutcome {
		r.diverge(c.slot, rec.Conn, fmt.Sprintf("its set-up ends with: %v; recorded: %v", m.err, rec.Err.Err()))
	}
	if m.kind == mailOutcome {
		c.reported = true
		delete(r.replay.conns, rec.Conn)
		if m.err == nil && !c.dead {
			r.replay.conns[rec.Conn] = c
		}
	}
	r.readLife(&m)
}

func reported(rec *tape.Record) string {
	if rec.Kind == tape.KindPhase {
		return "state " + endpoint.State(rec.Arg).String()
	}
	if err := rec.Err.Err(); err != nil {
		return "its end: " + err.Error()
	}
	return "that it is open"
}

// replayStop begins the orderly end.
func (r *Reactor) replayStop() {
	if !r.closing {
		r.stop.Raise()
		r.replaySent()
		r.beginClosing()
	}
}

// replayComes says whether the turn has a record of a kind for s that was not played
// yet: what a handler asks for by mail was recorded when that mail was read.
func (r *Reactor) replayComes(s *slot, kind tape.Kind) bool {
	place, known := r.replay.places[s]
	if !known || r.replay.turn == nil {
		return false
	}
	for i := range r.replay.turn.Records {
		if rec := &r.replay.turn.Records[i]; rec.Kind == kind && rec.Slot == place {
			return true
		}
	}
	return false
}

// replayLost ends what the recording has for c.
func (r *Reactor) replayLost(c *conn) {
	c.played.Detach()
	if c.hot != nil { // else its set-up has yet to report
		delete(r.replay.conns, c.played.Num())
	}
}

// replayRetry is when the next try of s was, computed is when it would be now.
func (r *Reactor) replayRetry(s *slot, computed int64) int64 {
	if rec := r.replayFind(s, tape.KindRetryAt); rec != nil {
		return rec.Arg
	}
	return computed
}

// replayConnect gives c its part of the recording.
func (r *Reactor) replayConnect(c *conn, seams endpoint.Seams) endpoint.Seams {
	num := uint32(0)
	if rec := r.replayFind(c.slot, tape.KindConnect); rec != nil {
		num = rec.Conn
		r.replay.conns[num] = c
	} else {
		r.diverge(c.slot, 0, "it connects, which it did not then")
	}
	c.played = r.replay.player.Connect(num, c.slot.name, seams)
	return c.played.Seams()
}

// replayFind takes the turn's next record of a kind for s.
func (r *Reactor) replayFind(s *slot, kind tape.Kind) *tape.Record {
	place, known := r.replay.places[s]
	if !known || r.replay.turn == nil {
		return nil
	}
	for i := range r.replay.turn.Records {
		if rec := &r.replay.turn.Records[i]; rec.Kind == kind && rec.Slot == place {
			rec.Kind = tape.KindTurn // taken
			return rec
		}
	}
	return nil
}

func (r *Reactor) diverge(s *slot, num uint32, what string) {
	d := &tape.Divergence{At: r.now, Conn: num, What: what}
	if s != nil {
		d.Endpoint = s.name
	}
	if r.replay.turn != nil {
		d.Turn = r.replay.turn.Number
	}
	r.replay.player.Diverge(d)
}

// replayEnds tells, once, of endpoints that the recording does not have.
func (r *Reactor) replayEnds() {
	for _, s := range r.replay.waiting {
		r.diverge(s, 0, fmt.Sprintf("it is not in the recording, which has %q", r.replay.player.Endpoints()))
		r.live++ // as one that has come too late to begin
		r.publish(s, endpoint.Event{State: endpoint.Closed})
		r.retire(s)
	}
	r.replay.waiting = nil
}

// finishReplay plays the orderly end to the end of the recording, then frees
// everything. A replay that is ended before that ends where it is.
func (r *Reactor) finishReplay() {
	for r.closing {
		_, err := r.turn(time.Millisecond)
		if err != nil {
			break
		}
	}
	r.endInbound(false)
	r.release()
}

// lateLoss is the loss of a connection that stands when everything is freed.
func (r *Reactor) lateLoss() error {
	if r.replay != nil && !(r.closing && r.replay.player.Complete()) {
		return tape.ErrEnd
	}
	return endpoint.ErrCloseDeadline
}

// wall is the time of day.
func (r *Reactor) wall() time.Time {
	switch {
	case r.replay != nil:
		return r.replay.player.Wall()
	case r.tape != nil:
		return r.tape.Wall(r.now) // which a replay can say again
	}
	return time.Now()
}

// replayMessage has a link or an inbox hand out what it handed out then.
func (r *Reactor) replayMessage(rec *tape.Record) {
	r.mu.Lock()
	known := append([]inbound(nil), r.known...)
	r.mu.Unlock()
	for _, in := range known {
		if in.base().String() == string(rec.Text) {
			if err := r.callFeed(in, rec.Data); err != nil {
				r.diverge(nil, 0, err.Error())
			}
			return
		}
	}
	r.diverge(nil, 0, fmt.Sprintf("nothing here takes the messages of the %s", rec.Text))
}

// callFeed has in hand out a message. A panic of its handler ends it, as in drain.
func (r *Reactor) callFeed(in inbound, message []byte) error {
	if !in.base().listed {
		return nil
	}
	var failed error
	if err := r.call(func() { failed = in.feed(message) }); err != nil {
		r.delist(in, err)
		r.report(in.base().failure(err))
	}
	return failed
}

// replaySent forgets what was really sent: the recording has the messages.
func (r *Reactor) replaySent() {
	for _, in := range r.inbound {
		in.forget()
	}
}

// fed makes a message of its recorded bytes.
func fed[T any](way *port, message []byte, handle func(*T)) error {
	var v T
	if b := bytesOf(&v); !plain(way.message) || len(b) != len(message) {
		return fmt.Errorf("the %v takes messages of %d bytes; recorded: %d", way, len(b), len(message))
	} else {
		copy(b, message)
	}
	handle(&v)
	return nil
}
