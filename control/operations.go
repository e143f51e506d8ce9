package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/boomnet-go/boomnet/reactor"
)

var errNoReactor = errors.New("control: no such reactor")

// errLater is added to what a stuck reactor did not do.
var errLater = errors.New("it is done when the reactor turns again")

// do does what a request asks for. by says who asked, for those who lose a
// connection.
func (s *Server) do(q request, by string) (a answer, err error) {
	found, err := s.find(q.Reactor)
	if err != nil {
		return a, err
	}
	if q.Do == doDump {
		a.Dump, err = s.dump(found)
		return a, err
	}
	counts := make([]int, len(found))
	errs := s.each(found, func(ctx context.Context, i int, r *reactor.Reactor) (err error) {
		switch q.Do {
		case doIdle:
			err = r.SetIdle(q.strategy)
		case doReset:
			err = r.ResetHistograms()
		case doDrop:
			counts[i], err = r.Drop(q.Endpoint, by)
		}
		if err != nil {
			return err
		}
		var stuck *reactor.StuckError
		if err = r.Sync(ctx); errors.As(err, &stuck) {
			err = fmt.Errorf("%w; %w", err, errLater)
		}
		return err
	})
	for i, r := range found {
		if errs[i] == nil {
			a.Reactors = append(a.Reactors, r.Name())
			a.Dropped += counts[i]
		}
	}
	return a, summary(q, errs)
}

// each does something to several reactors at once, so that those which are stuck
// cost their time only once.
func (s *Server) each(all []*reactor.Reactor, f func(context.Context, int, *reactor.Reactor) error) []error {
	ctx, cancel := context.WithTimeout(s.ctx, s.cfg.Timeout)
	defer cancel()
	errs := make([]error, len(all))
	var running sync.WaitGroup
	for i, r := range all {
		running.Go(func() { errs[i] = f(ctx, i, r) })
	}
	running.Wait()
	return errs
}

// summary is one error of those of several reactors. One that has ended, or where
// no endpoint has the name, is no failure if another one did what was asked.
func summary(q request, errs []error) error {
	var failed, excused []error
	for _, err := range errs {
		switch {
		case err == nil:
		case errors.Is(err, reactor.ErrClosed) || errors.Is(err, reactor.ErrNoEndpoint):
			excused = append(excused, err)
		default:
			failed = append(failed, err)
		}
	}
	if len(failed) > 0 || len(excused) < len(errs) {
		return join(failed)
	}
	// Nowhere: what was meant may be on any of them.
	var names []string
	for _, err := range excused {
		var unknown *reactor.NoEndpointError
		if errors.As(err, &unknown) {
			names = append(names, unknown.Near...)
		}
	}
	if q.Do == doDrop && !errors.Is(errors.Join(excused...), reactor.ErrNoEndpoint) || q.Do != doDrop {
		return join(excused)
	}
	slices.Sort(names)
	return &reactor.NoEndpointError{Name: q.Endpoint, Near: slices.Compact(names)}
}

// join is errors.Join in one line.
func join(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	format := strings.TrimSuffix(strings.Repeat("%w; ", len(errs)), "; ")
	args := make([]any, len(errs))
	for i, err := range errs {
		args[i] = err
	}
	return fmt.Errorf(format, args...)
}

// reactors are those that there are now.
func (s *Server) reactors() []*reactor.Reactor {
	if s.cfg.Find == nil {
		return s.cfg.Reactors
	}
	return append(slices.Clone(s.cfg.Reactors), s.cfg.Find()...)
}

func names(all []*reactor.Reactor) []string {
	out := []string{}
	for _, r := range all {
		out = append(out, r.Name())
	}
	return out
}

// find returns the reactors called name; all of them when there is no name.
func (s *Server) find(name string) (found []*reactor.Reactor, err error) {
	all := s.reactors()
	for _, r := range all {
		if name == "" || r.Name() == name {
			found = append(found, r)
		}
	}
	if len(found) == 0 {
		if len(all) == 0 {
			return nil, fmt.Errorf("%w: the process has none", errNoReactor)
		}
		return nil, fmt.Errorf("%w: %q: want %s", errNoReactor, name, quoted(names(all)))
	}
	return found, nil
}

// quoted is a list for a person: "a", "b" or "c".
func quoted(names []string) string {
	var b strings.Builder
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			b.WriteString(" or ")
		default:
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%q", n)
	}
	return b.String()
}

func (s *Server) dump(found []*reactor.Reactor) (*Dump, error) {
	d := &Dump{
		PID: s.hello.PID, Program: s.hello.Program, Started: s.hello.Started,
		Go: runtime.Version(), At: time.Now(),
		GOMAXPROCS: runtime.GOMAXPROCS(0), Goroutines: runtime.NumGoroutine(),
		Reactors: []*reactor.Dump{},
	}
	dumps := make([]*reactor.Dump, len(found))
	errs := s.each(found, func(ctx context.Context, i int, r *reactor.Reactor) (err error) {
		dumps[i], err = r.Dump(ctx)
		return err
	})
	for _, one := range dumps {
		if one != nil {
			d.Reactors = append(d.Reactors, one)
		}
	}
	return d, summary(request{Do: doDump}, errs)
}

// program is what this process is called.
func program() string {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return filepath.Base(self)
}
