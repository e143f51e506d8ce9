package harness

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const module = "github.com/boomnet-go/boomnet/bench"

// Build makes packages of this module at out, a file or a directory and a separator.
// It needs no C compiler.
func Build(ctx context.Context, out string, packages ...string) error {
	here, err := exec.CommandContext(ctx, "go", "list", "-m").Output()
	if err != nil || strings.TrimSpace(string(here)) != module {
		return fmt.Errorf("run this in the directory of module %s", module)
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"build", "-o", out}, packages...)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, said)
	}
	return nil
}

// ServerConfig is how the feed server runs.
type ServerConfig struct {
	CPU     int
	Spin    bool // it polls instead of sleeping
	TLS     bool
	Records bool // with one TLS record a frame
}

// Server is a feed server that runs.
type Server struct {
	Port string
	Env  []string // of its clients
	cmd  *exec.Cmd
}

// StartServer starts the program "server" in dir on its CPU and waits for its port.
func StartServer(ctx context.Context, dir string, c ServerConfig) (*Server, error) {
	s := &Server{Env: cleanEnv(os.Environ())}
	args := []string{"-spin=" + strconv.FormatBool(c.Spin)}
	if c.TLS {
		ca := filepath.Join(dir, "ca.pem")
		args = append(args, "-cert", ca)
		s.Env = append(s.Env, "TLS=1", "ANCHORS_CA="+ca)
	}
	if c.Records {
		s.Env = append(s.Env, "RECORDS=1")
	}
	s.cmd = exec.CommandContext(ctx, filepath.Join(dir, "server"), args...)
	s.cmd.Env = s.Env
	s.cmd.Stderr = os.Stderr
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := StartPinned(s.cmd, c.CPU); err != nil {
		return nil, fmt.Errorf("starting the server on CPU %d: %w", c.CPU, err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.Stop()
		return nil, fmt.Errorf("the server printed no port: %w", err)
	}
	s.Port = strings.TrimSpace(line)
	return s, nil
}

// Stop ends the server.
func (s *Server) Stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
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

// StartPinned starts cmd with a mask of one CPU. A process inherits the mask of
// the thread that starts it.
func StartPinned(cmd *exec.Cmd, cpu int) error {
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
