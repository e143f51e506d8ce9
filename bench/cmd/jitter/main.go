// Command jitter measures side by side what kept loops from running: a loop in C,
// which is the machine's own floor, and the turn of a reactor that spins in a plain
// build, waits in system-call state, or does that with its P pinned, at several
// shares of work. Run it in the directory of this module:
//
//	go run ./cmd/jitter [flags]
//
// It builds all of them and runs one at a time on one CPU, in an order that rotates
// from round to round. The table says how many gaps a second Go's scheduler made
// (switches: a voluntary one, a change of P, a stop of the world), how many of those
// were over before the loop would have gone on (unseen), how many gaps were signals
// by which Go asks for a preemption, and how many the machine made (others). What
// the loop in C sees of the latter is what nobody can do better than here. With
// -stops each run is made once more with collections forced, and the table says how
// long the world took to stop.
//
// Each run of a reactor is `boomctl jitter --json`; package internal/jitter says
// what it can see.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/bench/harness"
)

type config struct {
	rounds     int
	loops      []string
	busy       []int
	cpu        int
	each       time.Duration
	threshold  time.Duration
	stops      time.Duration
	gomaxprocs int
	confine    bool
	wait       time.Duration // between two pieces of work
	silence    time.Duration // the same where there is no work
}

func main() { harness.Main("jitter", parseFlags, measure) }

func parseFlags(args []string) (config, error) {
	var c config
	f := flag.NewFlagSet("jitter", flag.ContinueOnError)
	f.IntVar(&c.rounds, "rounds", 3, "how often each loop runs at each share of work")
	list := f.String("loops", strings.Join(loopNames, ","), "which loops")
	busy := f.String("busy", "0,30,60,100", "shares of the time in work, in per cent")
	f.IntVar(&c.cpu, "cpu", 1, "CPU of the loops")
	f.DurationVar(&c.each, "for", 2*time.Second, "how long each run is watched")
	f.DurationVar(&c.threshold, "threshold", 3*time.Microsecond, "how long a gap is at least")
	f.DurationVar(&c.wait, "wait", 5*time.Microsecond, "time between two pieces of work")
	f.DurationVar(&c.silence, "silence", time.Millisecond, "the same at a share of 0: shorter ones are work of the reactor's own")
	f.DurationVar(&c.stops, "stops", 0, "make each run again with a collection forced so often; 0: do not")
	f.IntVar(&c.gomaxprocs, "gomaxprocs", 3, "GOMAXPROCS of the reactors' processes, as reactor.TuneProcess sets it for one reactor")
	f.BoolVar(&c.confine, "confine", true, "move the other threads of the reactors' processes to other CPUs")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.loops = split(*list)
	for _, name := range c.loops {
		if !slices.Contains(loopNames, name) {
			return c, fmt.Errorf("loop %q is none of %s", name, strings.Join(loopNames, ", "))
		}
	}
	for _, text := range split(*busy) {
		share, err := strconv.Atoi(text)
		if err != nil || share < 0 || share > 100 {
			return c, fmt.Errorf("share of work %q is not a number from 0 to 100", text)
		}
		c.busy = append(c.busy, share)
	}
	switch {
	case f.NArg() > 0:
		return c, fmt.Errorf("argument %q: there are none", f.Arg(0))
	case c.rounds < 1:
		return c, fmt.Errorf("rounds %d is less than 1", c.rounds)
	case len(c.loops) == 0 || len(c.busy) == 0:
		return c, errors.New("there is nothing to run")
	case c.gomaxprocs < 1:
		return c, fmt.Errorf("GOMAXPROCS %d is less than 1", c.gomaxprocs)
	}
	return c, nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func measure(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp("", "boomnet-jitter-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	loops, notes, err := build(ctx, dir, c)
	if err != nil {
		return err
	}
	runs := plan(loops, c)
	for round := range c.rounds {
		for i := range runs {
			r := runs[(i+round)%len(runs)]
			if err := r.once(ctx, c); err != nil && ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	fmt.Printf("%s, gaps over %v, each run %v, %d rounds, GOMAXPROCS %d, collector off\n", where(c), c.threshold, c.each, c.rounds, c.gomaxprocs)
	for _, note := range notes {
		fmt.Println(note)
	}
	if err := table(os.Stdout, runs); err != nil {
		return err
	}
	for _, r := range runs {
		if r.failed != nil {
			return errors.New("some runs failed, see above")
		}
	}
	return nil
}
