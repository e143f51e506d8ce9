package reactor

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stream"
)

// Dump is how a reactor stood between two pieces of work of one turn, for an
// operator and, as JSON, for programs. Times are relative to that moment, in
// nanoseconds: a time to come that is 0 is not set, one that is over is 1.
type Dump struct {
	Name string    `json:"name"`
	At   time.Time `json:"at"` // wall clock

	// Stuck is set when the reactor did not turn while the dump was waited for.
	// What only its goroutine knows is then not there: see the other fields.
	Stuck *Stuck `json:"stuck,omitempty"`
	// Closing says that an orderly end is under way.
	Closing bool `json:"closing"`

	Idle     string     `json:"idle"` // the strategy in use
	Config   DumpConfig `json:"config"`
	Thread   int        `json:"thread"`    // the kernel's id of the thread that drives it; -1: not known
	CPU      int        `json:"cpu"`       // where that ran; -1: not known
	MailWait int        `json:"mail_wait"` // messages waiting in the mailbox
	Timers   int        `json:"timers"`    // timers set; not known when stuck
	// NextTimer is when the first of them is due.
	NextTimer time.Duration `json:"next_timer_in_ns,omitzero"`
	Ready     int           `json:"ready"` // connections with input to be read; not known when stuck
	// HistogramsFor is since when the histograms count; not known when stuck.
	HistogramsFor time.Duration `json:"histograms_for_ns,omitzero"`
	// Counters are the numbers of Reactor.Block by their names, as last published.
	Counters  map[string]int64 `json:"counters"`
	Endpoints []EndpointDump   `json:"endpoints"` // in the order of their places

	conns []ConnectionDump // of all endpoints
}

// DumpConfig is what matters of a Config.
type DumpConfig struct {
	CPU          string        `json:"cpu"`
	Selector     string        `json:"selector"`
	BusyPoll     string        `json:"busy_poll,omitempty"`
	MaxEndpoints int           `json:"max_endpoints"`
	Mailbox      int           `json:"mailbox"` // its capacity
	OnPanic      string        `json:"on_panic"`
	CloseTimeout time.Duration `json:"close_timeout_ns"`
}

// Stuck says that a reactor does not turn, see StuckError.
type Stuck struct {
	Text   string        `json:"text"`
	Waited time.Duration `json:"waited_ns"`
	Driven bool          `json:"driven"`
	Stack  string        `json:"stack,omitempty"`
}

// EndpointDump is how an endpoint stood.
type EndpointDump struct {
	ID    string        `json:"id"`
	Name  string        `json:"name"`
	Type  string        `json:"type"` // the Go type
	State string        `json:"state"`
	For   time.Duration `json:"state_for_ns"` // how long in that state

	Losing      int           `json:"attempts"`               // losses since the last healthy connection
	MaxAttempts int           `json:"max_attempts,omitempty"` // 0: it never gives up
	Retry       time.Duration `json:"retry_in_ns,omitzero"`   // the next try
	Renewal     time.Duration `json:"renewal_in_ns,omitzero"` // what renewal does next

	Messages int64     `json:"messages"` // received over all connections
	Bytes    int64     `json:"bytes"`
	Opens    int64     `json:"opens"`
	Losses   int64     `json:"losses"`
	LastLoss *LossDump `json:"last_loss"` // null: there was none

	Connections []ConnectionDump `json:"connections"` // not known when stuck

	// As it was taken, before it was put into words.
	id       ID
	state    endpoint.State
	proto    endpoint.Protocol
	loss     *endpoint.LossError
	lostFor  time.Duration
	from, to int // Connections in those of all endpoints
}

// LossDump is a *endpoint.LossError.
type LossDump struct {
	Ago     time.Duration `json:"ago_ns,omitzero"` // not known when stuck
	Text    string        `json:"text"`
	Summary string        `json:"summary"` // in a few words
	Phase   string        `json:"phase"`
	Code    int           `json:"code,omitempty"`
	Conn    uint32        `json:"conn"`
	Attempt int           `json:"attempt"`
	Unsent  int           `json:"unsent_bytes"`
}

// ConnectionDump is how one connection of an endpoint stood.
type ConnectionDump struct {
	ID     uint32         `json:"id"`
	Role   string         `json:"role"` // current, next or leaving
	State  string         `json:"state"`
	For    time.Duration  `json:"state_for_ns"`
	FD     int            `json:"fd"` // -1: none
	Local  netip.AddrPort `json:"local,omitzero"`
	Remote netip.AddrPort `json:"remote,omitzero"` // behind a proxy: the proxy

	Queued   int           `json:"queued_bytes"` // accepted and not taken by the kernel
	Messages int64         `json:"messages"`
	Bytes    int64         `json:"bytes"`
	Quiet    time.Duration `json:"no_data_for_ns,omitzero"` // while open

	// The timers that are set.
	Deadline time.Duration `json:"state_deadline_in_ns,omitzero"`
	Timer    time.Duration `json:"protocol_timer_in_ns,omitzero"` // pings, SetTimer
	Stale    time.Duration `json:"stale_check_in_ns,omitzero"`
	Read     time.Duration `json:"read_in_ns,omitzero"` // of a stream without a descriptor
}

var roleNames = [roles]string{"current", "next", "leaving"}

