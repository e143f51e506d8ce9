package doctor

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

func kernelVersion(e *exam) found {
	const file = kernDir + "/osrelease"
	release, err := e.text(file)
	if err != nil {
		return unknown(err)
	}
	major, minor, err := parseRelease(release)
	if err != nil {
		return unknown(malformed(file, release, "a release"))
	}
	newer := func(a, b int) bool { return major > a || major == a && minor >= b }
	f := good("%s", release)
	switch {
	case !newer(5, 11):
		f.verdict = Bad
	case !newer(6, 9):
		f.verdict = Warn
	}
	version, err := e.text("proc/version")
	if err != nil {
		f.seen += ", its age unknown: " + err.Error()
		return f.by("a newer kernel")
	}
	for _, model := range []string{"PREEMPT_RT", "PREEMPT_DYNAMIC", "PREEMPT"} {
		if strings.Contains(version, model) {
			f.seen += ", " + model
			break
		}
	}
	built, known := parseBuilt(version)
	if known {
		f.seen += ", built " + built.Format(time.DateOnly)
		const year = 365 * 24 * time.Hour
		if !e.o.Now.IsZero() && e.o.Now.Sub(built) > year && f.verdict == OK {
			f.seen += ", more than a year ago"
			f.verdict = Warn
		}
	} else {
		f.seen += ", build date not told"
	}
	return f.by("a newer kernel")
}

// costly are mitigations that make each system call or switch dearer by a lot,
// and by which words they are known.
var costly = []struct {
	file  string
	words []string
}{
	{"meltdown", []string{"PTI"}},
	{"retbleed", []string{"Mitigation: IBRS", "ntrained return thunk"}},
	{"spec_rstack_overflow", []string{"Safe RET", "safe RET", "IBPB"}},
	{"mds", []string{"Clear CPU buffers"}},
	{"tsx_async_abort", []string{"Clear CPU buffers"}},
	{"mmio_stale_data", []string{"Clear CPU buffers"}},
	{"reg_file_data_sampling", []string{"Clear"}},
	{"tsa", []string{"Clear CPU buffers"}},
}

func mitigations(e *exam) found {
	const dir = cpuDir + "/vulnerabilities"
	names, err := e.names(dir)
	if err != nil {
		return unknown(err)
	}
	var mitigated, open int
	var dear []string
	for _, name := range names {
		text, err := e.text(dir + "/" + name)
		if err != nil {
			return unknown(err)
		}
		switch {
		case strings.Contains(text, "Mitigation"):
			mitigated++
		case strings.Contains(text, "Vulnerable"):
			open++
		case !strings.Contains(text, "Not affected") && !strings.Contains(text, "Processor vulnerable") && !strings.Contains(text, "Unknown"):
			return unknown(malformed(dir+"/"+name, text, "the state of a vulnerability"))
		}
		i := slices.IndexFunc(costly, func(c struct {
			file  string
			words []string
		}) bool {
			return c.file == name
		})
		if i >= 0 && slices.ContainsFunc(costly[i].words, func(word string) bool { return strings.Contains(text, word) }) {
			dear = append(dear, name)
		}
	}
	if len(names) == 0 {
		return unknown(fmt.Errorf("/%s: nothing in it", dir))
	}
	seen := fmt.Sprintf("%d mitigated, %d left open", mitigated, open)
	if len(dear) == 0 {
		return good("%s, none that costs much", seen)
	}
	return warn("%s; dear at each system call: %s", seen, strings.Join(dear, ", ")).
		atBoot("mitigations=off, only on a machine that runs no code of others")
}

func hypervisor(e *exam) found {
	text, err := e.text("proc/cpuinfo")
	if err != nil {
		return unknown(err)
	}
	flags := parseFlags(text)
	if flags == nil {
		return unknown(errors.New("/proc/cpuinfo: no flags in it"))
	}
	vendor, _ := e.text("sys/class/dmi/id/sys_vendor")
	if kind, err := e.text("sys/hypervisor/type"); err == nil && kind != "" {
		vendor = kind
	}
	if !slices.Contains(flags, "hypervisor") {
		if slices.Contains(flags, "fpu") {
			return good("none")
		}
		return good("none is told of (only x86 has a flag for it)")
	}
	seen := "a virtual machine"
	if vendor != "" {
		seen += " (" + strings.ToValidUTF8(vendor, "?") + ")"
	}
	return warn("%s", seen).by("a machine without one; else virtual CPUs pinned to cores of their own, and no overcommitment")
}

func steal(e *exam) found {
	text, err := e.text("proc/stat")
	if err != nil {
		return unknown(err)
	}
	worst, where := -1.0, 0
	for _, cpu := range e.cores.CPUs() {
		part, err := parseSteal(text, cpu)
		if err != nil {
			return unknown(fmt.Errorf("/proc/stat: %w", err))
		}
		if part > worst {
			worst, where = part, cpu
		}
	}
	const some, much, percent = 0.0001, 0.01, 100
	f := judge(worst <= some, Warn, "%.3g %% of the time since boot on CPU %d", worst*percent, where)
	if worst > much {
		f.verdict = Bad
	}
	return f.by("virtual CPUs pinned to cores of their own by who runs the host")
}

func nmiWatchdog(e *exam) found {
	return e.settingOff(kernDir+"/nmi_watchdog", Warn)
}

func watchdog(e *exam) found {
	on, err := e.number(kernDir + "/watchdog")
	if err != nil {
		return unknown(err)
	}
	if on == 0 {
		return good("off")
	}
	cpus, err := e.list(kernDir + "/watchdog_cpumask")
	if err != nil {
		return unknown(err)
	}
	f := e.outOfList(cpus.And(e.topology.Online()), "on CPUs")
	if rest := e.rest(); rest != (affinity.Set{}) {
		return f.bySysctl("kernel.watchdog_cpumask", rest.String())
	}
	return f.bySysctl("kernel.watchdog", "0")
}

func workqueues(e *exam) found {
	const file = "sys/devices/virtual/workqueue/cpumask"
	cpus, err := e.mask(file)
	if err != nil {
		return unknown(err)
	}
	f := e.outOfList(cpus.And(e.topology.Online()), "on CPUs")
	if rest := e.rest(); rest != (affinity.Set{}) {
		return f.byFile(file, formatMask(rest))
	}
	return f
}
