package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/jitter"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// jitterCmd is `boomctl jitter`: it watches a loop that never sleeps and says what
// kept it from running.
type jitterCmd struct {
	Loop     string `default:"reactor" enum:"reactor,plain" placeholder:"WHAT" help:"What to watch: reactor, the turn of a real one (default), or plain, a bare loop of Go code."`
	Idle     string `placeholder:"STRATEGY" suggest:"noop,spin,spin-wait,exclusive,yield,backoff" help:"How the reactor waits (default spin)."`
	Selector string `default:"epoll" enum:"epoll,direct" placeholder:"WHICH" help:"The reactor's selector: epoll (default) or direct."`

	Busy int           `default:"0" placeholder:"PERCENT" suggest:"0,30,60,100" help:"Share of the time in work like a handler's, 0 to 100 (default ${default})."`
	Wait time.Duration `default:"5us" placeholder:"TIME" help:"Time between two pieces of that work (default ${default})."`

	CPU     int  `default:"-1" placeholder:"N" help:"Run the loop on this CPU (default: one that a placement would choose)."`
	Unbound bool `help:"Run the loop wherever the kernel puts it."`
	Confine bool `help:"Move all other threads of this process to other CPUs."`

	For       time.Duration `default:"5s" placeholder:"TIME" help:"How long to watch (default ${default})."`
	Threshold time.Duration `default:"3us" placeholder:"TIME" help:"How long a gap is at least (default ${default})."`
	GC        time.Duration `name:"gc" placeholder:"TIME" help:"Force a collection each so often, and say how it gets through."`
	Floor     string        `placeholder:"PROGRAM" help:"Run this first, for as long on the same CPU: a loop outside of Go, such as bench/floor/gaps.c."`
	JSON      bool          `name:"json" help:"Print one JSON object: what was watched, gaps by cause, histogram, longest, machine, advice."`
}

// Help is the long help.
func (*jitterCmd) Help() string {
	return `A loop reads the clock over and over; two readings further apart than the threshold are a gap. What the thread, the Go runtime and the CPU have counted over it is its cause: ` +
		`gc-stop, other-stop (the world was stopped), voluntary-switch (Go's scheduler, or a call that blocks), change-of-p, signal (with which Go asks for a preemption): these Go made; ` +
		`migration, preemption (another thread ran), page-fault, interrupt-or-host (something beneath the thread ran), unknown (nothing was counted): these it did not. Then follows what to do about them. Reading the counters is not part of the time watched.

What can be seen: a plain loop sees every gap. A reactor sees every gap while its handler works. While it waits, it sees a gap by being late for the handler, so the gap looks shorter by up to --wait, and one shorter than threshold and --wait together may stay unseen; switches of those are counted. A --wait of 1ms leaves the reactor in its wait, as a silent socket does. With --busy 100 it never waits. Strategies that sleep are late each time, by tens of microseconds: that is their price, and counted as voluntary switches.

An interrupt or the host is what is left when nothing else was counted: on a CPU with a timer tick some interrupt is nearly always counted since the last look, so it is the likely cause, not a proven one. --floor has a loop in C beside it: what that sees too is not Go's.

GOMAXPROCS, GOGC and GOMEMLIMIT are taken from the environment. spin-wait and exclusive need a build with the tag boomnet_wait; for exclusive, turn the collector off (GOGC=off).`
}

func (*jitterCmd) about() about {
	return about{
		examples: []example{
			{"A reactor that spins and has nothing to do.", "boomctl jitter"},
			{"A third of the time in handlers, on CPU 3, all else on other CPUs.", "boomctl jitter --busy 30 --cpu 3 --confine --for 30s"},
			{"What waiting in system-call state changes (a build with the tag boomnet_wait).", "boomctl jitter --idle spin-wait\nGOGC=off boomctl jitter --idle exclusive --busy 60 --gc 100ms"},
			{"The machine's own: a loop in C before one in Go.", "cc -O2 -o gaps bench/floor/gaps.c\nboomctl jitter --loop plain --busy 100 --floor ./gaps"},
			{"Gaps a second that Go made, for a log.", `boomctl jitter --json | jq '[.causes[] | select(.go) | .count] | add / (.watched_ns / 1e9)'`},
		},
		environment: []entry{
			{"GOMAXPROCS", "How many Ps there are: one for the loop, one to spare."},
			{"GOGC, GOMEMLIMIT", "off and a limit keep the collector from running."},
		},
	}
}

// Run is called by kong.
func (c *jitterCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	r, err := c.watch(ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(r)
	}
	out := canvas()
	drawJitter(out, r)
	_, err = os.Stdout.WriteString(out.String())
	return err
}

