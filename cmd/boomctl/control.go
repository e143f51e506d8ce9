package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/stats"
)

// controlCmd is `boomctl control`: what an operator does to a running process, see
// package control. A PID before the verb chooses the process.
type controlCmd struct {
	Dir     string        `placeholder:"DIR" help:"Where the sockets are. Default: $$BOOMNET_DIR, else boomnet in $$XDG_RUNTIME_DIR, else /dev/shm/boomnet-UID."`
	Timeout time.Duration `default:"10s" placeholder:"TIME" help:"How long to wait for the process (default ${default})."`

	controlVerbs
	List controlListCmd `cmd:"" help:"Show which processes have a control socket."`

	// Hidden, or help would have each verb twice: Help says that a PID may be there.
	PID struct {
		PID int `arg:"" help:"The process."`
		controlVerbs
	} `arg:"" hidden:""`
}

type controlVerbs struct {
	Idle  controlIdleCmd  `cmd:"" help:"Change how a reactor waits for work."`
	Reset controlResetCmd `cmd:"" help:"Empty the histograms of reactors and their endpoints."`
	Drop  controlDropCmd  `cmd:"" help:"Drop the connection of an endpoint; it reconnects by its policy."`
	Dump  controlDumpCmd  `cmd:"" help:"Show how reactors, endpoints and connections stand."`
}

// Help is the long help.
func (*controlCmd) Help() string {
	return `Reaches into a running process that has opened a control socket (package control), as boomctl demo does. With a PID, boomctl control PID drop …, it is that process; without one, the only one that there is.

A process hears its own user and root. It is told who asks, and so is an endpoint whose connection is dropped.`
}

func (*controlCmd) about() about {
	return about{
		examples: []example{
			{"In another terminal, while boomctl demo runs.", "boomctl control dump\nboomctl control drop btcusdt\nboomctl control idle demo 'park(100us)'"},
			{"Of several processes that of PID 4242.", "boomctl control list\nboomctl control 4242 dump --json"},
		},
		environment: controlEnvironment,
	}
}

// Exit statuses of boomctl control, beside those of every command.
const (
	exitNoProcess = 3
	exitNotFound  = 4
	exitStuck     = 5
)

// statuses are for each of the verbs.
func (controlVerbs) statuses() []entry {
	return []entry{
		{"0", "It is done."},
		{"1", "It failed, or the process refused; standard error says why."},
		{"2", "The command line is wrong."},
		{"3", "No process with a control socket, or several and no PID."},
		{"4", "The process has no such reactor or endpoint, or the endpoint no connection."},
		{"5", "A reactor does not turn. What was asked of it is done when it does."},
	}
}

var controlEnvironment = []entry{
	{"BOOMNET_DIR", "Where the sockets are, see --dir."},
	{"XDG_RUNTIME_DIR", "They are in boomnet below it if it is in memory and BOOMNET_DIR is not set."},
}

// controlIdleCmd is `boomctl control idle`.
type controlIdleCmd struct {
	Reactor  string `arg:"" help:"Its name, as dump shows it."`
	Strategy string `arg:"" suggest:"backoff,spin,noop,yield,park(100us),sleep-ns,sleep-ms" help:"backoff, spin, noop, yield, park(TIME), sleep-ns or sleep-ms."`
}

func (*controlIdleCmd) about() about {
	return about{
		examples: []example{
			{"A reactor that never waits, for the open of the market.", "boomctl control idle md spin"},
			{"And one that leaves its core to others.", "boomctl control idle md 'park(100us)'"},
		},
		statuses: controlVerbs{}.statuses(), environment: controlEnvironment,
	}
}

// Validate is called by kong; its errors are usage errors.
func (c *controlIdleCmd) Validate() error {
	_, err := idle.Parse(c.Strategy)
	return err
}

// Run changes it.
func (c *controlIdleCmd) Run(k *kong.Kong, of *controlCmd) error {
	return of.do(k, func(ctx context.Context, p *control.Client) error {
		strategy, err := idle.Parse(c.Strategy)
		if err != nil {
			return err
		}
		done, err := p.SetIdle(ctx, c.Reactor, strategy)
		return report(k, err, done, "waits by "+strategy.String())
	})
}

