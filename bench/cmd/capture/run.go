package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/bench/harness"
	"github.com/boomnet-go/boomnet/bench/meter"
)

// kind is a way to run the client.
type kind struct {
	name   string
	args   []string
	bar    bool // what it costs is held to the bar, and nothing may be lost
	secure bool // it makes sense over TLS alone
	plain  bool // it is the same over TLS
}

// kinds are all rows. The first is the base, the second the same once more.
var kinds = []kind{
	{name: "off"},
	{name: "off2"},
	{name: "recorded", args: []string{"-record", "above"}, bar: true},
	{name: "zstd", args: []string{"-record", "above", "-zstd"}, bar: true, plain: true},
	{name: "below-tls", args: []string{"-record", "below"}, bar: true, secure: true},
	{name: "disk-full", args: []string{"-record", "full"}, plain: true},
	{name: "disk-slow", args: []string{"-record", "slow"}, plain: true},
}

func rowNames() (names []string) {
	for _, k := range kinds[2:] {
		names = append(names, k.name)
	}
	return names
}

// row is a kind and its runs, one a round.
type row struct {
	kind
	runs   []outcome
	ratios []float64 // to the base of the round
}

type outcome struct {
	meter.Recorded
	failed string
}

// table is all rows over one transport.
type table struct {
	transport string
	rows      []*row
}

// runLimit is how much longer than its work one run may take.
const runLimit = 30 * time.Second

func run(ctx context.Context, dir, transport string, c config) (*table, error) {
	s, err := harness.StartServer(ctx, dir, harness.ServerConfig{CPU: c.serverCPU, TLS: transport == "tls"})
	if err != nil {
		return nil, err
	}
	defer s.Stop()
	t := newTable(transport, c)
	for round := range c.rounds {
		for i := range t.rows {
			r := t.rows[(i+round)%len(t.rows)]
			r.runs = append(r.runs, once(ctx, s, filepath.Join(dir, "client-capture"), r.args, c))
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
	}
	t.compare()
	return t, nil
}

func newTable(transport string, c config) *table {
	t := &table{transport: transport}
	for i, k := range kinds {
		secure := transport == "tls"
		if i >= 2 && !slices.Contains(c.rows, k.name) || secure && k.plain || !secure && k.secure {
			continue
		}
		t.rows = append(t.rows, &row{kind: k})
	}
	return t
}

// once runs the client once. It starts on any CPU: it moves its threads itself.
func once(ctx context.Context, s *harness.Server, program string, args []string, c config) (o outcome) {
	ctx, cancel := context.WithTimeout(ctx, c.each+runLimit)
	defer cancel()
	args = append([]string{"-cpu", strconv.Itoa(c.clientCPU), "-dir", c.dir}, args...)
	cmd := exec.CommandContext(ctx, program, append(args, s.Port, c.path())...)
	cmd.Env = s.Env
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		o.failed = err.Error()
		if s := strings.TrimSpace(said.String()); s != "" {
			lines := strings.Split(s, "\n")
			o.failed += "; " + lines[len(lines)-1]
		}
		return o
	}
	if err := json.Unmarshal(out, &o.Recorded); err != nil {
		o.failed = fmt.Sprintf("its line: %v", err)
	} else if o.Messages <= 0 {
		o.failed = "it counted no messages"
	}
	return o
}

// compare sets each run beside the base's of its round.
func (t *table) compare() {
	base := t.rows[0]
	for _, r := range t.rows {
		for round, o := range r.runs {
			if b := base.runs[round]; o.failed == "" && b.failed == "" {
				r.ratios = append(r.ratios, o.Reactor/b.Reactor)
			}
		}
	}
}

func (t *table) failed() bool {
	for _, r := range t.rows {
		for _, o := range r.runs {
			if o.failed != "" {
				return true
			}
		}
	}
	return false
}
