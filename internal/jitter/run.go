package jitter

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

// Run runs a loop as cfg says and reports the gaps that it had. When ctx ends
// before, the report is of the time until then; only when nothing was watched the
// answer is the cause. It needs Linux; elsewhere the error wraps
// errors.ErrUnsupported.
func Run(ctx context.Context, cfg Config) (*Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	w, err := newWatch(cfg)
	if err != nil {
		return nil, err
	}
	defer w.source.close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	started := w.callStarted(ctx, cancel)
	stops := forceGC(cfg.GC)
	completed, counted := collections(), countMachine(w.cpu)
	if cfg.Loop == LoopReactor {
		err = w.reactor(ctx)
	} else {
		err = w.plain(ctx)
	}
	machine, forced := counted.machine(), stops()
	if err := errors.Join(err, started()); err != nil {
		return nil, err
	}
	r := w.det.report()
	if r.Watched == 0 {
		return nil, fmt.Errorf("jitter: the loop ended before it was watched: %w", context.Cause(ctx))
	}
	r.Loop, r.Busy, r.CPU, r.Stops = cfg.Loop, cfg.Busy, w.cpu, forced
	if cfg.Loop == LoopReactor {
		r.Idle, r.Selector = w.idle.String(), cfg.Selector.String()
		if w.instead != nil {
			r.Instead = w.instead.Error()
		}
		if cfg.Busy < 100 {
			r.SeenFrom += int64(cfg.Wait)
		}
	}
	r.Machine = machine
	r.Machine.RunDelay = w.delay
	r.Process = process()
	r.Process.Collections = collections() - completed
	return r, nil
}

// watch is a run under way.
type watch struct {
	cfg    Config
	cpu    int // -1: not pinned
	source *threadSource
	thread chan int // the loop's; it is sent at most once

	idle    idle.Strategy // the reactor's
	instead error         // why it is not the one asked for

	// Of the goroutine of the loop, until it has ended.
	det   *Detector
	delay int64 // of the thread: before the watch negative, then of the watch
}

func newWatch(cfg Config) (w *watch, err error) {
	w = &watch{cfg: cfg, cpu: -1, thread: make(chan int, 1)}
	if cpu, fixed := cfg.CPU.CPU(); fixed {
		w.cpu = cpu
	}
	if w.source, err = newThreadSource(w.cpu); err != nil {
		return nil, err
	}
	w.det = newDetector(w.source, cfg.Threshold, cfg.WarmUp)
	return w, nil
}

// callStarted calls Config.Started when the loop has begun. wait waits for it and
// returns its error.
func (w *watch) callStarted(ctx context.Context, cancel context.CancelCauseFunc) (wait func() error) {
	result := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(result)
		select {
		case tid := <-w.thread:
			if w.cfg.Started == nil {
				return
			}
			if err := w.cfg.Started(tid); err != nil {
				result <- err
				cancel(err)
			}
		case <-ended:
		}
	}()
	return func() error { close(ended); return <-result }
}

// start is called on the goroutine of the loop, locked and pinned. It keeps to the
// rules of a Detector. It returns when the watch is over.
func (w *watch) start() (until int64) {
	w.thread <- threadID() // there is room for it
	w.delay = -runDelayOfThread()
	w.det.start()
	return w.det.begin + int64(w.cfg.For)
}

// finish is called there too.
func (w *watch) finish() { w.delay += runDelayOfThread() }

// plain runs the bare loop. Its thread ends with it, as a reactor's does.
func (w *watch) plain(ctx context.Context) error {
	var stopped atomic.Bool // the caller has had enough
	unregister := context.AfterFunc(ctx, func() { stopped.Store(true) })
	defer unregister()
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if w.cpu >= 0 {
			if err := affinity.Pin(w.cpu); err != nil {
				result <- fmt.Errorf("jitter: %w", err)
				return
			}
		}
		worker, d := new(worker), w.det
		work, wait := w.cfg.cycle()
		until := w.start()
		for now := d.last; now < until && !stopped.Load(); {
			for pause := now + wait; now < pause; now = d.Step() {
				spin()
			}
			now = worker.until(d, now+work)
		}
		w.finish()
		result <- nil
	}()
	return <-result
}

// spin is the wait of the plain loop: a call, as a turn of a reactor has some.
//
//go:noinline
func spin() {}

// reactor runs a reactor with a probe on it.
func (w *watch) reactor(ctx context.Context) error {
	r, err := reactor.New(reactor.Config{
		Name: "jitter", CPU: w.cfg.CPU, Idle: w.cfg.Idle, Selector: w.cfg.Selector,
		OnPanic: reactor.Crash, // there is nothing to go on with, and idle.Exclusive demands it
	})
	if err != nil {
		return err
	}
	defer r.Close() // where Run could not
	w.idle, w.instead = r.Idle(), r.IdleFallback()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan struct{})
	go func() { // not on the reactor's goroutine: it waits for locks
		select {
		case <-over:
			stop()
		case <-ctx.Done():
		}
	}()
	p := &probe{det: w.det, start: w.start}
	p.finish = func() { w.finish(); close(over) }
	p.work, p.wait = w.cfg.cycle()
	if _, err := reactor.Register(r, p); err != nil {
		return err
	}
	return r.Run(ctx)
}

// process is what this process is set to.
func process() *Process {
	p := &Process{GoVersion: runtime.Version(), GOMAXPROCS: runtime.GOMAXPROCS(0), GCPercent: gcPercent()}
	if cpus, err := affinity.Available(); err == nil {
		p.CPUs = cpus.Len()
	}
	return p
}

// forceGC forces a collection every so often until stop is called, which returns
// how they got through; nil when there was nothing to do.
func forceGC(every time.Duration) (stop func() *Stops) {
	if every == 0 {
		return func() *Stops { return nil }
	}
	var s Stops
	quit, done := make(chan struct{}), make(chan struct{})
	stopping := stoppingTimes()
	go func() {
		defer close(done)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
			}
			start := clock.Nano()
			runtime.GC()
			s.Count++
			s.Longest = max(s.Longest, clock.Nano()-start)
		}
	}()
	return func() *Stops {
		close(quit)
		<-done
		s.Stopping = longestSince(stopping, stoppingTimes())
		return &s
	}
}