// controlResetCmd is `boomctl control reset`.
type controlResetCmd struct {
	Reactor string `arg:"" optional:"" help:"Its name. Default: all of them."`
}

// Help is the long help.
func (*controlResetCmd) Help() string {
	return "Begins anew with what was most as well: longest turns, fullest queues, distinct errors. Counters go on."
}

func (*controlResetCmd) about() about {
	return about{
		examples: []example{
			{"Before a measurement.", "boomctl control reset"},
			{"One reactor.", "boomctl control reset md"},
		},
		statuses: controlVerbs{}.statuses(), environment: controlEnvironment,
	}
}

// Run empties them.
func (c *controlResetCmd) Run(k *kong.Kong, of *controlCmd) error {
	return of.do(k, func(ctx context.Context, p *control.Client) error {
		done, err := p.ResetHistograms(ctx, c.Reactor)
		return report(k, err, done, "histograms are empty")
	})
}

// controlDropCmd is `boomctl control drop`.
type controlDropCmd struct {
	Endpoint string `arg:"" help:"Its name, as dump shows it. All that have it are dropped."`
	Reactor  string `placeholder:"NAME" help:"Only on this reactor."`
}

func (*controlDropCmd) about() about {
	return about{
		examples: []example{
			{"A feed that is open and looks wrong.", "boomctl control drop btcusdt"},
			{"On one of several reactors that have one of that name.", "boomctl control drop --reactor md btcusdt"},
		},
		statuses: controlVerbs{}.statuses(), environment: controlEnvironment,
	}
}

// Run drops it.
func (c *controlDropCmd) Run(k *kong.Kong, of *controlCmd) error {
	return of.do(k, func(ctx context.Context, p *control.Client) error {
		n, err := p.Drop(ctx, c.Reactor, c.Endpoint)
		if n > 0 || err == nil {
			if _, e := fmt.Fprintf(k.Stdout, "%s: %s dropped\n", oneLine(c.Endpoint), plural(n, "connection")); err == nil {
				err = e
			}
		}
		return err
	})
}

// controlDumpCmd is `boomctl control dump`.
type controlDumpCmd struct {
	Reactor string `arg:"" optional:"" help:"Its name. Default: all of them."`
	JSON    bool   `name:"json" help:"Print one JSON object, with all there is. Times are in ns, relative to the moment of the dump."`
}

func (*controlDumpCmd) about() about {
	return about{
		examples: []example{
			{"How it all stands.", "boomctl control dump"},
			{"Endpoints that are not open, and why.", `boomctl control dump --json | jq -r '.reactors[].endpoints[] | select(.state != "open") | [.name, .state, .last_loss.summary] | @tsv'`},
		},
		statuses: controlVerbs{}.statuses(), environment: controlEnvironment,
	}
}

// Run prints it. A reactor that does not turn is shown, and is exit status 5.
func (c *controlDumpCmd) Run(k *kong.Kong, of *controlCmd) error {
	stuck := false
	err := of.do(k, func(ctx context.Context, p *control.Client) error {
		d, err := p.Dump(ctx, c.Reactor)
		if err != nil {
			return err
		}
		for _, r := range d.Reactors {
			stuck = stuck || r.Stuck != nil
		}
		if c.JSON {
			e := json.NewEncoder(k.Stdout)
			e.SetIndent("", "  ")
			return e.Encode(d)
		}
		return writeDump(k.Stdout, d)
	})
	if err == nil && stuck {
		return exitStatus(exitStuck)
	}
	return err
}

// controlListCmd is `boomctl control list`.
type controlListCmd struct {
	JSON bool `name:"json" help:"Print a JSON object for each process: pid, program, started, reactors, path, error."`
}

func (*controlListCmd) about() about {
	return about{
		examples: []example{
			{"Who can be asked.", "boomctl control list"},
			{"Their PIDs, for a script.", "boomctl control list --json | jq .pid"},
		},
		environment: controlEnvironment,
	}
}

// listed is a process, as --json shows it.
type listed struct {
	PID      int        `json:"pid"`
	Program  string     `json:"program,omitempty"`
	Started  *time.Time `json:"started,omitempty"`
	Reactors []string   `json:"reactors,omitempty"`
	Path     string     `json:"path"`
	Error    string     `json:"error,omitempty"` // why it does not answer
}

