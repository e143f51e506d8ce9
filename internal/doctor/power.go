package doctor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

// allAre reports whether every core's file holds one of the words.
func allAre(all []held, words ...string) bool {
	return !slices.ContainsFunc(all, func(h held) bool { return !slices.Contains(words, h.text) })
}

func governor(e *exam) found {
	all, err := e.ofCores("cpufreq/scaling_governor")
	if err != nil {
		return unknown(fmt.Errorf("%w (no frequency driver: firmware or a hypervisor decides)", err))
	}
	for _, h := range all {
		if !isWord(h.text) {
			return unknown(malformed(cpuFile(h.cpus.First(), "cpufreq/scaling_governor"), h.text, "the name of a governor"))
		}
	}
	return judge(allAre(all, "performance"), Warn, "%s", describe(all)).
		atBoot("cpufreq.default_governor=performance", fmt.Sprintf("cpupower -c %s frequency-set -g performance", e.cores))
}

func isWord(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") == ""
}

func energyPolicy(e *exam) found {
	const preference, bias = "cpufreq/energy_performance_preference", "power/energy_perf_bias"
	all, err := e.ofCores(preference)
	if err == nil {
		for _, h := range all {
			if n, err := strconv.Atoi(h.text); !isWord(h.text) && (err != nil || n < 0 || n > 255) {
				return unknown(malformed(cpuFile(h.cpus.First(), preference), h.text, "a preference"))
			}
		}
		return judge(allAre(all, "performance", "0"), Warn, "%s", describe(all)).
			by("/etc/tmpfiles.d/boomnet.conf: w /"+cpuDir+"/cpu*/"+preference+" - - - - performance",
				fmt.Sprintf("for f in /%s/cpu*/%s; do echo performance >$f; done", cpuDir, preference))
	}
	all, biasErr := e.ofCores(bias)
	if biasErr != nil {
		return unknown(fmt.Errorf("%w (the frequency driver has no such policy)", err))
	}
	for _, h := range all {
		if n, err := strconv.Atoi(h.text); err != nil || n < 0 || n > 15 {
			return unknown(malformed(cpuFile(h.cpus.First(), bias), h.text, "a bias from 0 to 15"))
		}
	}
	return judge(allAre(all, "0"), Warn, "bias %s (0 is performance, 15 saving)", describe(all)).
		by("a unit that runs this command at boot", fmt.Sprintf("cpupower -c %s set -b 0", e.cores))
}

func frequency(e *exam) found {
	var capped affinity.Set
	var lowest, most int64
	for _, cpu := range e.cores.CPUs() {
		highest, err := e.number(cpuFile(cpu, "cpufreq/cpuinfo_max_freq"))
		if err != nil {
			return unknown(err)
		}
		now, err := e.number(cpuFile(cpu, "cpufreq/scaling_max_freq"))
		if err != nil {
			return unknown(err)
		}
		most = max(most, highest)
		if now < highest {
			capped.Add(cpu)
			if lowest == 0 || now < lowest {
				lowest = now
			}
		}
	}
	const kHzToMHz = 1000
	turbo := ""
	if n, err := e.number(cpuDir + "/intel_pstate/no_turbo"); err == nil && n == 1 {
		turbo = ", turbo off"
	} else if n, err := e.number(cpuDir + "/cpufreq/boost"); err == nil && n == 0 {
		turbo = ", boost off"
	}
	if capped == (affinity.Set{}) {
		return good("up to %d MHz%s", most/kHzToMHz, turbo)
	}
	return warn("%s limited to %d of %d MHz%s", capped, lowest/kHzToMHz, most/kHzToMHz, turbo).
		by("/etc/default/cpupower or the firmware's power profile, where the limit comes from",
			fmt.Sprintf("cpupower -c %s frequency-set -u %dMHz", capped, most/kHzToMHz))
}

// Wake-up times of idle states, microseconds.
const (
	quickWake = 10  // C1 and its like
	slowWake  = 100 // package states
)

func cStates(e *exam) found {
	line, err := e.boot()
	if idle, _ := parameter(line, "idle"); err == nil && idle == "poll" {
		return good("idle=poll: no core sleeps")
	}
	driver, err := e.text(cpuDir + "/cpuidle/current_driver")
	if err != nil {
		return unknown(err)
	}
	if !isWord(driver) {
		return unknown(malformed(cpuDir+"/cpuidle/current_driver", driver, "the name of a driver"))
	}
	if driver == "none" {
		return good("no driver: the plain idle instruction, no deeper state")
	}
	limit, limits, notes := e.latencyLimit()
	var deepest int64
	name := "none"
	for _, cpu := range e.cores.CPUs() {
		latency, state, err := e.deepest(cpu, limit)
		if err != nil {
			return unknown(err)
		}
		if latency > deepest || name == "none" {
			deepest, name = latency, state
		}
	}
	verdict := OK
	switch {
	case deepest > slowWake:
		verdict = Bad
	case deepest > quickWake:
		verdict = Warn
	}
	f := found{verdict: verdict, seen: fmt.Sprintf("driver %s, deepest state %s wakes in %d µs%s%s", driver, name, deepest, limits, notes)}
	return f.atBoot("intel_idle.max_cstate=1 processor.max_cstate=1; or a process that holds /dev/cpu_dma_latency open with 0 in it",
		fmt.Sprintf("cpupower -c %s idle-set -D %d", e.cores, quickWake+1))
}

// noLimit is what cpu_dma_latency holds when nobody asks for anything: 2000 s.
const noLimit = 2_000_000_000

// latencyLimit is the longest wake-up, in microseconds, that a process has asked
// for by /dev/cpu_dma_latency. Only root may read it; without it there may be none.
func (e *exam) latencyLimit() (limit int64, seen, note string) {
	const file, size = "dev/cpu_dma_latency", 4
	data, err := e.bytes(file)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return noLimit, "", "; whether /dev/cpu_dma_latency limits it only root can read"
	case err != nil:
		return noLimit, "", ""
	case len(data) != size:
		return noLimit, "", fmt.Sprintf("; /%s holds %d bytes, not %d", file, len(data), size)
	}
	if n := int64(int32(binary.NativeEndian.Uint32(data))); n >= 0 && n < noLimit {
		return n, fmt.Sprintf(", limited by /%s to %d µs", file, n), ""
	}
	return noLimit, "", ""
}

// deepest finds the deepest idle state that a CPU may enter.
func (e *exam) deepest(cpu int, limit int64) (latency int64, name string, err error) {
	dir := cpuFile(cpu, "cpuidle")
	names, err := e.names(dir)
	if err != nil {
		return 0, "", err
	}
	// n/a: nothing above 0 will do; 0: no limit.
	switch text, err := e.text(cpuFile(cpu, "power/pm_qos_resume_latency_us")); {
	case err != nil:
	case text == "n/a":
		limit = 0
	default:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 {
			limit = min(limit, n)
		}
	}
	name = "none"
	for _, state := range names {
		if !strings.HasPrefix(state, "state") {
			continue
		}
		disabled, err := e.number(dir + "/" + state + "/disable")
		if err != nil {
			return 0, "", err
		}
		wake, err := e.number(dir + "/" + state + "/latency")
		if err != nil {
			return 0, "", err
		}
		label, err := e.text(dir + "/" + state + "/name")
		if err != nil {
			return 0, "", err
		}
		if disabled == 0 && wake <= limit && (wake >= latency || name == "none") {
			latency, name = wake, label
		}
	}
	return latency, name, nil
}
