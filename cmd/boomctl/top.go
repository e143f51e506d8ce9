package main

import (
	"context"
	"encoding/json"
	"errors"
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
type topCmd struct {
	PID []int `arg:"" optional:"" help:"Processes. Default: all of this user that publish counters."`

	Interval time.Duration `default:"1s" placeholder:"TIME" help:"Time between two samples, 100ms to 1h (default ${default})."`
	Sort     string        `default:"name" placeholder:"COLUMN" suggest:"name,reactor,state,messages,bytes,p50,p99,max,reconnects" help:"Order of the endpoints: name, reactor, state, messages, bytes, p50, p99, max, reconnects (default ${default})."`
	Reverse  bool          `help:"Reverse the order."`
	Total    bool          `help:"Latencies since the start, not since the sample before."`
	Count    int           `placeholder:"N" help:"End after N samples. Default: 1 where the output is no terminal, else until q is pressed."`
	JSON     bool          `name:"json" help:"Print a JSON object for each sample."`
	Dir      string        `placeholder:"DIR" help:"Where the counters files are. Default: where programs put them."`
}

// Help is the long help.
func (*topCmd) Help() string {
	return `The numbers come from files in memory that the processes write anyway: they are not disturbed, however often one looks. A program has such a file when it calls stats.Create and sets reactor.Config.Counters; boomctl demo does.

Keys: ↑ ↓ choose a row, Enter opens it (all numbers, histograms, errors), Esc goes back, Tab goes to the next table, s and S sort, r reverses, t shows latencies since the start, p pauses, h explains, q quits.

Rates are those of the last interval. busy is the share of it in turns that found something to do.`
}

func (*topCmd) about() about {
	return about{
		examples: []example{
			{"Everything, live. Start boomctl demo in another terminal to see something.", "boomctl top"},
			{"The endpoints with the worst tails first.", "boomctl top --sort p99"},
			{"Which endpoints are not open, once a second.", `boomctl top --json --count 60 | jq -r '.endpoints[] | select(.state != "open") | [.name, .state, .last_loss] | @tsv'`},
		},
		environment: []entry{{"BOOMNET_DIR", "Where counters files are, for the programs and for boomctl."}},
	}
}

// Bounds of --interval.
const minInterval, maxInterval = 100 * time.Millisecond, time.Hour

func (c *topCmd) Run() error {
	order, err := topOrder(c.Sort)
	if err != nil {
		return err
	}
	if c.Interval < minInterval || c.Interval > maxInterval {
		return fmt.Errorf("top: --interval %v is not between %v and %v", c.Interval, minInterval, maxInterval)
	}
	if c.Count < 0 {
		return fmt.Errorf("top: --count %d is negative", c.Count)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	w := newObserver(c.Dir, c.PID)
	defer w.close()
	screen := &topScreen{order: order, reverse: c.Reverse, all: c.Total, focus: focusEndpoints}
	_, _, terminal := term.Size(os.Stdout)
	switch {
	case c.JSON:
		return c.write(ctx, w, func(s *sample) error { return writeTopJSON(os.Stdout, s, screen) })
	case terminal && os.Getenv("TERM") != "dumb":
		return c.live(ctx, w, screen)
	}
	if c.Count == 0 {
		c.Count = 1
	}
	return c.write(ctx, w, func(s *sample) error { return writeTop(os.Stdout, s, screen) })
}

// write writes --count samples, after a first one that rates are taken from.
func (c *topCmd) write(ctx context.Context, w *observer, write func(*sample) error) error {
	var last *sample
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for n := 0; ; n++ {
		s, err := w.sample(time.Now(), last)
		if err != nil {
			return fmt.Errorf("top: %w", err)
		}
		last = s
		if n > 0 {
			if err := write(s); err != nil {
				return err
			}
			if n == c.Count {
				return nil
			}
		} else if err := c.nothing(s); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// nothing is the error for a process that was asked for and has no counters file.
func (c *topCmd) nothing(s *sample) error {
	for _, pid := range c.PID {
		found := false
		for _, b := range s.blocks {
			found = found || b.process.PID == pid
		}
		if !found {
			return fmt.Errorf("top: process %d publishes no counters here: it needs stats.Create, and to be a process of this user", pid)
		}
	}
	return nil
}

// live shows samples on the terminal until it is told to end.
func (c *topCmd) live(ctx context.Context, w *observer, t *topScreen) (err error) {
	last, err := w.sample(time.Now(), nil)
	if err == nil {
		err = c.nothing(last)
	}
	if err != nil {
		return fmt.Errorf("top: %w", err)
	}
	var pressed <-chan term.Key
	if keys, err := term.StartKeys(os.Stdin); err == nil { // else Ctrl-C ends it
		pressed = keys.C()
		defer func() { _ = keys.Stop() }()
	}
	out := term.NewScreen(os.Stdout)
	if err := out.Enter(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Leave()) }()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for n := 0; c.Count == 0 || n < c.Count; {
		width, height, ok := term.Size(os.Stdout)
		if !ok {
			return nil // the terminal is gone
		}
		canvas := term.NewCanvas(width, term.Colour(os.Stdout))
		t.draw(canvas, last, height)
		if err := out.Show(canvas, height); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case k, ok := <-pressed:
			if !ok || t.press(k) {
				return nil
			}
		case <-tick.C:
			if t.paused {
				continue
			}
			s, err := w.sample(time.Now(), last)
			if err != nil {
				return fmt.Errorf("top: %w", err)
			}
			last = s
			n++
		}
	}
	return nil
}

// writeTop writes a sample as a screen without a terminal: all rows, no colours.
func writeTop(w io.Writer, s *sample, t *topScreen) error {
	c := term.NewCanvas(summaryWidth, false)
	rows := s.rows(t.all)
	rows.sort(t.order, t.reverse)
	t.take(rows)
	t.selected = [focuses]*seenBlock{}
	t.drawTitle(c, s, rows)
	t.drawTables(c, s, rows, 10+4*(len(rows.reactors)+len(rows.endpoints)+len(rows.rings)))
	_, err := io.WriteString(w, c.String())
	return err
}

// writeTopJSON writes a sample as a line.
func writeTopJSON(w io.Writer, s *sample, t *topScreen) error {
	rows := s.rows(t.all)
	rows.sort(t.order, t.reverse)
	return json.NewEncoder(w).Encode(struct {
		At        time.Time     `json:"at"`
		Over      float64       `json:"over_s"`
		Reactors  []topReactor  `json:"reactors"`
		Endpoints []topEndpoint `json:"endpoints"`
		Rings     []topRing     `json:"rings"`
	}{s.at, s.over.Seconds(), orEmpty(rows.reactors), orEmpty(rows.endpoints), orEmpty(rows.rings)})
}

// orEmpty makes JSON of an empty list [] instead of null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
