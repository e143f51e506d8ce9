package reactor

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// FailurePolicy says what a Group does when one of its reactors fails. A reactor
// fails when its selector does; what goes wrong in an endpoint, a link or an inbox
// ends that alone.
type FailurePolicy uint8

const (
	// StopAll ends the other reactors in order.
	StopAll FailurePolicy = iota
	// GoOn lets the others run. Links of the failed one are closed: senders into
	// it are answered ring.Closed, what it sent is still handled.
	GoOn
	// Restart begins the failed reactor anew in its place, on its thread: with a
	// new selector, and all its connections lost for the reason of the failure, so
	// that its endpoints connect again as their policies say. Endpoints, handles,
	// links, inboxes and messages waiting stay as they are. After MaxRestarts in a
	// minute it is StopAll.
	Restart
)

// GroupConfig is how a Group works. The zero value but for Reactors is useful.
type GroupConfig struct {
	// Reactors are the reactors, at least one. A Name that is empty becomes
	// "reactor-0" and so on, by place; names are unique.
	Reactors []Config
	// Placement chooses the CPUs of the reactors whose CPU is unbound. Default:
	// they stay unbound.
	Placement affinity.Policy
	// Topology is the machine that Placement and NearCPU look at. Default:
	// affinity.Local().
	Topology *affinity.Topology
	// StopOrder are the names of all reactors in the order in which they end; they
	// start in the opposite one. Each has ended before the next is told to, so that
	// whoever reads a link drains it after its sender has stopped. Default: the
	// order of Reactors. Name producers before consumers.
	StopOrder []string
	// StopTimeout bounds the end of all reactors together. When it is over, those
	// that still run are told to end at once. Default: the sum of their
	// CloseTimeouts and a second.
	StopTimeout time.Duration
	// OnFailure says what the failure of a reactor does. Default StopAll.
	OnFailure FailurePolicy
	// MaxRestarts is how often Restart begins one reactor anew within a minute.
	// Default 3.
	MaxRestarts int
	// Report is told at once of each failure: a *ReactorError, which is restarted
	// or not, or a *LinkError. It is called on the goroutine of that reactor and
	// must not block. Reactors with a Report of their own tell that of LinkErrors.
	Report func(error)
}

// ErrStuck says that a reactor has not ended in the time it had: a handler blocks.
// Its goroutine and its thread are left behind.
var ErrStuck = errors.New("reactor: has not ended in time, a handler blocks")

// ReactorError is the failure of one reactor of a Group.
type ReactorError struct {
	Name string // of the reactor
	Err  error
}

// Error names the reactor and the cause.
func (e *ReactorError) Error() string {
	return fmt.Sprintf("reactor: %s has failed: %v", e.Name, e.Err)
}

// Unwrap returns the cause.
func (e *ReactorError) Unwrap() error { return e.Err }

// Group is several reactors that start and end together. Links between them are
// made by [Link]; endpoints are registered with one of them, which they never
// leave: see Named, LeastLoaded, BySymbol and NearCPU.
type Group struct {
	cfg     GroupConfig
	members []*member // by place
	order   []*member // in which they end
	plan    *affinity.Plan
	owner   atomic.Bool   // somebody runs or closes it
	quit    chan struct{} // an end was asked for
	asked   atomic.Bool
	done    chan struct{} // Run or Close has ended
}

// member is a reactor of a group.
type member struct {
	r        *Reactor
	started  chan struct{}
	ended    chan struct{}
	err      error   // valid when ended is closed
	restarts []int64 // when, of the last minute
}

