// Command compare runs clients side by side on the same work and prints how
// they stand to the floor, a C client that does the least that is possible. Run
// it in the directory of this module:
//
//	go run ./cmd/compare [flags] [NAME=PROGRAM ...]
//
// It builds everything, starts the feed server on one CPU and runs the clients,
// one at a time, on another: in an order that rotates from round to round, so that
// no client always has the same neighbour. The floor runs twice, under two
// names: how far apart the two are is what the machine alone does, the A/A
// spread. A ratio is taken within a round and its median over the rounds counts.
//
// Without a C compiler there is no floor. The bare client is the base then, and
// the output says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/boomnet-go/boomnet/bench/harness"
)

// transport is how the server and the clients speak.
type transport string

const (
	plain      transport = "plain"
	tls        transport = "tls"
	tlsRecords transport = "tls-records" // one TLS record a frame
)

func (t transport) secure() bool { return t != plain }

type config struct {
	rounds    int
	modes     []string
	transport transport
	clients   []string
	extra     []client
	serverCPU int
	clientCPU int
	spin      bool
	quick     bool
	raw       string
}

func main() { harness.Main("compare", parseFlags, compare) }

func parseFlags(args []string) (config, error) {
	var c config
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	f.IntVar(&c.rounds, "rounds", 5, "how often each client does each kind of work")
	modes := f.String("modes", "burst,flood,paced", "kinds of work")
	speak := f.String("transport", "plain", "plain, tls or tls-records (one TLS record a frame)")
	clients := f.String("clients", "boomnet,boomnet-reactor", "our clients and peers: boomnet, boomnet-unchecked (validates no UTF-8), boomnet-reactor, gws, gobwas, coder, gorilla; empty for the floor alone")
	f.IntVar(&c.serverCPU, "server-cpu", 0, "CPU of the server")
	f.IntVar(&c.clientCPU, "client-cpu", 1, "CPU of the clients")
	f.BoolVar(&c.spin, "spin", false, "the server polls instead of sleeping until a client's message wakes it")
	f.BoolVar(&c.quick, "quick", false, "a tenth of the work: to see that all runs, not to judge")
	f.StringVar(&c.raw, "raw", "", "keep the lines of all runs in `FILE`")
	if err := f.Parse(args); err != nil {
		return c, err
	}
	c.modes, c.clients, c.transport = split(*modes), split(*clients), transport(*speak)
	if c.rounds < 1 {
		return c, fmt.Errorf("rounds %d is less than 1", c.rounds)
	}
	if !slices.Contains([]transport{plain, tls, tlsRecords}, c.transport) {
		return c, fmt.Errorf("transport %q is none of plain, tls, tls-records", c.transport)
	}
	for _, m := range c.modes {
		if _, ok := works[m]; !ok {
			return c, fmt.Errorf("mode %q is none of burst, flood, paced", m)
		}
	}
	for _, n := range c.clients {
		if _, ok := programs[n]; !ok {
			return c, fmt.Errorf("client %q is unknown: name a program of your own as NAME=PROGRAM", n)
		}
	}
	for _, arg := range f.Args() {
		name, program, ok := strings.Cut(arg, "=")
		if !ok || name == "" || program == "" {
			return c, fmt.Errorf("argument %q is not NAME=PROGRAM", arg)
		}
		c.extra = append(c.extra, client{name: name, program: program})
	}
	return c, nil
}

// server is how the feed server is to run.
func (c config) server() harness.ServerConfig {
	return harness.ServerConfig{CPU: c.serverCPU, Spin: c.spin, TLS: c.transport.secure(), Records: c.transport == tlsRecords}
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func compare(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp("", "boomnet-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	clients, note, err := build(ctx, dir, c)
	if err != nil {
		return err
	}
	clients = append(clients, c.extra...)

	before := harness.ReadMachine()
	s, err := harness.StartServer(ctx, dir, c.server())
	if err != nil {
		return err
	}
	defer s.Stop()
	rows, err := measure(ctx, s, c, clients)
	if err != nil {
		return err
	}
	fmt.Printf("%s, %d rounds; %s\n", c.transport, c.rounds, before.Judge(harness.ReadMachine()))
	if note != "" {
		fmt.Println(note)
	}
	if c.spin {
		fmt.Println("the server polls (-spin)")
	}
	if c.quick {
		fmt.Println("a tenth of the work (-quick): these figures decide nothing")
	}
	if err := printSummary(os.Stdout, rows, clients); err != nil {
		return err
	}
	if c.raw != "" {
		if err := writeRaw(c.raw, rows); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if r.Failed != "" {
			return errors.New("some runs failed, see above")
		}
	}
	return nil
}
