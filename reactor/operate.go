package reactor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// Errors of what an operator asks for.
var (
	// ErrNoEndpoint says that no endpoint has the name asked for; the error is a
	// *NoEndpointError.
	ErrNoEndpoint = errors.New("reactor: no such endpoint")
	// ErrNoConnection says that an endpoint has no connection to drop.
	ErrNoConnection = errors.New("reactor: no connection to drop")
)

// NoEndpointError says which name no endpoint has. It is ErrNoEndpoint.
type NoEndpointError struct {
	Name string
	Near []string // names that are like it, the likest first; at most 5
}

func (e *NoEndpointError) Error() string {
	s := fmt.Sprintf("%v: %q", ErrNoEndpoint, e.Name)
	if len(e.Near) > 0 {
		s += fmt.Sprintf(": did you mean %q", e.Near[0])
		for _, n := range e.Near[1:] {
			s += fmt.Sprintf(" or %q", n)
		}
		s += "?"
	}
	return s
}

// Unwrap returns ErrNoEndpoint.
func (e *NoEndpointError) Unwrap() error { return ErrNoEndpoint }

// SetIdle changes how Run waits for work, in the reactor's next turn; if it has
// parked it is woken for that. A reactor driven by Poll keeps the strategy for a
// later Run. It does not wait for the turn: [Reactor.Sync] does. Any goroutine
// may call it; it allocates. Errors: ErrMailboxFull, ErrClosed, and those of New for
// a strategy that cannot be had in this process.
func (r *Reactor) SetIdle(s idle.Strategy) error {
	c := r.cfg
	c.Idle = s
	s, instead, err := c.strategy()
	if err != nil {
		return err
	}
	return r.post(mail{kind: mailCall, call: func() { r.useIdle(s, instead) }})
}

// using is the idle strategy at work and, if it is not the one that was asked for,
// why.
type using struct {
	strategy idle.Strategy
	instead  error
}

func (r *Reactor) useIdle(s idle.Strategy, instead error) {
	r.endWaiting()
	r.strategy, r.idler = s, idle.NewWaiter(s)
	r.using.Store(&using{s, instead})
	r.counts.idle.Set(s.String())
	if r.turning { // neither under Poll nor in the orderly end
		r.beginWaiting()
	}
}

// Idle is the idle strategy at work: that of Config.Idle or of the last SetIdle, or
// what IdleFallback says. Any goroutine may call it.
func (r *Reactor) Idle() idle.Strategy { return r.using.Load().strategy }

// IdleFallback is why the strategy at work is not the one asked for, nil when it is:
// idle.SpinWait is idle.Spin on a machine without an invariant time stamp counter
// (idle.ErrCounter). Any goroutine may call it.
func (r *Reactor) IdleFallback() error { return r.using.Load().instead }

// ResetHistograms empties the reactor's histograms and those of its endpoints, in
// its next turn, and begins anew with what was most: the longest turn, the fullest
// queues, the log of distinct errors. Counters go on. Each histogram costs that turn
// some microseconds. Any goroutine may call it. Errors: ErrMailboxFull, ErrClosed.
func (r *Reactor) ResetHistograms() error {
	return r.post(mail{kind: mailCall, call: func() {
		r.counts.reset()
		for _, s := range r.slots {
			if s != nil {
				s.cells.reset()
			}
		}
		r.reset = r.now
	}})
}

// Drop ends the current connection, or the set-up under way, of each endpoint
// called name, in the reactor's next turn and at once: no close frame is sent.
// OnLoss is told by a *endpoint.DroppedError that holds why, and the endpoint goes
// on by its policy. It returns of how many endpoints a connection is dropped, as
// they stood at the call, and does not wait for the turn: [Reactor.Sync] does. Any
// goroutine may call it; it allocates. Errors: ErrNoEndpoint; ErrNoConnection, when
// none of them has one, with their states; ErrMailboxFull, ErrClosed.
func (r *Reactor) Drop(name, why string) (n int, err error) {
	if r.closed.Load() {
		return 0, ErrClosed
	}
	var ids []ID
	var names, states []string
	for _, i := range r.Endpoints() {
		switch {
		case i.Name != name:
			names = append(names, i.Name)
		case i.State.InSetup() || i.State == endpoint.Open:
			ids = append(ids, i.ID)
		default:
			states = append(states, i.State.String())
		}
	}
	switch {
	case len(ids)+len(states) == 0:
		return 0, &NoEndpointError{Name: name, Near: near(name, names)}
	case len(ids) == 0:
		return 0, fmt.Errorf("%w: endpoint %q is in state %s", ErrNoConnection, name, strings.Join(states, ", "))
	}
	return len(ids), r.post(mail{kind: mailCall, call: func() {
		defer r.hot(r.cold()) // OnLoss
		for _, id := range ids {
			if s := r.slotOf(id); s != nil && s.conns[current] != nil {
				if r.replay != nil && r.replayComes(s, tape.KindDrop) {
					continue
				}
				if r.tape != nil {
					r.tape.Endpoint(tape.KindDrop, id.Slot, why, 0)
				}
				r.lose(s.conns[current], &endpoint.DroppedError{Why: why})
			}
		}
	}})
}

// Sync waits until the reactor has handled what this goroutine had asked of it
// before. It must not be called on the reactor's goroutine, where it would wait for
// itself. When the deadline of ctx passes first the error is a *StuckError, else the
// cause of ctx's end; ErrClosed when the reactor has ended.
func (r *Reactor) Sync(ctx context.Context) error { return r.ask(ctx, func() {}) }

// ask has f run on the reactor's goroutine and waits for that. After an error f may
// still run.
func (r *Reactor) ask(ctx context.Context, f func()) error {
	began := time.Now()
	ran := make(chan struct{})
	m := mail{kind: mailCall, call: func() { f(); close(ran) }}
	for posted := false; ; {
		var again <-chan time.Time
		if !posted {
			switch err := r.post(m); err {
			case nil:
				posted = true
			case ErrMailboxFull:
				again = time.After(time.Millisecond)
			default:
				return err
			}
		}
		select {
		case <-ran:
			return nil
		case <-r.done:
			select { // it may have run just before the end
			case <-ran:
				return nil
			default:
				return ErrClosed
			}
		case <-ctx.Done():
			select { // it may have run as the time passed
			case <-ran:
				return nil
			default:
			}
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return r.stuck(time.Since(began), context.Cause(ctx))
			}
			return context.Cause(ctx)
		case <-again:
		}
	}
}

// near are the names most like name.
func near(name string, names []string) []string {
	const most = 5
	type rated struct {
		name string
		far  int
	}
	var found []rated
	slices.Sort(names)
	wanted := strings.ToLower(name)
	for _, n := range slices.Compact(names) {
		low := strings.ToLower(n)
		far := distance(wanted, low)
		if wanted != "" && (strings.Contains(low, wanted) || strings.Contains(wanted, low)) {
			far = min(far, 1)
		}
		if far <= max(len(wanted)/4, 1) {
			found = append(found, rated{n, far})
		}
	}
	slices.SortStableFunc(found, func(a, b rated) int { return a.far - b.far })
	var out []string
	for _, f := range found[:min(len(found), most)] {
		out = append(out, f.name)
	}
	return out
}

// distance is how many bytes must be added, removed or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of a's prefix so far, to each prefix of b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
