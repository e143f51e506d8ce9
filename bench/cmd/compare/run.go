package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

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

type server struct {
	cmd  *exec.Cmd
	port string
	env  []string // of the clients
}

// startServer starts the feed server on its CPU and waits for its port.
func startServer(ctx context.Context, dir string, c config) (*server, error) {
	s := &server{env: cleanEnv(os.Environ())}
	args := []string{"-spin=" + strconv.FormatBool(c.spin)}
	if c.transport.secure() {
		ca := filepath.Join(dir, "ca.pem")
		args = append(args, "-cert", ca)
		s.env = append(s.env, "TLS=1", "ANCHORS_CA="+ca)
	}
	if c.transport == tlsRecords {
		s.env = append(s.env, "RECORDS=1")
	}
	s.cmd = exec.CommandContext(ctx, filepath.Join(dir, "server"), args...)
	s.cmd.Env = s.env
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := startPinned(s.cmd, c.serverCPU); err != nil {
		return nil, fmt.Errorf("starting the server on CPU %d: %w", c.serverCPU, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server printed no port: %w", err)
	}
	s.port = strings.TrimSpace(line)
	return s, nil
}

// cleanEnv leaves out what would turn a plain run into something else.
func cleanEnv(env []string) []string {
	var kept []string
	for _, e := range env {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "TLS", "RECORDS", "ANCHORS_CA", "PROFILE", "SKIP_UTF8":
		default:
			kept = append(kept, e)
		}
	}
	return kept
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// measure runs every client on every kind of work, round by round.
func (s *server) measure(ctx context.Context, c config, clients []client) ([]row, error) {
	table := works
	if c.quick {
		table = quickWorks
	}
	var rows []row
	for round := range c.rounds {
		for _, mode := range c.modes {
			for i := range clients {
				who := clients[(i+round)%len(clients)]
				r := s.runOne(ctx, who, table[mode], c.clientCPU)
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
func (s *server) runOne(ctx context.Context, who client, w work, cpu int) (r row) {
	ctx, cancel := context.WithTimeout(ctx, runLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, who.program, append([]string{s.port}, w.args...)...)
	cmd.Env = append(slices.Clip(s.env), who.env...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := startPinned(cmd, cpu)
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

// startPinned starts cmd with a mask of one CPU. A process inherits the mask of
// the thread that starts it.
func startPinned(cmd *exec.Cmd, cpu int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &old); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	one.Set(cpu)
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		return fmt.Errorf("sched_setaffinity to CPU %d: %w", cpu, err)
	}
	err := cmd.Start()
	if e := unix.SchedSetaffinity(0, &old); e != nil && err == nil {
		err = fmt.Errorf("sched_setaffinity back: %w", e)
	}
	return err
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
