package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/jitter"
)

// waiting is the build tag without which two of the loops do not exist.
const waiting = "boomnet_wait"

// loopNames are the loops: the one in C, the bare one in Go, and reactors by their
// idle strategy.
var loopNames = []string{"c", "go", "spin", "spin-wait", "exclusive"}

// loop is something to watch.
type loop struct {
	name, program string
	args          []string // of boomctl
}

// build makes what is wanted in dir. notes say what could not be.
func build(ctx context.Context, dir string, c config) (loops []loop, notes []string, err error) {
	programs := map[string]string{}
	boomctl := func(tags string) (string, error) {
		if programs[tags] == "" {
			out := filepath.Join(dir, "boomctl-"+tags)
			cmd := exec.CommandContext(ctx, "go", "build", "-C", "..", "-tags", tags, "-o", out, "./cmd/boomctl")
			cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
			if said, err := cmd.CombinedOutput(); err != nil {
				return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said)
			}
			programs[tags] = out
		}
		return programs[tags], nil
	}
	for _, name := range c.loops {
		l := loop{name: name}
		switch name {
		case "c":
			said, err := exec.CommandContext(ctx, "make", "-s", "-C", "floor", "gaps", "OUT="+dir).CombinedOutput()
			if err != nil {
				first, _, _ := strings.Cut(strings.TrimSpace(string(said)), "\n")
				notes = append(notes, fmt.Sprintf("NO FLOOR: the loop in C does not build (%v: %s): nothing says what is the machine's own", err, first))
				continue
			}
			l.program = filepath.Join(dir, "gaps")
		case "go":
			l.args = []string{"--loop", "plain"}
			l.program, err = boomctl("")
		case "spin":
			l.args = []string{"--idle", name}
			l.program, err = boomctl("")
		default:
			l.args = []string{"--idle", name}
			l.program, err = boomctl(waiting)
		}
		if err != nil {
			return nil, nil, err
		}
		loops = append(loops, l)
	}
	return loops, notes, nil
}

// run is a loop at a share of work, and what all its rounds have seen.
type run struct {
	loop
	busy  int
	stops time.Duration // 0: no collection is forced

	failed            error
	rounds            int
	watched           int64
	switches, others  jitter.CauseCount // made by Go but for signals, by the machine
	signals, unseen   int64
	worst             float64 // switches a second in the worst round
	collections       int64
	stopping, slowest int64 // the longest, in nanoseconds
}

// plan is all there is to run. The loop in C has no use for shares and stops.
func plan(loops []loop, c config) (runs []*run) {
	for _, l := range loops {
		if l.name == "c" {
			runs = append(runs, &run{loop: l, busy: 100})
			continue
		}
		for _, busy := range c.busy {
			runs = append(runs, &run{loop: l, busy: busy})
		}
	}
	if c.stops > 0 {
		for _, r := range slices.Clone(runs) {
			if r.name != "c" {
				runs = append(runs, &run{loop: r.loop, busy: r.busy, stops: c.stops})
			}
		}
	}
	return runs
}

// runGrace is how much longer than it watches a run may take.
const runGrace = 10 * time.Second

// once runs it for a round and adds what it saw.
func (r *run) once(ctx context.Context, c config) error {
	if r.failed != nil {
		return r.failed
	}
	ctx, cancel := context.WithTimeout(ctx, c.each+runGrace)
	defer cancel()
	report, err := r.report(ctx, c)
	if err != nil {
		r.failed = err
		return err
	}
	r.add(report)
	return nil
}

func (r *run) report(ctx context.Context, c config) (*jitter.Report, error) {
	args := []string{strconv.Itoa(c.cpu), strconv.FormatInt(int64(c.each), 10), strconv.FormatInt(int64(c.threshold), 10)}
	if r.name != "c" {
		wait := c.wait
		if r.busy == 0 {
			wait = c.silence
		}
		args = append([]string{
			"jitter", "--json", "--cpu", strconv.Itoa(c.cpu), "--for", c.each.String(),
			"--threshold", c.threshold.String(), "--busy", strconv.Itoa(r.busy), "--wait", wait.String(),
		}, r.args...)
		if c.confine {
			args = append(args, "--confine")
		}
	}
	if r.stops > 0 {
		args = append(args, "--gc", r.stops.String())
	}
	cmd := exec.CommandContext(ctx, r.program, args...)
	cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS="+strconv.Itoa(c.gomaxprocs))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(complaints.String()), "\n")
		return nil, fmt.Errorf("%w: %s", err, first)
	}
	if r.name == "c" {
		return jitter.ReadFloor(bytes.NewReader(out))
	}
	report := new(jitter.Report)
	return report, json.Unmarshal(out, report)
}

// add adds what a round has seen.
func (r *run) add(report *jitter.Report) {
	var switches, others jitter.CauseCount
	for _, n := range report.Causes {
		switch {
		case r.name == "c" || !n.Go: // in C there is no Go to make any
			merge(&others, n)
		case n.Cause == jitter.Signal:
			r.signals += n.Count
		default:
			merge(&switches, n)
		}
	}
	r.rounds++
	r.watched += report.Watched
	r.unseen += report.Unseen
	r.worst = max(r.worst, report.PerSecond(switches.Count))
	merge(&r.switches, switches)
	merge(&r.others, others)
	if s := report.Stops; s != nil {
		r.collections += s.Count
		r.stopping, r.slowest = max(r.stopping, s.Stopping), max(r.slowest, s.Longest)
	}
}

func merge(to *jitter.CauseCount, n jitter.CauseCount) {
	to.Count += n.Count
	to.Total += n.Total
	to.Longest = max(to.Longest, n.Longest)
}

// where is the machine and the CPU.
func where(c config) string {
	kernel := "unknown"
	var u unix.Utsname
	if err := unix.Uname(&u); err == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	load, _ := os.ReadFile("/proc/loadavg")
	now, _, _ := strings.Cut(string(load), " ")
	return fmt.Sprintf("Linux %s, load %s, CPU %d", kernel, now, c.cpu)
}