// Dump tells how the reactor and all its endpoints stand. It is taken in the
// reactor's turn, so it is consistent; that costs the turn about 0.1 µs for each
// endpoint, and words are found and memory is made on the caller's goroutine. It
// must not be called on the reactor's own, where it would wait for itself.
//
// When the deadline of ctx passes first, the answer is what can be known from
// outside, with Stuck set and a stack of where the reactor is. Errors: ErrClosed,
// and the cause of another end of ctx.
func (r *Reactor) Dump(ctx context.Context) (*Dump, error) {
	places := r.places()
	d := &Dump{Endpoints: make([]EndpointDump, 0, places), conns: make([]ConnectionDump, 0, places)}
	err := r.ask(ctx, func() { r.look(d) })
	var stuck *StuckError
	switch {
	case errors.As(err, &stuck):
		// What was to be filled is the reactor's: it may still come to it.
		d = r.outside()
		d.Stuck = &Stuck{Text: stuck.Error(), Waited: stuck.Waited, Driven: stuck.Driven, Stack: stuck.Stack}
	case err != nil:
		return nil, err
	}
	d.finish(r)
	return d, nil
}

// places is how many endpoints there may be. Any goroutine.
func (r *Reactor) places() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.table)
}

// look copies what there is to see. Reactor only.
func (r *Reactor) look(d *Dump) {
	d.At = time.Now()
	d.Closing = r.closing
	d.Thread, d.CPU = where()
	d.MailWait = r.mail.length()
	d.Timers, d.Ready = len(r.timers.heap), len(r.ready)
	if at, ok := r.timers.next(); ok {
		d.NextTimer = r.until(at)
	}
	d.HistogramsFor = time.Duration(r.now - r.reset)
	for _, s := range r.slots {
		if s == nil {
			continue
		}
		e := s.dump(r.now)
		e.Losing, e.Retry, e.Renewal = s.losses, r.due(&s.retry), r.due(&s.renew)
		if s.lostAt != 0 {
			e.lostFor = max(time.Duration(r.now-s.lostAt), 1)
		}
		e.from = len(d.conns)
		for _, c := range s.conns {
			if c != nil {
				d.conns = append(d.conns, c.dump())
			}
		}
		e.to = len(d.conns)
		d.Endpoints = append(d.Endpoints, e)
	}
}

// dump is what any goroutine can see.
func (s *slot) dump(now int64) EndpointDump {
	i := s.info()
	return EndpointDump{
		Name: i.Name, id: i.ID, state: i.State, For: time.Duration(now - i.Since),
		MaxAttempts: s.policy.MaxAttempts,
		Messages:    i.Messages, Bytes: i.Bytes, Opens: i.Opens, Losses: i.Losses,
		proto: s.proto, loss: i.Loss,
	}
}

// dump is called on the reactor's goroutine.
func (c *conn) dump() ConnectionDump {
	r := c.r
	d := ConnectionDump{
		ID: c.id, Role: roleNames[c.role], State: c.machine.State().String(), FD: c.fd,
		For:      time.Duration(r.now - c.machine.Since()),
		Messages: c.messages, Bytes: c.bytes,
		Deadline: r.due(&c.state), Timer: r.due(&c.timer), Stale: r.due(&c.stale), Read: r.due(&c.again),
	}
	if c.queuer != nil {
		d.Queued = c.queuer.Queued()
	}
	if c.machine.State() == endpoint.Open {
		d.Quiet = time.Duration(r.now - c.machine.LastData())
	}
	if a, ok := c.hot.(stream.Addressed); ok {
		d.Local, d.Remote = a.LocalAddr(), a.RemoteAddr()
	}
	return d
}

// due is how long until t fires; 0: it is not set.
func (r *Reactor) due(t *timer) time.Duration {
	if t.pos == 0 {
		return 0
	}
	return r.until(t.at)
}

func (r *Reactor) until(at int64) time.Duration { return max(time.Duration(at-r.now), 1) }

// outside is what other goroutines can see of a reactor that does not turn.
func (r *Reactor) outside() *Dump {
	d := &Dump{At: time.Now(), Thread: -1, CPU: -1, Closing: r.stop.Load(), MailWait: r.mail.length()}
	now := r.now0()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.table {
		if t.slot != nil {
			d.Endpoints = append(d.Endpoints, t.slot.dump(now))
		}
	}
	return d
}

// finish puts into words what was taken. Any goroutine.
func (d *Dump) finish(r *Reactor) {
	d.Name = r.cfg.Name
	d.Idle = r.Idle().String()
	d.Config = DumpConfig{
		CPU: r.cfg.CPU.String(), Selector: r.cfg.Selector.String(),
		MaxEndpoints: r.cfg.MaxEndpoints, Mailbox: len(r.mail.cells),
		OnPanic: "isolate", CloseTimeout: r.cfg.CloseTimeout,
	}
	if r.cfg.BusyPoll.Time != 0 {
		d.Config.BusyPoll = r.cfg.BusyPoll.String()
	}
	if !r.isolate {
		d.Config.OnPanic = "crash"
	}
	d.Counters = make(map[string]int64)
	r.counts.block.Each(func(desc stats.Desc, v stats.Value) {
		if desc.Kind == stats.KindCounter || desc.Kind == stats.KindGauge {
			d.Counters[desc.Name] = v.Int
		}
	})
	if d.Endpoints == nil {
		d.Endpoints = []EndpointDump{}
	}
	for i := range d.Endpoints {
		e := &d.Endpoints[i]
		e.ID, e.State, e.Type = e.id.String(), e.state.String(), fmt.Sprintf("%T", e.proto)
		e.Connections = d.conns[e.from:e.to:e.to]
		if e.Connections == nil {
			e.Connections = []ConnectionDump{}
		}
		if l := e.loss; l != nil {
			e.LastLoss = &LossDump{
				Ago: e.lostFor, Text: l.Error(), Summary: l.Summary(), Phase: l.Phase.String(),
				Code: l.Code, Conn: l.Conn, Attempt: l.Attempt, Unsent: l.Unsent,
			}
		}
		e.proto, e.loss = nil, nil // a dump that is kept keeps nothing else
	}
}
