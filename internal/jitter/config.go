package jitter

import (
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// Loop is what is watched.
type Loop string

// The loops.
const (
	LoopPlain   Loop = "plain"   // a bare loop of Go code
	LoopReactor Loop = "reactor" // the turn of a reactor with one endpoint
	LoopC       Loop = "c"       // a loop in C, see ReadFloor
)

// Config is what to run. The zero value watches a plain loop that is not pinned,
// for a second.
type Config struct {
	Loop Loop               // LoopPlain (default) or LoopReactor
	CPU  affinity.Placement // where the loop runs; default unbound

	// Idle and Selector are the reactor's.
	Idle     idle.Strategy
	Selector selector.Kind

	// Busy is the share of the time, in per cent, that is spent in work like a
	// handler's. Default 0.
	Busy int
	// Wait is the time between two pieces of work. A piece is as long as Busy
	// makes it: with the default of 5 µs and a share of 60 %, 7.5 µs.
	Wait time.Duration
	// For is how long to watch. Default 1 s.
	For time.Duration
	// WarmUp comes before. Default 50 ms.
	WarmUp time.Duration
	// Threshold is how long a gap is at least. Default 3 µs.
	Threshold time.Duration
	// GC has a collection forced on another goroutine, so long after the one
	// before. Default 0: none is forced.
	GC time.Duration
	// Started is called, if it is not nil, on another goroutine while the loop
	// warms up, with the id of the loop's thread: the place to move the other
	// threads of the process. An error ends the run.
	Started func(tid int) error
}

// Bounds of Config.
const (
	MinThreshold = 500 * time.Nanosecond // below it is the work itself
	MaxThreshold = time.Second
	MinWait      = time.Microsecond
	MaxWait      = 10 * time.Millisecond
	MinFor       = 10 * time.Millisecond
	MaxFor       = 24 * time.Hour
	MinGC        = time.Millisecond
)

// withDefaults returns c with its defaults filled in, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	if c.Loop == "" {
		c.Loop = LoopPlain
	}
	defaults := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	defaults(&c.Wait, 5*time.Microsecond)
	defaults(&c.For, time.Second)
	defaults(&c.WarmUp, 50*time.Millisecond)
	defaults(&c.Threshold, 3*time.Microsecond)
	within := func(name string, d, least, most time.Duration) error {
		if d < least || d > most {
			return fmt.Errorf("jitter: %s %v is not between %v and %v", name, d, least, most)
		}
		return nil
	}
	switch {
	case c.Loop != LoopPlain && c.Loop != LoopReactor:
		return c, fmt.Errorf("jitter: loop %q is neither %s nor %s", c.Loop, LoopPlain, LoopReactor)
	case c.Loop == LoopPlain && c.Idle != (idle.Strategy{}):
		return c, fmt.Errorf("jitter: idle strategy %v is for a reactor, the loop is %s", c.Idle, c.Loop)
	case c.Busy < 0 || c.Busy > 100:
		return c, fmt.Errorf("jitter: busy share %d %% is not between 0 and 100", c.Busy)
	}
	if err := within("wait", c.Wait, MinWait, MaxWait); err != nil {
		return c, err
	}
	if err := within("time", c.For, MinFor, MaxFor); err != nil {
		return c, err
	}
	if err := within("warm-up", c.WarmUp, 0, MaxFor); err != nil {
		return c, err
	}
	if err := within("threshold", c.Threshold, MinThreshold, MaxThreshold); err != nil {
		return c, err
	}
	if c.GC != 0 {
		if err := within("time between collections", c.GC, MinGC, MaxFor); err != nil {
			return c, err
		}
	}
	return c, nil
}

// cycle is how long a piece of work is, and the wait after it, in nanoseconds.
func (c *Config) cycle() (work, wait int64) {
	if c.Busy == 100 {
		return alwaysBusy, 0
	}
	return int64(c.Wait) * int64(c.Busy) / int64(100-c.Busy), int64(c.Wait)
}

// alwaysBusy is how long a piece of work is for a loop that never waits, in
// nanoseconds: there is a turn of the reactor after it.
const alwaysBusy = int64(20 * time.Microsecond)
