package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/procfs"
	"github.com/boomnet-go/boomnet/internal/tasks"
)

// pinCmd is `boomctl pin`: where the threads of a running process are, and a way to
// put them elsewhere.
type pinCmd struct {
	PID     int          `arg:"" name:"pid" help:"The process."`
	Set     []tasks.Rule `sep:"none" placeholder:"WHO=CPUS" help:"Put these threads on these CPUs: WHO is a pattern of names with *, ? and [a-z], or numbers of threads; CPUS a list such as 2-3,8. May be repeated; the first that is about a thread counts."`
	Others  affinity.Set `placeholder:"CPUS" help:"Put the threads that no --set is about on these CPUs. Default: they stay."`
	Restore []tasks.Rule `sep:"none" placeholder:"TIDS=CPUS" help:"What a change has printed, to undo it. Threads that have ended since are passed over. May be repeated."`
	DryRun  bool         `help:"Say what would be done, and do nothing."`
	JSON    bool         `name:"json" help:"Print one JSON object: pid, user, allowed, cgroup, threads, and after a change moved and restore."`
}

// Help is the long help.
func (*pinCmd) Help() string {
	return `Without --set, --others and --restore it shows the threads: number, name, CPUs that it may run on, CPU that it ran on last, state, policy with priority or nice value, and how often it left its CPU because it waited (voluntary) or because it had to (involuntary).

CPUs that the process's cgroup does not allow, or that are not online, are refused before anything is changed, and so is a WHO that no thread matches. Masks are read back, and threads that appear meanwhile are moved too. Either all threads are moved or, after an error, none. Last it prints the command that puts all threads back where they were.

A thread that pins itself later, as a reactor does when it starts, is not held. Threads that it starts inherit its mask.`
}

func (*pinCmd) about() about {
	return about{examples: []example{
		{"Where the threads of a process are.", "boomctl pin 4711"},
		{"Two feeds to cores of their own, all others off these.", "boomctl pin 4711 --set 'boomnet-feed-1=2' --set 'boomnet-feed-2=3' --others 0-1"},
		{"What that would do.", "boomctl pin 4711 --dry-run --set 'boomnet-feed*=2-3' --others 0-1"},
		{"Two threads by their numbers.", "boomctl pin 4711 --set 4713,4715=3"},
		{"And back.", "boomctl pin 4711 --restore 4713,4715=0-3"},
		{"Who had to leave its CPU most often.", "boomctl pin 4711 --json | jq '.threads | max_by(.involuntary)'"},
	}}
}

// Validate is called by kong; its errors are usage errors.
func (c *pinCmd) Validate() error {
	change := len(c.Set) > 0 || c.Others != affinity.Set{}
	switch {
	case c.PID <= 0:
		return fmt.Errorf("%d is no process", c.PID)
	case len(c.Restore) > 0 && change:
		return errors.New("--restore stands alone, without --set and --others")
	case c.DryRun && !change && len(c.Restore) == 0:
		return errors.New("--dry-run is for --set, --others and --restore")
	}
	return nil
}

// pinReport is what --json prints.
type pinReport struct {
	PID     int          `json:"pid"`
	User    string       `json:"user"`
	Allowed affinity.Set `json:"allowed"` // CPUs that its threads may be put on
	Cgroup  string       `json:"cgroup,omitempty"`
	Threads []tasks.Task `json:"threads"` // after the change
	DryRun  bool         `json:"dry_run,omitempty"`
	Moved   []tasks.Move `json:"moved,omitempty"`   // or that would be
	Restore string       `json:"restore,omitempty"` // a shell command
}

// Run is called by kong.
func (c *pinCmd) Run() error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("pin: threads and their masks are those of Linux, and this is %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	report, limits, err := c.run(os.DirFS("/"), affinity.Move)
	if err != nil {
		return fmt.Errorf("pin: %w", err)
	}
	if c.JSON {
		return printJSON(report)
	}
	out := canvas()
	drawPin(out, report, limits, c.changes())
	_, err = os.Stdout.WriteString(out.String())
	return err
}

// changes reports whether the masks are to be changed.
func (c *pinCmd) changes() bool {
	return len(c.Set)+len(c.Restore) > 0 || c.Others != affinity.Set{}
}

// run looks at the process below fsys, and moves its threads by move.
func (c *pinCmd) run(fsys fs.FS, move func(tid int, cpus affinity.Set) error) (*pinReport, tasks.Limits, error) {
	var limits tasks.Limits
	uid, err := tasks.Owner(fsys, c.PID)
	if err != nil {
		return nil, limits, err
	}
	list := func() ([]tasks.Task, error) { return tasks.Read(fsys, c.PID) }
	threads, err := list()
	if err != nil {
		return nil, limits, err
	}
	// Its control group is what proc/self/cgroup tells of the process itself.
	t := affinity.Read(procfs.Of(fsys, c.PID))
	limits = tasks.Limits{Online: t.Online(), Cpuset: t.Process.Cpuset, Cgroup: t.Process.Cgroup}
	report := &pinReport{PID: c.PID, User: userName(uid), Allowed: limits.Allowed(), Cgroup: limits.Cgroup, Threads: threads, DryRun: c.DryRun}
	if !c.changes() {
		return report, limits, nil
	}
	plan := tasks.Plan{Rules: slices.Concat(c.Set, c.Restore), Others: c.Others}
	if err := plan.Check(threads, limits, len(c.Restore) > 0); err != nil {
		return nil, limits, err
	}
	if c.DryRun {
		report.Moved = plan.Preview(threads)
		return report, limits, nil
	}
	report.Moved, err = plan.Apply(tasks.Mover{List: list, Move: move, Pause: time.Sleep})
	if errors.Is(err, syscall.EPERM) {
		return nil, limits, fmt.Errorf("%w (process %d belongs to user %s; only that user and who has CAP_SYS_NICE may move its threads)", err, c.PID, report.User)
	}
	if err != nil {
		return nil, limits, err
	}
	if report.Threads, err = list(); err != nil {
		return nil, limits, err
	}
	report.Restore = restoreCommand(c.PID, report.Moved)
	return report, limits, nil
}

// userName is the name of a user, or its number.
func userName(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

// restoreCommand is a shell command that undoes moves; empty when there are none.
func restoreCommand(pid int, moves []tasks.Move) string {
	if len(moves) == 0 {
		return ""
	}
	words := []string{shellQuote(program()), "pin", strconv.Itoa(pid)}
	for _, r := range tasks.Restore(moves) {
		words = append(words, "--restore", r.String())
	}
	return strings.Join(words, " ")
}

// program is how this program can be called again: by its name where it is found,
// else by its path.
func program() string {
	self := os.Args[0]
	if filepath.Base(self) == self {
		return self // the shell has found it
	}
	if path, err := filepath.Abs(self); err == nil {
		return path
	}
	return self
}

// shellQuote makes one word for a shell of any text.
func shellQuote(s string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:@%,="
	if s != "" && strings.Trim(s, plain) == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
