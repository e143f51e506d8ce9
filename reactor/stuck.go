package reactor

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"
	"time"
)

// StuckError says that a reactor has not come to a message within the time that
// somebody waited: a handler blocks, or nobody drives it.
type StuckError struct {
	Reactor string
	Waited  time.Duration
	// Driven is false when neither Run nor Poll was under way.
	Driven bool
	// Stack is where the reactor's goroutine is: a line for each function and one
	// for its place in the source, innermost first. It has those of all reactors
	// with the same name, and for a reactor driven by Poll of all that are so.
	Stack string
	Err   error // why the waiting ended
}

func (e *StuckError) Error() string {
	waited := e.Waited.Round(time.Millisecond)
	if !e.Driven {
		return fmt.Sprintf("reactor: %q has not turned for %v: neither Run nor Poll is under way", e.Reactor, waited)
	}
	s := fmt.Sprintf("reactor: %q has not turned for %v: a handler blocks, or it has no CPU", e.Reactor, waited)
	if at, _, ok := strings.Cut(e.Stack, "\n"); ok {
		s += ": it is in " + at
	}
	return s
}

// Unwrap returns why the waiting ended.
func (e *StuckError) Unwrap() error { return e.Err }

// Timeout reports true, as net.Error does.
func (e *StuckError) Timeout() bool { return true }

// labelKey is the pprof label that Run's goroutine carries, with the reactor's name.
const labelKey = "reactor"

// stuck makes the error for a reactor that was waited for in vain. The stacks cost
// a goroutine profile, which stops the world for some tens of microseconds.
func (r *Reactor) stuck(waited time.Duration, cause error) error {
	e := &StuckError{Reactor: r.cfg.Name, Waited: waited, Err: cause}
	if e.Driven = r.owner.Load(); !e.Driven {
		return e
	}
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		e.Stack = err.Error() + "\n"
		return e
	}
	e.Stack = stackOf(profile.String(), r.cfg.Name)
	return e
}

// stackOf finds the stack of a reactor in a goroutine profile as text: the
// goroutine of Run by its label, that of a Poll by having none.
func stackOf(profile, name string) string {
	label := fmt.Sprintf("%q:%q", labelKey, name)
	var run, poll strings.Builder
	for record := range strings.SplitSeq(profile, "\n\n") {
		if !strings.Contains(record, "(*Reactor).turn") {
			continue
		}
		out := &poll
		if _, labels, ok := strings.Cut(record, "# labels: "); ok && strings.Contains(labels, `"`+labelKey+`":`) {
			if out = &run; !strings.Contains(labels, label) {
				continue
			}
		}
		for line := range strings.Lines(record) {
			//	#	0x4c7f3a	main.(*Feed).OnData+0x5a	/home/me/feed.go:31
			f := strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool { return r == '\t' })
			if len(f) != 4 || f[0] != "#" {
				continue
			}
			function, _, _ := strings.Cut(f[2], "+0x")
			fmt.Fprintf(out, "%s\n\t%s\n", strings.TrimSpace(function), strings.TrimSpace(f[3]))
		}
	}
	if run.Len() > 0 {
		return run.String()
	}
	return poll.String()
}