// watch runs the loop, and the floor before it.
func (c *jitterCmd) watch(ctx context.Context) (*jitter.Report, error) {
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	if !c.Unbound {
		if cfg.CPU, err = c.placement(affinity.Local()); err != nil {
			return nil, err
		}
	}
	if c.Confine {
		if cfg.Started, err = confineBeside(cfg.CPU); err != nil {
			return nil, err
		}
	}
	var floor *jitter.Report
	if c.Floor != "" {
		if floor, err = runFloor(ctx, c.Floor, cfg); err != nil {
			return nil, err
		}
	}
	r, err := jitter.Run(ctx, cfg)
	if err != nil {
		return nil, err
	}
	r.Floor = floor
	r.Advice = jitter.Advise(r)
	return r, nil
}

// config is what the flags ask for, without the CPU.
func (c *jitterCmd) config() (cfg jitter.Config, err error) {
	cfg = jitter.Config{
		Loop: jitter.Loop(c.Loop), Busy: c.Busy, Wait: c.Wait,
		For: c.For, Threshold: c.Threshold, GC: c.GC,
	}
	switch {
	case c.Unbound && c.CPU >= 0:
		return cfg, errors.New("jitter: --cpu and --unbound exclude each other")
	case c.Unbound && c.Confine:
		return cfg, errors.New("jitter: --confine needs a CPU to keep free: it and --unbound exclude each other")
	case cfg.Loop == jitter.LoopPlain && c.Idle != "":
		return cfg, fmt.Errorf("jitter: --idle %s is for a reactor: leave out --loop plain", c.Idle)
	// Their zero values are defaults of the package, and mistakes here.
	case c.Wait <= 0:
		return cfg, fmt.Errorf("jitter: --wait %v must be over 0", c.Wait)
	case c.For <= 0:
		return cfg, fmt.Errorf("jitter: --for %v must be over 0", c.For)
	case c.Threshold <= 0:
		return cfg, fmt.Errorf("jitter: --threshold %v must be over 0", c.Threshold)
	case cfg.Loop == jitter.LoopPlain:
		return cfg, nil
	}
	if cfg.Idle = idle.Spin; c.Idle != "" {
		if cfg.Idle, err = idle.Parse(c.Idle); err != nil {
			return cfg, fmt.Errorf("jitter: --idle: %w", err)
		}
	}
	cfg.Selector, err = selector.ParseKind(c.Selector)
	return cfg, err
}

// placement is the CPU asked for, or the one that a placement of one reactor takes.
func (c *jitterCmd) placement(t *affinity.Topology) (affinity.Placement, error) {
	if c.CPU >= 0 {
		return affinity.Fixed(c.CPU), nil
	}
	policy := affinity.Policy{Kind: affinity.KindSpread, PreferIsolated: true, AvoidCPU0: true}
	plan, err := t.Place(1, policy)
	if err != nil { // CPU 0 is all there is
		policy.AvoidCPU0 = false
		plan, err = t.Place(1, policy)
	}
	if err != nil {
		return affinity.Unbound, fmt.Errorf("jitter: %w", err)
	}
	return plan.Placements[0], nil
}

// confineBeside returns what moves every thread but the loop's to other CPUs than
// its.
func confineBeside(at affinity.Placement) (started func(tid int) error, err error) {
	cpu, _ := at.CPU()
	available, err := affinity.Available()
	if err != nil {
		return nil, err
	}
	others := slices.DeleteFunc(available.CPUs(), func(other int) bool { return other == cpu })
	if len(others) == 0 {
		return nil, fmt.Errorf("jitter: --confine: there is no CPU but %d to move the other threads to", cpu)
	}
	return func(int) error { // the loop's thread is pinned by now, and stays
		_, err := affinity.Confine(affinity.Of(others...))
		return err
	}, nil
}

// floorGrace is how much longer than asked for a floor may run.
const floorGrace = 5 * time.Second

// runFloor runs PROGRAM CPU WATCH THRESHOLD, both times in nanoseconds, CPU -1 for
// any; it prints what jitter.ReadFloor reads.
func runFloor(ctx context.Context, program string, cfg jitter.Config) (*jitter.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, cfg.For+floorGrace)
	defer cancel()
	cpu, fixed := cfg.CPU.CPU()
	if !fixed {
		cpu = -1
	}
	cmd := exec.CommandContext(ctx, program,
		strconv.Itoa(cpu), strconv.FormatInt(int64(cfg.For), 10), strconv.FormatInt(int64(cfg.Threshold), 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("jitter: --floor: %w", err)
	}
	r, err := jitter.ReadFloor(out)
	if err != nil {
		cancel() // whatever it still wants to say
	}
	if ended := cmd.Wait(); ended != nil && err == nil {
		err = ended
	}
	if err != nil {
		return nil, fmt.Errorf("jitter: --floor %s: %w", program, err)
	}
	r.CPU = cpu
	return r, nil
}
