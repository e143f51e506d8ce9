package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stats"
)

// memoryLimit is where the garbage collector begins to work beside a reactor
// that spins, in bytes.
const memoryLimit = 256 << 20

// place chooses CPUs and prepares this process for them.
func (d *demoCmd) place(strategy idle.Strategy) (placement, error) {
	cpus, err := affinity.Available()
	if err != nil {
		return placement{}, err
	}
	p, err := choosePlacement(cpus.CPUs(), d.CPU, d.ExchangeCPU, strategy.Busy())
	if err != nil {
		return placement{}, err
	}
	// GOMAXPROCS follows the masks unless it is set, and a reactor that never
	// gives way needs a processor to itself.
	tuning := reactor.Tuning{Reactors: 1}
	if strategy.Busy() {
		tuning.MemoryLimit = memoryLimit
	}
	if p.tuned, err = reactor.TuneProcess(tuning); err != nil {
		return placement{}, err
	}
	_, err = reactor.TuneProcess(reactor.Tuning{Rest: affinity.Of(p.rest...)}) // p.text says that
	return p, err
}

func (d *demoCmd) faultInterval() time.Duration {
	switch {
	case d.FaultsEvery != nil:
		return max(*d.FaultsEvery, 0)
	case d.Faults:
		return faultsOften
	}
	return faultsRare
}

func (d *demoCmd) exchangeArgs(p placement) []string {
	args := []string{
		"--cpu=" + strconv.Itoa(p.exchange),
		"--seed=" + strconv.FormatInt(time.Now().UnixNano()&0xffffffff, 10),
	}
	if d.Feed != "" {
		args = append(args, "--feed="+d.Feed, "--loop")
	} else {
		args = append(args, "--rate="+strconv.FormatFloat(d.Rate, 'g', -1, 64))
	}
	if every := d.faultInterval(); every > 0 {
		args = append(args, "--faults", "--faults-every="+every.String())
	}
	return args
}

// newWatcher makes the reactor and registers the endpoints, and prepares to
// watch them.
func (d *demoCmd) newWatcher(x *childExchange, p placement, strategy idle.Strategy, kind selector.Kind, file *stats.File) (*watcher, error) {
	events := new(eventRing)
	r, err := reactor.New(reactor.Config{
		Name:         "demo",
		CPU:          affinity.Fixed(p.reactor),
		Idle:         strategy,
		Selector:     kind,
		CloseTimeout: closeTime,
		Counters:     file,
		Seams:        endpoint.Seams{Observer: events.observe},
	})
	if err != nil {
		return nil, err
	}
	start, began := clock.Nano(), time.Now()
	block := file.NewBlock("market", "market", "demo")
	w := &watcher{
		setup:   d.setup(x, p, strategy, kind),
		reactor: r,
		latency: newLatencies(block),
		events:  events,
		journal: newJournal(func(at int64) time.Time { return began.Add(time.Duration(at - start)) }),
		start:   start, rated: start, began: began,
		counted: make([]int64, len(d.Symbols)),
		rates:   make([]int64, len(d.Symbols)),
	}
	for _, symbol := range d.Symbols {
		m := newMarket(symbol, x.URL, block, w.latency)
		m.Policy = demoPolicy
		m.Options.Stream.TLS = &tls.Config{RootCAs: x.CA, MinVersion: tls.VersionTLS13}
		if d.Feed == "" {
			m.stamped = true
			m.Policy.StaleAfter = 750*time.Millisecond + time.Duration(10/d.Rate*float64(time.Second))
		}
		h, err := reactor.Register(r, m)
		if err != nil {
			return nil, errors.Join(err, r.Close())
		}
		w.markets, w.ids = append(w.markets, m), append(w.ids, h.ID())
	}
	return w, nil
}

// setup puts into words what was chosen.
func (d *demoCmd) setup(x *childExchange, p placement, strategy idle.Strategy, kind selector.Kind) setup {
	s := setup{
		url: x.URL, tls: "TLS 1.3", where: p.text, tuned: p.tuned, cpu: affinity.Fixed(p.reactor).String(),
		selector: kind.String(), idle: strategy.String(), limit: d.For,
		source: fmt.Sprintf("%g messages/s a stream", d.Rate),
		faults: "no faults",
	}
	if d.Feed != "" {
		s.source = "recorded " + filepath.Base(d.Feed)
	}
	if every := d.faultInterval(); every > 0 {
		s.faults = "a fault every " + every.String()
	}
	return s
}

// watch shows snapshots until something ends the demo. It returns the final one,
// and an error if it was no good end.
func (d *demoCmd) watch(ctx context.Context, w *watcher, show display, x *childExchange, stopped <-chan struct{}, operator *operator) (*snapshot, error) {
	var limit <-chan time.Time
	if d.For > 0 {
		limit = time.After(d.For)
	}
	ticker := time.NewTicker(show.interval())
	defer ticker.Stop()
	for {
		var why string
		var failure error
		select {
		case <-ticker.C:
		case <-ctx.Done():
			why = context.Cause(ctx).Error()
		case <-limit:
			why = "time is up"
		case <-x.done:
			why, failure = "the exchange has ended", x.failure()
		case <-stopped:
			return nil, nil // Run's error says why
		}
		var told error
		w.collect(func(e endpoint.Event, v *recovery) {
			told = errors.Join(told, show.event(time.Duration(e.At-w.start), e, v))
		})
		operator.collect(func(e control.Event) {
			told = errors.Join(told, show.operator(e.Time.Sub(w.began), e))
		})
		s, err := w.look()
		if err = errors.Join(told, err); err != nil {
			return nil, err
		}
		if why != "" {
			s.conclude(why)
			return s, failure
		}
		if err := show.frame(s); err != nil {
			return nil, err
		}
	}
}
