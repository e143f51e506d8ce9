// Command capture measures what recording a feed costs the reactor that receives it. Run
// it in the directory of this module:
//
//	go run ./cmd/capture [flags]
//
// The feed server sends, on one CPU, messages of 270 bytes, 74 a write, 10,000 writes a
// second: 200 MB/s of payload. It sleeps in between. A reactor on another CPU receives
// them (client-capture) and parks in between, so that the processor time of its thread
// is what work costs; the writer of the files shares the server's CPU. Nothing is
// saturated: the share of its CPU that the reactor is busy stands in the table.
//
// One run after the other is made, not recorded and recorded in different ways, in an
// order that rotates from round to round. "off" runs twice, under two names: how far
// apart the two are is the A/A spread. Ratios are taken within a round and the median
// over the rounds counts. Files are written to -dir, 512 MiB of them at most, and removed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/bench/harness"
)

type config struct {
	rounds     int
	transports []string
	rows       []string
	serverCPU  int
	clientCPU  int
	size       int
	batch      int
	micros     int
	each       time.Duration
	dir        string
	bar        float64
}

func main() { harness.Main("capture", parseFlags, measure) }

func parseFlags(args []string) (config, error) {
	var c config
	f := flag.NewFlagSet("capture", flag.ContinueOnError)
	f.IntVar(&c.rounds, "rounds", 3, "how often each row is run")
	speak := f.String("transport", "plain,tls", "plain, tls or both")
	rows := f.String("rows", strings.Join(rowNames(), ","), "which rows; off and off2 always run")
	f.IntVar(&c.serverCPU, "server-cpu", 0, "CPU of the server")
	f.IntVar(&c.clientCPU, "client-cpu", 1, "CPU of the reactor; -1: any")
	f.IntVar(&c.size, "size", 270, "bytes of payload in a message")
	f.IntVar(&c.batch, "batch", 74, "messages a write")
	f.IntVar(&c.micros, "every", 100, "microseconds between two writes")
	f.DurationVar(&c.each, "for", 2*time.Second, "how long each run takes, about; the first fifth does not count")
	f.StringVar(&c.dir, "dir", os.TempDir(), "`DIR` of the disk that is written to")
	f.Float64Var(&c.bar, "bar", 1.15, "the ratio that is allowed")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.transports, c.rows = split(*speak), split(*rows)
	for _, t := range c.transports {
		if t != "plain" && t != "tls" {
			return c, fmt.Errorf("transport %q is none of plain, tls", t)
		}
	}
	for _, r := range c.rows {
		if !slices.Contains(rowNames(), r) {
			return c, fmt.Errorf("row %q is none of %s", r, strings.Join(rowNames(), ", "))
		}
	}
	switch {
	case f.NArg() > 0:
		return c, fmt.Errorf("argument %q: there are none", f.Arg(0))
	case c.rounds < 1:
		return c, fmt.Errorf("rounds %d is less than 1", c.rounds)
	case c.size < 1 || c.batch < 1 || c.micros < 1:
		return c, fmt.Errorf("size %d, batch %d and every %d must be positive", c.size, c.batch, c.micros)
	case c.messages() < 5*c.batch:
		return c, fmt.Errorf("for %v: fewer than 5 writes", c.each)
	case len(c.transports) == 0:
		return c, errors.New("there is nothing to run")
	}
	return c, nil
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// messages is how many a run receives.
func (c config) messages() int {
	return int(c.each/(time.Duration(c.micros)*time.Microsecond)) * c.batch
}

// path asks the server for them.
func (c config) path() string {
	return fmt.Sprintf("/steady/%d/%d/%d/%d", c.messages(), c.size, c.micros, c.batch)
}

// rate is that of the payload in MB/s.
func (c config) rate() float64 { return float64(c.size*c.batch) / float64(c.micros) }

func measure(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp("", "boomnet-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := harness.Build(ctx, dir+string(os.PathSeparator), "./server", "./client-capture"); err != nil {
		return err
	}
	before := harness.ReadMachine()
	var tables []*table
	for _, transport := range c.transports {
		t, err := run(ctx, dir, transport, c)
		if err != nil {
			return err
		}
		tables = append(tables, t)
	}
	fmt.Printf("%d bytes, %d a write, a write each %d µs: %.0f MB/s; server and writer on CPU %d, reactor on CPU %d; %d rounds; %s\n",
		c.size, c.batch, c.micros, c.rate(), c.serverCPU, c.clientCPU, c.rounds, before.Judge(harness.ReadMachine()))
	for _, t := range tables {
		if err := t.print(os.Stdout, c); err != nil {
			return err
		}
	}
	for _, t := range tables {
		if t.failed() {
			return errors.New("some runs failed, see above")
		}
	}
	return nil
}