// Run lists them. That there is none is no failure.
func (c *controlListCmd) Run(k *kong.Kong, of *controlCmd) error {
	ctx, stop := of.context()
	defer stop()
	all, err := control.List(of.dir())
	if err != nil {
		return err
	}
	for _, found := range all {
		l := listed{PID: found.PID, Path: found.Path}
		p, err := control.Dial(ctx, found.Path)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			continue // left over: its process has ended
		case err != nil:
			l.Error = err.Error()
		default:
			h := p.Hello()
			l.Program, l.Started, l.Reactors = h.Program, &h.Started, h.Reactors
			p.Close()
		}
		if c.JSON {
			err = json.NewEncoder(k.Stdout).Encode(l)
		} else {
			_, err = io.WriteString(k.Stdout, oneLine(l.String())+"\n")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l listed) String() string {
	if l.Error != "" {
		return fmt.Sprintf("%8d  does not answer: %s", l.PID, l.Error)
	}
	return fmt.Sprintf("%8d  %-16s since %s  reactors %s", l.PID, l.Program, l.Started.Format(time.DateTime), strings.Join(l.Reactors, ", "))
}

func (of *controlCmd) dir() string {
	if of.Dir != "" {
		return of.Dir
	}
	return stats.Dir()
}

// context ends with the time, or with a signal.
func (of *controlCmd) context() (context.Context, func()) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, of.Timeout)
	return ctx, func() { cancel(); stop() }
}

// do connects to the process and does something with it. Errors are printed, and
// become exit statuses.
func (of *controlCmd) do(k *kong.Kong, f func(context.Context, *control.Client) error) error {
	ctx, stop := of.context()
	defer stop()
	p, err := of.dial(ctx)
	if err == nil {
		err = f(ctx, p)
		p.Close()
	}
	if err == nil {
		return nil
	}
	status := 1
	var refused *control.Error
	switch {
	case errors.Is(err, errNoProcess):
		status = exitNoProcess
	case errors.As(err, &refused) && refused.Code == control.NotFound:
		status = exitNotFound
	case errors.As(err, &refused) && refused.Code == control.Stuck:
		status = exitStuck
	}
	fmt.Fprintf(k.Stderr, "boomctl: %s\n", oneLine(err.Error()))
	return exitStatus(status)
}

var errNoProcess = errors.New("control: no process to ask")

// dial finds the process that was meant.
func (of *controlCmd) dial(ctx context.Context) (*control.Client, error) {
	dir := of.dir()
	if pid := of.PID.PID; pid != 0 {
		p, err := control.Dial(ctx, control.PathOf(dir, pid))
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
			err = fmt.Errorf("%w: process %d has no control socket in %s", errNoProcess, pid, dir)
		}
		return p, err
	}
	all, err := control.List(dir)
	if err != nil {
		return nil, err
	}
	var found []*control.Client
	var failed error
	for _, one := range all {
		p, err := control.Dial(ctx, one.Path)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED): // left over
		case err != nil:
			failed = err
		default:
			found = append(found, p)
		}
	}
	if len(found) == 1 && failed == nil {
		return found[0], nil
	}
	var who []string
	for _, p := range found {
		who = append(who, fmt.Sprintf("%d (%s)", p.Hello().PID, p.Hello().Program))
		p.Close()
	}
	switch {
	case len(found) > 0:
		return nil, fmt.Errorf("%w: there are several: %s: say which: boomctl control PID …", errNoProcess, strings.Join(who, ", "))
	case failed != nil:
		return nil, failed
	}
	return nil, fmt.Errorf("%w: no process has a control socket in %s", errNoProcess, dir)
}

// report says what was done on which reactors, whatever happened on others.
func report(k *kong.Kong, err error, reactors []string, what string) error {
	if refused, ok := errors.AsType[*control.Error](err); ok {
		reactors = refused.Reactors
	}
	for _, name := range reactors {
		if _, e := fmt.Fprintf(k.Stdout, "%s: %s\n", oneLine(name), what); err == nil {
			err = e
		}
	}
	return err
}
