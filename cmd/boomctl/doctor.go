package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/doctor"
	"github.com/boomnet-go/boomnet/internal/procfs"
)

// doctorCmd is `boomctl doctor`: the checks of package doctor on this machine, or
// on a copy of another one's /sys and /proc.
type doctorCmd struct {
	Cores    affinity.Set `placeholder:"LIST" help:"CPUs that reactors run on, such as 2-3,8. Default: those that a placement would choose."`
	Reactors int          `placeholder:"N" help:"How many cores to choose. Default: all that are isolated, else one."`
	NIC      string       `name:"nic" placeholder:"INTERFACE" help:"The network interface that matters. Default: the fastest one that is up."`
	PID      int          `name:"pid" placeholder:"PID" help:"Look at the limits of this process, not of boomctl's own."`
	Only     []string     `placeholder:"CHECK,…" help:"Only these checks or groups."`
	Skip     []string     `placeholder:"CHECK,…" help:"Not these checks or groups."`
	List     bool         `help:"List the checks, and why each matters."`
	Verbose  bool         `short:"v" help:"Say of checks that are ok, too, why they matter."`
	Strict   bool         `help:"Let warnings and what is unknown fail as well."`
	JSON     bool         `name:"json" help:"Print one JSON object: cores, cores_from, nic, checks (each with check, group, verdict, seen, why, mend, keep)."`
	Sysfs    string       `placeholder:"DIR" help:"A folder that holds sys and proc of another machine, instead of this one's."`
}

// Help is the long help.
func (*doctorCmd) Help() string {
	return `Nothing is changed: it only reads. Verdicts: bad costs milliseconds, or stops a reactor; warn costs microseconds, or milliseconds now and then; unknown could not be read, and the text says why; ok.

Below what is not ok stands why it matters; "now" is a command for root that mends it until the next boot, "keep" is what makes it last. Read both before you use them: the machine may do other work too.

Run it as the user, and in the cgroup, that will run the program, or name the running program with --pid: limits and quotas are those of a process. Some files, such as /dev/cpu_dma_latency, only root can read.`
}

// doctorBad is the exit status when something is bad.
const doctorBad = 3

func (*doctorCmd) about() about {
	return about{
		examples: []example{
			{"This machine, for reactors on CPUs 2 and 3 that read from eth0.", "boomctl doctor --cores 2-3 --nic eth0"},
			{"What a running program has to live with.", "boomctl doctor --only process --pid 4711"},
			{"Before a start: stop when something is bad.", "boomctl doctor --cores 3 --skip hypervisor,steal >doctor.txt || exit 1"},
			{"The commands that would mend it, to be read first.", `boomctl doctor --json | jq -r '.checks[] | select(.verdict == "bad") | .mend[]?'`},
			{"Another machine, from a copy of its files.", "boomctl doctor --sysfs copy"},
		},
		statuses: []entry{
			{"0", "Nothing is bad; with --strict: everything is ok."},
			{"1", "It could not look; standard error says why."},
			{"2", "The command line is wrong."},
			{strconv.Itoa(doctorBad), "Something is bad; with --strict: or a warning, or unknown."},
		},
	}
}

// machineFS is where to look, and whether that is this machine.
func (c *doctorCmd) machineFS() (fsys fs.FS, here bool, err error) {
	root := "/"
	switch {
	case c.Sysfs != "":
		root = c.Sysfs
		if _, err := os.Stat(filepath.Join(root, "sys/devices/system/cpu")); err != nil {
			return nil, false, fmt.Errorf("doctor: --sysfs: %w", err)
		}
	case runtime.GOOS != "linux":
		return nil, false, fmt.Errorf("doctor: it reads /sys and /proc of Linux, and this is %s; --sysfs takes a copy: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	fsys, here = os.DirFS(root), c.Sysfs == ""
	if c.PID != 0 {
		if _, err := fs.Stat(fsys, "proc/"+strconv.Itoa(c.PID)); err != nil {
			return nil, false, fmt.Errorf("doctor: --pid %d: no such process", c.PID)
		}
		return procfs.Of(fsys, c.PID), false, nil
	}
	return fsys, here, nil
}

// Run is called by kong.
func (c *doctorCmd) Run() error {
	out := canvas()
	if c.List {
		drawChecks(out, doctor.Checks())
		_, err := os.Stdout.WriteString(out.String())
		return err
	}
	fsys, here, err := c.machineFS()
	if err != nil {
		return err
	}
	o := doctor.Options{Cores: c.Cores, Reactors: c.Reactors, NIC: c.NIC, Only: c.Only, Skip: c.Skip, Now: time.Now()}
	if here {
		o.GOMAXPROCS = runtime.GOMAXPROCS(0)
	}
	report, err := doctor.Examine(fsys, o)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(report)
	} else {
		drawReport(out, report, c.Verbose)
		_, err = os.Stdout.WriteString(out.String())
	}
	if err != nil {
		return err
	}
	if report.Count(doctor.Bad) > 0 || c.Strict && report.Count(doctor.OK) < len(report.Findings) {
		return exitStatus(doctorBad)
	}
	return nil
}
