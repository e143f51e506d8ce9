package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
)

// topCmd is `boomctl top`: the reactors, endpoints and rings of running processes,
// live, from their counters files.
//
//	counters files ──observer──► sample ──rows──► topRows ──filter, sort──► topScreen ──► terminal
//	                                                                    └─► text, JSON
type topCmd struct {
	PID []int `arg:"" optional:"" help:"Processes. Default: all of this user that publish counters."`

	Interval time.Duration `default:"1s" placeholder:"TIME" help:"Time between two samples, 100ms to 1h (default ${default})."`
	Filter   string        `placeholder:"TEXT" help:"Only endpoints and rings with it in their name, reactor or state; !TEXT: those without. !open shows what is down."`
	Sort     string        `default:"name" placeholder:"COLUMN" suggest:"name,reactor,state,messages,bytes,p50,p99,max,queue,reconnects" help:"Order of the endpoints: name, reactor, state, messages, bytes, p50, p99, max, queue, reconnects (default ${default}); numbers from the largest, states from the worst."`
	Reverse  bool          `help:"Reverse the order."`
	Total    bool          `help:"Latencies since the start, not since the sample before."`
	Count    int           `placeholder:"N" help:"End after N samples. Default: 1 where the output is no terminal, else until q is pressed."`
	JSON     bool          `name:"json" help:"Print a JSON object for each sample."`
	countersDir
}

// Help is the long help.
func (*topCmd) Help() string {
	return `The numbers come from files in memory that the processes write anyway: they are not disturbed, however often one looks. A program has such a file when it calls stats.Create and sets reactor.Config.Counters; boomctl demo does.

Keys: ↑ ↓ choose a row, Enter opens it (all numbers, histograms, errors), Esc goes back, Tab goes to the next table, / filters, s and S sort the table by another column, r reverses, e shows all errors, t shows latencies since the start, p pauses, h explains, q quits.

Rates are those of the last interval. busy is the share of it in turns that found something to do. Latencies are from the end of a network read to the handler.

A JSON object has at, over_s, and the lists processes, reactors, endpoints and rings. Names that end in _per_s are rates over over_s, those in _ns nanoseconds, those in _bytes bytes, the others numbers as they stand or totals since the start. Names stay; more may come.`
}

func (*topCmd) about() about {
	return about{
		examples: []example{
			{"Everything, live. Start boomctl demo in another terminal to see something.", "boomctl top"},
			{"The endpoints with the worst tails first.", "boomctl top --sort p99"},
			{"Only what is down, once a second for a minute, for a log.", "boomctl top --filter='!open' --json --count 60 | jq -r '.endpoints[] | [.name, .state, .last_loss] | @tsv'"},
		},
		environment: []entry{
			boomnetDir,
			{"NO_COLOR", "If it is not empty the screen has no colours."},
			{"TERM", "dumb: text instead of the screen, as on what is not a terminal."},
		},
	}
}

// Bounds of --interval.
const minInterval, maxInterval = 100 * time.Millisecond, time.Hour

// Run shows or prints samples.
func (c *topCmd) Run() error {
	order, err := topOrder(c.Sort)
	switch {
	case err != nil:
		return err
	case c.Interval < minInterval || c.Interval > maxInterval:
		return fmt.Errorf("top: --interval %v is not between %v and %v", c.Interval, minInterval, maxInterval)
	case c.Count < 0:
		return fmt.Errorf("top: --count %d is negative", c.Count)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	w := &observer{dir: c.path(), pids: c.PID}
	defer w.close()
	screen := &topScreen{dir: w.dir, filter: c.Filter, all: c.Total, focus: focusEndpoints}
	screen.order[focusEndpoints], screen.reverse[focusEndpoints] = order, c.Reverse
	width, _, terminal := term.Size(os.Stdout)
	switch {
	case c.JSON:
		err = c.print(ctx, w, screen, writeTopJSON)
	case terminal && os.Getenv("TERM") != "dumb":
		err = c.live(ctx, w, screen)
	default:
		if c.Count == 0 {
			c.Count = 1
		}
		if !terminal {
			width = summaryWidth
		}
		err = c.print(ctx, w, screen, func(out io.Writer, t *topScreen) error { return writeTop(out, t, width) })
	}
	if err != nil {
		return fmt.Errorf("top: %w", err)
	}
	return nil
}
