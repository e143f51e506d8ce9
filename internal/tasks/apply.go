package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// Mover is how Apply sees and moves threads.
type Mover struct {
	List  func() ([]Task, error)
	Move  func(tid int, cpus affinity.Set) error // that reads the mask back
	Pause func(time.Duration)
}

// Move is what was done to a thread.
type Move struct {
	TID  int          `json:"tid"`
	Name string       `json:"name"`
	Was  affinity.Set `json:"was"`
	Now  affinity.Set `json:"now"`
}

// ErrUnsettled says that threads went on to appear, or to move themselves, for as
// long as Apply looks.
var ErrUnsettled = errors.New("threads do not settle")

// How often Apply looks, and for how long it waits before it looks again.
const (
	maxRounds = 50
	pause     = 2 * time.Millisecond
)

// Preview is what Apply would do to the threads given.
func (p *Plan) Preview(tasks []Task) []Move {
	var moves []Move
	for _, t := range tasks {
		if cpus, ok := p.For(t); ok && t.CPUs != cpus {
			moves = append(moves, Move{t.TID, t.Name, t.CPUs, cpus})
		}
	}
	return moves
}

// Apply moves threads until a look at all of them shows each where the plan wants
// it. It returns what it did to those that are still there. After an error, all
// that were moved have been put back; the error says so when that failed too.
func (p *Plan) Apply(m Mover) ([]Move, error) {
	tasks, err := m.List()
	if err != nil {
		return nil, err
	}
	a := applying{plan: p, mover: m, first: tasks, did: map[int]*done{}}
	for range maxRounds {
		settled, err := a.round(tasks)
		if err == nil {
			tasks, err = m.List()
		}
		if err != nil {
			return nil, a.undo(err)
		}
		// Nothing was to be done, and the look after that says the same.
		if settled && len(p.Preview(tasks)) == 0 {
			return a.moves(tasks), nil
		}
		m.Pause(pause)
	}
	left := p.Preview(tasks)
	if len(left) == 0 {
		return a.moves(tasks), nil
	}
	return nil, a.undo(fmt.Errorf("%w: after %d looks %d of %d are not where they should be, such as %d (%s) on %s, not on %s",
		ErrUnsettled, maxRounds, len(left), len(tasks), left[0].TID, left[0].Name, left[0].Was, left[0].Now))
}

// applying is an Apply under way.
type applying struct {
	plan  *Plan
	mover Mover
	first []Task // as they were before anything
	did   map[int]*done
}

// done is a Move, and whether the thread is away from where it was.
type done struct {
	Move
	away bool
}

// round moves the threads that are not where they should be. settled: there were none.
func (a *applying) round(tasks []Task) (settled bool, err error) {
	settled = true
	for _, t := range tasks {
		cpus, ok := a.plan.For(t)
		if !ok {
			continue
		}
		if a.did[t.TID] == nil && (t.CPUs != cpus || a.isNew(t)) {
			a.did[t.TID] = &done{Move: Move{TID: t.TID, Was: a.was(t)}, away: a.was(t) != t.CPUs}
		}
		if did := a.did[t.TID]; did != nil {
			did.Name, did.Now = t.Name, cpus
		}
		if t.CPUs == cpus {
			continue
		}
		settled = false
		err := a.mover.Move(t.TID, cpus)
		switch {
		case gone(err):
			delete(a.did, t.TID)
		case err == nil, errors.Is(err, affinity.ErrUnavailable): // it was moved, if not to all of them
			a.did[t.TID].away = true
		}
		if err != nil && !gone(err) {
			return false, fmt.Errorf("thread %d (%s) to CPUs %s: %w", t.TID, t.Name, cpus, err)
		}
	}
	return settled, nil
}

func (a *applying) isNew(t Task) bool {
	return !slices.ContainsFunc(a.first, func(old Task) bool { return old.TID == t.TID })
}

// was is where a thread was before. One that was started meanwhile inherits the
// mask of its starter, which may have been moved by then: where its mask is one of
// the plan's it counts as started with that of the process's first thread.
func (a *applying) was(t Task) affinity.Set {
	ours := t.CPUs == a.plan.Others || slices.ContainsFunc(a.plan.Rules, func(r Rule) bool { return r.CPUs == t.CPUs })
	if a.isNew(t) && ours {
		return a.first[0].CPUs
	}
	return t.CPUs
}

// moves are what was done to threads that are still there.
func (a *applying) moves(tasks []Task) []Move {
	var all []Move
	for _, t := range tasks {
		if did := a.did[t.TID]; did != nil && did.Was != did.Now {
			all = append(all, did.Move)
		}
	}
	return all
}

// undo puts back what was moved, and adds to the error what could not be.
func (a *applying) undo(cause error) error {
	for tid, did := range a.did {
		if !did.away {
			continue
		}
		if err := a.mover.Move(tid, did.Was); err != nil && !gone(err) {
			cause = errors.Join(cause, fmt.Errorf("putting thread %d back to CPUs %s: %w", tid, did.Was, err))
		}
	}
	return cause
}

// gone reports whether an error says that a thread has ended.
func gone(err error) bool {
	return errors.Is(err, syscall.ESRCH) || errors.Is(err, fs.ErrNotExist)
}

// Restore are the rules that undo moves: one for each mask that was, threads by
// number.
func Restore(moves []Move) []Rule {
	var rules []Rule
	for _, m := range moves {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.CPUs == m.Was })
		if i < 0 {
			rules = append(rules, Rule{CPUs: m.Was})
			i = len(rules) - 1
		} else {
			rules[i].Who += ","
		}
		rules[i].Who += fmt.Sprint(m.TID)
	}
	return rules
}
