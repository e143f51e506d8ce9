package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/bench/harness"
	"github.com/boomnet-go/boomnet/bench/meter"
)

// work is one kind of work: the arguments behind the port, and the least number
// of messages that a client must report.
type work struct {
	args     []string
	messages int
}

var works = map[string]work{
	"burst": {[]string{"/burst/100/256", "10000"}, 1_000_000},
	"flood": {[]string{"/flood/3000064/180/256"}, 3_000_064},
	"paced": {[]string{"/paced/30000/180/20"}, 27_000},
}

var quickWorks = map[string]work{
	"burst": {[]string{"/burst/100/256", "1000"}, 100_000},
	"flood": {[]string{"/flood/300032/180/256"}, 300_032},
	"paced": {[]string{"/paced/3000/180/20"}, 2_700},
}

// runLimit is how long one run may take.
const runLimit = 60 * time.Second

// row is the outcome of one run.
type row struct {
	Client string `json:"client"`
	Round  int    `json:"round"`
	Failed string `json:"failed,omitempty"`
	meter.Line
}

// measure runs every client on every kind of work, round by round.
func measure(ctx context.Context, s *harness.Server, c config, clients []client) ([]row, error) {
	table := works
	if c.quick {
		table = quickWorks
	}
	var rows []row
	for round := range c.rounds {
		for _, mode := range c.modes {
			for i := range clients {
				who := clients[(i+round)%len(clients)]
				r := runOne(ctx, s, who, table[mode], c.clientCPU)
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				r.Client, r.Mode, r.Round = who.name, meter.Mode(mode), round
				rows = append(rows, r)
			}
		}
	}
	return rows, nil
}

// runOne runs one client once.
func runOne(ctx context.Context, s *harness.Server, who client, w work, cpu int) (r row) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, who.program, append([]string{s.Port}, w.args...)...)
	cmd.Env = append(slices.Clip(s.Env), who.env...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := harness.StartPinned(cmd, cpu)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		r.Failed = err.Error()
		if s := strings.TrimSpace(said.String()); s != "" {
			lines := strings.Split(s, "\n")
			r.Failed += "; " + lines[len(lines)-1]
		}
		return r
	}
	if err := json.Unmarshal(out.Bytes(), &r.Line); err != nil {
		r.Failed = "its line: " + err.Error()
	} else if r.Messages < w.messages {
		r.Failed = fmt.Sprintf("%d messages of %d", r.Messages, w.messages)
	}
	return r
}

// writeRaw keeps the rows, one JSON line each.
func writeRaw(file string, rows []row) error {
	var b bytes.Buffer
	for _, r := range rows {
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}