// NewGroup makes the reactors of a group. Each starts a housekeeping goroutine;
// Run or Close ends them. Errors are those of New and of affinity.Topology.Place,
// and name the reactor.
func NewGroup(cfg GroupConfig) (*Group, error) {
	cfg.Reactors = slices.Clone(cfg.Reactors)
	switch {
	case len(cfg.Reactors) == 0:
		return nil, errors.New("reactor: a group of no reactors")
	case cfg.OnFailure > Restart:
		return nil, fmt.Errorf("reactor: OnFailure %d is unknown", cfg.OnFailure)
	case cfg.StopTimeout < 0:
		return nil, fmt.Errorf("reactor: StopTimeout %v is negative", cfg.StopTimeout)
	case cfg.MaxRestarts < 0:
		return nil, fmt.Errorf("reactor: MaxRestarts %d is negative", cfg.MaxRestarts)
	case cfg.MaxRestarts == 0:
		cfg.MaxRestarts = 3
	}
	for i := range cfg.Reactors {
		c := &cfg.Reactors[i]
		if c.Name == "" {
			c.Name = "reactor-" + strconv.Itoa(i)
		}
		if c.Report == nil {
			c.Report = cfg.Report
		}
	}
	g := &Group{cfg: cfg, quit: make(chan struct{}), done: make(chan struct{})}
	if err := g.place(); err != nil {
		return nil, err
	}
	if err := g.build(); err != nil {
		for _, m := range g.members {
			err = errors.Join(err, m.r.Close())
		}
		return nil, err
	}
	return g, nil
}

// place chooses CPUs for the reactors that have none.
func (g *Group) place() error {
	p := g.cfg.Placement
	if p.Kind == affinity.KindUnbound {
		return nil
	}
	var free []*Config
	for i := range g.cfg.Reactors {
		c := &g.cfg.Reactors[i]
		if cpu, fixed := c.CPU.CPU(); fixed {
			p.Except.Add(cpu)
		} else {
			free = append(free, c)
		}
	}
	if len(free) == 0 {
		return nil
	}
	plan, err := g.topology().Place(len(free), p)
	if err != nil {
		return fmt.Errorf("reactor: CPUs for %d reactors: %w", len(free), err)
	}
	for i, c := range free {
		c.CPU = plan.Placements[i]
	}
	plan.Rest = plan.Rest.Without(p.Except)
	g.plan = plan
	return nil
}

// topology is the machine's, read once.
func (g *Group) topology() *affinity.Topology {
	if g.cfg.Topology == nil {
		g.cfg.Topology = affinity.Local()
	}
	return g.cfg.Topology
}

// build makes the reactors, and the order in which they end.
func (g *Group) build() error {
	var sum time.Duration
	for _, c := range g.cfg.Reactors {
		if g.Named(c.Name) != nil {
			return fmt.Errorf("reactor: two reactors of a group are named %q", c.Name)
		}
		r, err := New(c)
		if err != nil {
			return &ReactorError{c.Name, err}
		}
		g.members = append(g.members, &member{r: r, started: make(chan struct{}), ended: make(chan struct{})})
		sum += r.cfg.CloseTimeout
	}
	if g.cfg.StopTimeout == 0 {
		g.cfg.StopTimeout = sum + time.Second
	}
	if g.order = g.members; len(g.cfg.StopOrder) == 0 {
		return nil
	}
	g.order = nil
	for _, name := range g.cfg.StopOrder {
		m := g.member(name)
		if m == nil || slices.Contains(g.order, m) {
			return fmt.Errorf("reactor: StopOrder has %q, which is no reactor of the group or there twice", name)
		}
		g.order = append(g.order, m)
	}
	if len(g.order) < len(g.members) {
		return fmt.Errorf("reactor: StopOrder has %d names, the group %d reactors", len(g.order), len(g.members))
	}
	return nil
}

func (g *Group) member(name string) *member {
	for _, m := range g.members {
		if m.r.Name() == name {
			return m
		}
	}
	return nil
}

// Len is how many reactors there are.
func (g *Group) Len() int { return len(g.members) }

// Reactor returns the reactor in place i of GroupConfig.Reactors.
func (g *Group) Reactor(i int) *Reactor { return g.members[i].r }

// Named returns the reactor with that name, nil when there is none.
func (g *Group) Named(name string) *Reactor {
	if m := g.member(name); m != nil {
		return m.r
	}
	return nil
}

// Plan is what Placement has chosen, with its warnings and the CPUs that are left
// for the rest of the program (Tuning.Rest); nil when it had nothing to choose.
func (g *Group) Plan() *affinity.Plan { return g.plan }

// Links tells how all links and inboxes into reactors of the group stand. After
// Run, Dropped is what the end cost. Any goroutine may call it; it allocates.
func (g *Group) Links() []LinkInfo {
	var all []LinkInfo
	for _, m := range g.members {
		all = append(all, m.r.Links()...)
	}
	return all
}
