package doctor

import (
	"errors"
	"slices"
	"time"
)

const clockDir = "sys/devices/system/clocksource/clocksource0"

func clockSource(e *exam) found {
	source, err := e.text(clockDir + "/current_clocksource")
	if err != nil {
		return unknown(err)
	}
	const keep = "tsc=reliable, and firmware that keeps the TSCs of all packages together; dmesg says why the kernel left it"
	use := "echo tsc >/" + clockDir + "/current_clocksource"
	switch source {
	case "tsc", "arch_sys_counter":
		return good("%s", source)
	case "kvm-clock", "hyperv_clocksource_tsc_page":
		return warn("%s: read without a system call, but corrected by the host", source).atBoot(keep, use)
	case "hpet", "acpi_pm", "jiffies", "pit", "xen", "hyperv_clocksource", "refined-jiffies":
		return bad("%s", source).atBoot(keep, use)
	}
	if !isWord(source) {
		return unknown(malformed(clockDir+"/current_clocksource", source, "the name of a clock"))
	}
	return warn("%s", source).atBoot(keep, use)
}

func tsc(e *exam) found {
	text, err := e.text("proc/cpuinfo")
	if err != nil {
		return unknown(err)
	}
	flags := parseFlags(text)
	has := func(flag string) bool { return slices.Contains(flags, flag) }
	switch {
	case flags == nil:
		return unknown(errors.New("/proc/cpuinfo: no flags in it"))
	case !has("tsc") && !has("fpu"): // no x86
		return good("not x86: the architecture's counter runs at one rate")
	case has("constant_tsc") && has("nonstop_tsc"):
		return good("constant_tsc, nonstop_tsc")
	case has("constant_tsc"):
		return warn("constant_tsc, but not nonstop_tsc: it stops in deep C-states").atBoot("intel_idle.max_cstate=1 processor.max_cstate=1")
	}
	return bad("not constant_tsc").by("a processor, or a hypervisor's setting (host-passthrough, invtsc), that has it")
}

func timerSlack(e *exam) found {
	n, err := e.number("proc/self/timerslack_ns")
	if err != nil {
		return unknown(err)
	}
	const little = time.Microsecond
	slack := time.Duration(n)
	return judge(slack <= little, Warn, "%v", slack).
		by("unit: TimerSlackNSec=1, which each thread inherits; a program that spins need not care",
			"for t in /proc/PID/task/*; do echo 1 >/proc/${t##*/}/timerslack_ns; done")
}
