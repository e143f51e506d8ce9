package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// demoCmd is `boomctl demo`: a simulated exchange in a process of its own, one
// reactor with an endpoint for each symbol, and a display of both.
//
//	exchange process           this process
//	┌──────────────┐   TLS    ┌───────────────────────────┐
//	│ market,      │ ═══════► │ reactor, on a CPU to      │  cells,     ┌─────────┐
//	│ faults       │ ═══════► │ itself: three endpoints   │ ──────────► │ display │
//	└──────────────┘ ═══════► └───────────────────────────┘  event ring └─────────┘
type demoCmd struct {
	For  time.Duration `placeholder:"TIME" help:"End after this time. Without it Ctrl-C does."`
	JSON bool          `help:"Print JSON lines: an object a second and one at the end, with final set."`

	Symbols []string `default:"btcusdt,ethusdt,xrpusdt" placeholder:"NAME" help:"Symbols, an endpoint for each (default ${default})."`
	Rate    float64  `default:"500" placeholder:"N" help:"Messages a second of each stream; a symbol has two (default ${default})."`
	Feed    string   `placeholder:"FILE" help:"Let the exchange serve a recorded feed, over and over."`

	Faults      bool           `help:"Disconnect, stall and garble connections often: every 2s instead of every 10s."`
	FaultsEvery *time.Duration `placeholder:"TIME" help:"Time between two faults; 0: none."`

	CPU         int    `default:"-1" placeholder:"N" help:"CPU of the reactor. Default: the last one available."`
	ExchangeCPU int    `default:"-1" placeholder:"N" help:"CPU of the exchange. Default: the first one that is not the reactor's."`
	Idle        string `default:"backoff" placeholder:"HOW" suggest:"backoff,spin,noop,yield,park(100us),sleep-ns,sleep-ms" help:"How the reactor waits: backoff (default), spin, noop, yield, park(TIME), sleep-ns, sleep-ms."`
	Selector    string `default:"epoll" placeholder:"KIND" suggest:"epoll,direct" help:"How it finds what is ready: epoll (default) or direct."`
}

// Help is what `boomctl demo --help` says beside the flags.
func (*demoCmd) Help() string {
	return "Starts a simulated exchange in a process of its own and takes its market data over TLS on the loopback interface: " +
		"one reactor pinned to a CPU, one endpoint for each symbol. Connections are broken from time to time, to show how they recover. " +
		"It has a control socket: try boomctl control dump, or boomctl control drop btcusdt, in another terminal."
}

func (*demoCmd) about() about {
	return about{
		examples: []example{
			{"Until Ctrl-C.", "boomctl demo"},
			{"Ten seconds of a rougher market, as a log.", "boomctl demo --for 10s --faults --rate 5000 | cat"},
			{"A reactor that never waits, on a CPU of your choice.", "boomctl demo --cpu 3 --idle spin --selector direct"},
		},
		environment: []entry{
			{"NO_COLOR", "If it is not empty the display has no colours."},
			{"TERM", "dumb: lines each second instead of the display, as on what is not a terminal."},
		},
	}
}

// Run runs the demo until its time is up, or a signal. Exit status 1 means that
// it could not begin, or that the exchange or the reactor failed.
func (d *demoCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	return d.run(ctx, os.Stdout)
}

const (
	maxSymbols  = 64
	maxSymbol   = 32 // characters, as many as the exchange takes
	faultsRare  = 10 * time.Second
	faultsOften = 2 * time.Second
	// closeTime bounds the closing handshakes. With the child's end it stays
	// well under a second.
	closeTime = 400 * time.Millisecond
)

// demoPolicy recovers quickly, as the exchange is near and cannot ban anybody.
var demoPolicy = endpoint.Policy{MaxDelay: time.Second, HealthyAfter: time.Second}

// run is Run with its surroundings as arguments.
func (d *demoCmd) run(ctx context.Context, out *os.File) (err error) {
	strategy, err := idle.Parse(d.Idle)
	if err != nil {
		return err
	}
	kind, err := selector.ParseKind(d.Selector)
	if err != nil {
		return err
	}
	place, err := d.place(strategy)
	if err != nil {
		return err
	}
	x, err := startExchange(ctx, d.exchangeArgs(place))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil // Ctrl-C came first
	case err != nil:
		return err
	}
	defer x.stop()
	file := publish("boomctl demo")
	defer func() { err = errors.Join(err, file.Close()) }()
	w, err := d.newWatcher(x, place, strategy, kind, file)
	if err != nil {
		return err
	}
	operator := w.openToOperators()
	defer operator.close()
	running, cancel := context.WithCancel(context.Background())
	defer cancel()
	var ran error // by the reactor; read it after stopped
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ran = w.reactor.Run(running)
	}()

	show := d.newDisplay(out)
	defer func() { err = errors.Join(err, show.close()) }()
	s, err := d.watch(ctx, w, show, x, stopped, operator)
	operator.close()
	cancel()
	<-stopped
	err = errors.Join(err, ran)
	w.collect(func(endpoint.Event, *recovery) {})
	x.stop()
	if s == nil {
		return err
	}
	s.goodbye = w.journal.goodbye
	return errors.Join(err, show.final(s))
}

// Validate is called by kong; its errors are usage errors. What only the exchange
// can know it says itself.
func (d *demoCmd) Validate() error {
	if len(d.Symbols) == 0 || len(d.Symbols) > maxSymbols {
		return fmt.Errorf("%d symbols, must be 1 to %d", len(d.Symbols), maxSymbols)
	}
	for i, symbol := range d.Symbols {
		switch {
		case symbol == "" || len(symbol) > maxSymbol || strings.Trim(symbol, "abcdefghijklmnopqrstuvwxyz0123456789_") != "":
			return fmt.Errorf("--symbols: %q, must be 1 to %d lower-case letters, digits and _", symbol, maxSymbol)
		case slices.Contains(d.Symbols[:i], symbol):
			return fmt.Errorf("--symbols: %q is there twice", symbol)
		}
	}
	if d.For < 0 {
		return fmt.Errorf("--for %v is negative", d.For)
	}
	if !(d.Rate > 0) {
		return fmt.Errorf("--rate %v, must be above 0", d.Rate)
	}
	_, idleErr := idle.Parse(d.Idle)
	_, kindErr := selector.ParseKind(d.Selector)
	return errors.Join(idleErr, kindErr)
}
