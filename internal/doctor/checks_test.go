package doctor

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
)

var today = time.Date(2026, time.September, 1, 0, 0, 0, 0, time.UTC)

// tuned are the options with which nothing is wrong with machines.Tuned.
var tuned = Options{Now: today, GOMAXPROCS: 16}

// one runs one check.
func one(t *testing.T, fsys fs.FS, o Options, name string) Finding {
	t.Helper()
	o.Only = []string{name}
	r, err := Examine(fsys, o)
	require.NoError(t, err)
	require.Len(t, r.Findings, 1)
	return r.Findings[0]
}

// fault is something wrong with a machine, and what its check says of it.
type fault struct {
	put     map[string]string // files
	remove  string
	with    func(*Options)
	verdict Verdict
	seen    string // a part of it
}

// trial is what a check is put through, beside the good machine.
type trial struct {
	files  []string // it needs: without any, or with nonsense in it, nothing is known
	quiet  []string // it reads: without them, or with nonsense in them, it does not fail
	faults []fault
}

const (
	cpu2  = cpuDir + "/cpu2/"
	pci   = "sys/devices/pci0000:00/0000:3b:00.0"
	limit = "Limit                     Soft Limit           Hard Limit           Units     \n"
)

func put(path, text string) map[string]string { return map[string]string{path: text} }

// statOf is /proc/PID/stat of a thread with a name and a scheduling policy.
func statOf(name string, policy int) string {
	return fmt.Sprintf("1 (%s) S %s17 3 50 %d 0 0", name, strings.Repeat("0 ", 34), policy)
}

// trials are one for each check.
var trials = map[string]trial{
	"isolated": {files: []string{cpuDir + "/isolated"}, faults: []fault{
		{put: put(cpuDir+"/isolated", ""), with: func(o *Options) { o.Cores = affinity.Of(3) }, verdict: Bad, seen: "none is"},
		{with: func(o *Options) { o.Cores = affinity.Of(7, 8) }, verdict: Bad, seen: "not 8; those that are: 2-7,18-23"},
		{put: map[string]string{cpuDir + "/isolated": "", "sys/fs/cgroup/cpuset.cpus.isolated": "2-7"}, verdict: OK, seen: "all of 2-7"},
	}},
	"nohz-full": {files: []string{cpuDir + "/nohz_full"}, faults: []fault{
		{put: put(cpuDir+"/nohz_full", "(null)"), verdict: Warn, seen: "none is"},
		{put: put(cpuDir+"/nohz_full", "2-3"), verdict: Warn, seen: "not 4-7"},
	}},
	"rcu-nocbs": {faults: []fault{
		{remove: "proc/cmdline", verdict: Unknown, seen: "/proc/cmdline: does not exist"},
		{put: put("proc/cmdline", "\x00\x7f"), verdict: Unknown, seen: "is not a command line"},
		{put: put("proc/cmdline", "ro quiet"), verdict: Warn, seen: "none is"},
		{put: put("proc/cmdline", "ro -- rcu_nocbs=all"), verdict: Warn, seen: "none is"},
		{put: put("proc/cmdline", "rcu_nocbs=4-N"), verdict: Warn, seen: "not 2-3; those that are: 4-31"},
		{put: put("proc/cmdline", "rcu_nocbs"), verdict: OK, seen: "all of 2-7"},
		{put: put("proc/cmdline", "nohz_full=1-N"), verdict: OK, seen: "all of 2-7"},
		{put: put("proc/cmdline", "rcu_nocbs=2-"), verdict: Unknown, seen: `"rcu_nocbs=2-" is not a list of CPUs`},
	}},
	"housekeeping": {faults: []fault{
		{with: func(o *Options) { o.Cores, _ = affinity.Parse("0-31") }, verdict: Bad, seen: "reactors take all CPUs, 0-31"},
		{with: func(o *Options) { o.Cores, _ = affinity.Parse("0-15") }, verdict: Warn, seen: "only SMT siblings"},
	}},
	"smt": {quiet: []string{cpu2 + "topology/core_cpus_list"}, faults: []fault{
		{put: put(cpuDir+"/isolated", "2-7"), verdict: Warn, seen: "siblings 18-23 may run anything"},
		{with: func(o *Options) { o.Cores = affinity.Of(2, 18) }, verdict: Bad, seen: "both siblings of a core: 2,18"},
		{put: map[string]string{cpuDir + "/online": "0-15", cpuDir + "/present": "0-15"}, verdict: OK, seen: "no siblings"},
	}},
	"cpu0": {faults: []fault{
		{with: func(o *Options) { o.Cores = affinity.Of(0) }, verdict: Warn, seen: "CPU 0 is a reactor's"},
	}},
	"slow-cores": {quiet: []string{cpu2 + "cpu_capacity"}, faults: []fault{
		{put: map[string]string{"sys/devices/cpu_core/cpus": "0-3", "sys/devices/cpu_atom/cpus": "4-31"}, verdict: Bad, seen: "4-7 are efficiency cores",
			with: func(o *Options) { o.Cores, _ = affinity.Parse("2-7") }},
		{put: map[string]string{"sys/devices/cpu_core/cpus": "0-15", "sys/devices/cpu_atom/cpus": "16-31"}, verdict: OK, seen: "performance cores"},
	}},
	"one-node": {faults: []fault{
		{with: func(o *Options) { o.Cores = affinity.Of(7, 8) }, verdict: Warn, seen: "7 on node 0, 8 on node 1"},
		{remove: nodeDir, verdict: Unknown, seen: "does not exist"},
	}},

	"governor": {files: []string{cpu2 + "cpufreq/scaling_governor"}, faults: []fault{
		{put: put(cpu2+"cpufreq/scaling_governor", "powersave"), verdict: Warn, seen: "powersave on 2, performance on 3-7"},
	}},
	"energy-policy": {files: []string{cpu2 + "cpufreq/energy_performance_preference"}, faults: []fault{
		{put: put(cpu2+"cpufreq/energy_performance_preference", "balance_power"), verdict: Warn, seen: "balance_power on 2"},
		{remove: cpu2 + "cpufreq", put: put(cpu2+"power/energy_perf_bias", "6"), with: func(o *Options) { o.Cores = affinity.Of(2) }, verdict: Warn, seen: "bias 6"},
		{remove: cpu2 + "cpufreq", put: put(cpu2+"power/energy_perf_bias", "0"), with: func(o *Options) { o.Cores = affinity.Of(2) }, verdict: OK, seen: "bias 0"},
		{remove: cpu2 + "cpufreq", put: put(cpu2+"power/energy_perf_bias", "lots"), with: func(o *Options) { o.Cores = affinity.Of(2) }, verdict: Unknown, seen: `"lots" is not a bias`},
	}},
	"frequency": {files: []string{cpu2 + "cpufreq/scaling_max_freq", cpu2 + "cpufreq/cpuinfo_max_freq"}, faults: []fault{
		{put: put(cpu2+"cpufreq/scaling_max_freq", "2000000"), verdict: Warn, seen: "2 limited to 2000 of 3800 MHz"},
		{put: put(cpuDir+"/intel_pstate/no_turbo", "1"), verdict: OK, seen: "up to 3800 MHz, turbo off"},
		{put: put(cpuDir+"/cpufreq/boost", "0"), verdict: OK, seen: "boost off"},
	}},
	"c-states": {files: []string{cpu2 + "cpuidle/state1/latency", cpu2 + "cpuidle/state1/disable"}, faults: []fault{
		{put: put(cpu2+"cpuidle/state2/disable", "0"), verdict: Bad, seen: "deepest state C6 wakes in 133 µs"},
		{put: put(cpu2+"cpuidle/state1/latency", "30"), verdict: Warn, seen: "C1 wakes in 30 µs"},
		{put: map[string]string{cpu2 + "cpuidle/state2/disable": "0", "dev/cpu_dma_latency": "\x05\x00\x00\x00"}, verdict: OK, seen: "C1 wakes in 2 µs, limited by /dev/cpu_dma_latency to 5 µs"},
		{put: map[string]string{cpu2 + "cpuidle/state2/disable": "0", "dev/cpu_dma_latency": "\x00\x94\x35\x77"}, verdict: Bad, seen: "wakes in 133 µs"}, // nobody's limit
		{put: put("dev/cpu_dma_latency", "x"), verdict: OK, seen: "holds 1 bytes, not 4"},
		{put: map[string]string{cpu2 + "cpuidle/state2/disable": "0", cpu2 + "power/pm_qos_resume_latency_us": "n/a"}, verdict: OK, seen: "C1 wakes"},
		{put: map[string]string{cpu2 + "cpuidle/state2/disable": "0", cpu2 + "power/pm_qos_resume_latency_us": "20"}, verdict: OK, seen: "C1 wakes"},
		{put: put("proc/cmdline", "idle=poll"), verdict: OK, seen: "no core sleeps"},
		{put: put(cpuDir+"/cpuidle/current_driver", "none"), verdict: OK, seen: "no driver"},
		{put: put(cpuDir+"/cpuidle/current_driver", "\xff"), verdict: Unknown, seen: "is not the name of a driver"},
		{remove: cpuDir + "/cpuidle", verdict: Unknown, seen: "/current_driver: does not exist"},
	}},

	"thp": {files: []string{thpDir + "/enabled"}, faults: []fault{
		{put: put(thpDir+"/enabled", "[always] madvise never"), verdict: Warn, seen: "always"},
	}},
	"thp-defrag": {files: []string{thpDir + "/defrag"}, faults: []fault{
		{put: put(thpDir+"/defrag", "[always] defer defer+madvise madvise never"), verdict: Bad, seen: "always"},
	}},
	"khugepaged": {files: []string{thpDir + "/enabled", thpDir + "/khugepaged/defrag"}, faults: []fault{
		{put: put(thpDir+"/enabled", "[always] madvise never"), verdict: Warn, seen: "scans all memory"},
	}},
	"huge-pages": {files: []string{"proc/meminfo"}, faults: []fault{
		{put: put("proc/meminfo", "HugePages_Total: 8\nHugePages_Free: 8\nHugePages_Rsvd: 0\nHugepagesize: 2048 kB"), verdict: Warn, seen: "8 of 2048 KiB, 0 in use"},
		{put: put("proc/meminfo", "HugePages_Total: 8\nHugePages_Free: 5\nHugePages_Rsvd: 0\nHugepagesize: 2048 kB"), verdict: OK, seen: "3 in use"},
		{put: put("proc/meminfo", "HugePages_Total: some"), verdict: Unknown, seen: `"some" is no amount`},
	}},
	"ksm": {files: []string{"sys/kernel/mm/ksm/run"}, faults: []fault{
		{put: put("sys/kernel/mm/ksm/run", "1"), verdict: Warn, seen: "running"},
		{put: put("sys/kernel/mm/ksm/run", "99"), verdict: OK, seen: "split"},
	}},
	"swap": {files: []string{"proc/swaps"}, faults: []fault{
		{put: put("proc/swaps", "Filename Type Size Used Priority\n/swap file 2097152 0 -2"), verdict: Warn, seen: "2048 MiB, none in use"},
		{put: put("proc/swaps", "Filename Type Size Used Priority\n/swap file 2097152 1048576 -2"), verdict: Bad, seen: "1024 of 2048 MiB in use"},
		{put: put("proc/swaps", "Filename Type Size Used Priority\n/swap file much"), verdict: Unknown, seen: "has not five fields"},
	}},
	"swappiness": {files: []string{vmDir + "/swappiness"}, quiet: []string{"proc/swaps"}, faults: []fault{
		{put: put("proc/swaps", "Filename Type Size Used Priority\n/swap file 2097152 0 -2"), verdict: Warn, seen: "60"},
	}},
	"zone-reclaim": {files: []string{vmDir + "/zone_reclaim_mode"}, faults: []fault{
		{put: put(vmDir+"/zone_reclaim_mode", "1"), verdict: Warn, seen: "1"},
	}},
	"numa-balancing": {files: []string{kernDir + "/numa_balancing"}, faults: []fault{
		{put: put(kernDir+"/numa_balancing", "1"), verdict: Bad, seen: "1"},
		{put: put(kernDir+"/numa_balancing", "1"), remove: nodeDir, verdict: OK, seen: "on one node"},
	}},
	"compaction": {files: []string{vmDir + "/compaction_proactiveness"}, faults: []fault{
		{put: put(vmDir+"/compaction_proactiveness", "20"), verdict: Warn, seen: "20"},
	}},
	"vm-stat": {files: []string{vmDir + "/stat_interval"}, faults: []fault{
		{put: put(cpuDir+"/nohz_full", ""), verdict: Warn, seen: "1 s"},
	}},

	"nic-node": {faults: []fault{
		{with: func(o *Options) { o.Cores = affinity.Of(3, 8, 9) }, verdict: Bad, seen: "eth0 on node 0, reactor cores 8-9 on another"},
		{put: put(pci+"/numa_node", "-1"), verdict: Unknown, seen: "no node that there is"},
		{put: put(pci+"/numa_node", "nonsense"), verdict: Unknown, seen: "no node that there is"},
		{remove: "sys/class/net", verdict: Unknown, seen: "no network interface"},
	}},
	"nic-irqs": {faults: []fault{
		{put: put("proc/irq/41/effective_affinity_list", "3"), verdict: Bad, seen: "1 of 2 of eth0 on reactor cores 3"},
		{remove: pci + "/msi_irqs", verdict: Unknown, seen: "no interrupt is told"},
		{remove: "proc/irq", verdict: Unknown, seen: "nothing tells where interrupts go"},
		{remove: "sys/class/net", verdict: Unknown, seen: "no network interface"},
	}},
	"irqs": {faults: []fault{
		{put: put("proc/irq/9/effective_affinity_list", "2"), verdict: Warn, seen: "1 of 1 on reactor cores: acpi"},
		{put: map[string]string{"proc/irq/9/effective_affinity_list": "", "proc/irq/9/smp_affinity_list": "0-31"}, verdict: Warn, seen: "acpi"},
		{remove: "proc/irq", verdict: Unknown, seen: "/proc/irq: does not exist"},
		{remove: "proc/irq/9", verdict: Unknown, seen: "no interrupt of which"},
		{put: put("proc/irq/9/effective_affinity_list", "all"), verdict: Unknown, seen: "no interrupt of which"},
	}},
	"irq-default": {files: []string{"proc/irq/default_smp_affinity"}, faults: []fault{
		{put: put("proc/irq/default_smp_affinity", "ffffffff"), verdict: Warn, seen: "CPUs 0-31, reactor cores 2-7 among them"},
	}},
	"irqbalance": {quiet: []string{"proc/1/comm"}, faults: []fault{
		{put: put("proc/812/comm", "irqbalance"), verdict: OK, seen: "running (process 812); it leaves isolated cores alone"},
		{put: put("proc/812/comm", "irqbalance"), with: func(o *Options) { o.Cores = affinity.Of(8) }, verdict: Warn, seen: "may use reactor cores"},
		{remove: "proc/1", verdict: Unknown, seen: "no process is to be seen"},
	}},
	"packet-steering": {faults: []fault{
		{put: put(pci+"/net/eth0/queues/rx-0/rps_cpus", "all"), verdict: Unknown, seen: `/sys/class/net/eth0/queues/rx-0/rps_cpus: "all" is not a mask`},
		{remove: pci + "/net/eth0/queues", verdict: Unknown, seen: "/sys/class/net/eth0/queues: does not exist"},
		{put: put(pci+"/net/eth0/queues/rx-0/rps_cpus", "ff"), verdict: Warn, seen: "CPUs 0-7, reactor cores 2-7 among them"},
		{put: put(pci+"/net/eth0/queues/rx-0/rps_cpus", "3"), verdict: OK, seen: "CPUs 0-1, no reactor core"},
		{remove: "sys/class/net", verdict: Unknown, seen: "no network interface"},
	}},
	"busy-poll": {files: []string{coreNet + "/busy_read", coreNet + "/busy_poll"}, faults: []fault{
		{put: put(coreNet+"/busy_read", "0"), verdict: Warn, seen: "busy_read 0 µs, busy_poll 50 µs"},
	}},
	"socket-buffers": {files: []string{coreNet + "/rmem_max", coreNet + "/wmem_max"}, faults: []fault{
		{put: put(coreNet+"/rmem_max", "212992"), verdict: Warn, seen: "rmem_max 212992, wmem_max 8388608 bytes"},
	}},
	"tcp-buffers": {files: []string{"proc/sys/net/ipv4/tcp_rmem"}, faults: []fault{
		{put: put("proc/sys/net/ipv4/tcp_rmem", "4096 131072 2097152"), verdict: Warn, seen: "up to 2097152 bytes"},
		{put: put("proc/sys/net/ipv4/tcp_rmem", "4096 131072 much"), verdict: Unknown, seen: "three sizes"},
	}},
	"tcp-idle": {files: []string{"proc/sys/net/ipv4/tcp_slow_start_after_idle"}, faults: []fault{
		{put: put("proc/sys/net/ipv4/tcp_slow_start_after_idle", "1"), verdict: Warn, seen: "tcp_slow_start_after_idle 1"},
	}},

	"clock-source": {files: []string{clockDir + "/current_clocksource"}, faults: []fault{
		{put: put(clockDir+"/current_clocksource", "hpet"), verdict: Bad, seen: "hpet"},
		{put: put(clockDir+"/current_clocksource", "kvm-clock"), verdict: Warn, seen: "kvm-clock"},
		{put: put(clockDir+"/current_clocksource", "another"), verdict: Warn, seen: "another"},
		{put: put(clockDir+"/current_clocksource", "arch_sys_counter"), verdict: OK, seen: "arch_sys_counter"},
	}},
	"tsc": {files: []string{"proc/cpuinfo"}, faults: []fault{
		{put: put("proc/cpuinfo", "flags\t: fpu tsc constant_tsc"), verdict: Warn, seen: "not nonstop_tsc"},
		{put: put("proc/cpuinfo", "flags\t: fpu tsc"), verdict: Bad, seen: "not constant_tsc"},
		{put: put("proc/cpuinfo", "Features\t: fp asimd"), verdict: OK, seen: "not x86"},
	}},
	"timer-slack": {files: []string{"proc/self/timerslack_ns"}, faults: []fault{
		{put: put("proc/self/timerslack_ns", "50000"), verdict: Warn, seen: "50µs"},
	}},

	"mask": {files: []string{"proc/self/status"}, faults: []fault{
		{put: put("proc/self/status", "Cpus_allowed_list:\t0-1"), verdict: OK, seen: "may use 0-1, and pin to the isolated 2-7"},
		{put: put("proc/self/status", "Cpus_allowed_list:\t0-1"), with: func(o *Options) { o.Cores = affinity.Of(8) }, verdict: Bad, seen: "reactor cores 8 not among them"},
	}},
	"quota": {files: []string{"proc/self/cgroup"}, faults: []fault{
		{put: put("sys/fs/cgroup/system.slice/cpu.max", "150000 100000"), verdict: Bad, seen: "1.5 CPUs (150ms in each 100ms) by cgroup /system.slice/feed.service"},
		{put: put("sys/fs/cgroup/system.slice/cpu.max", "1600000 100000"), verdict: Warn, seen: "16 CPUs"},
		{put: put("sys/fs/cgroup/system.slice/cpu.max", "max 100000"), verdict: OK, seen: "none"},
		{put: put("sys/fs/cgroup/system.slice/cpu.max", "a few"), verdict: Unknown, seen: "malformed"},
		{put: map[string]string{"proc/self/cgroup": "4:cpu,cpuacct:/a", "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000"}, verdict: Bad, seen: "0.5 CPUs"},
	}},
	"gomaxprocs": {faults: []fault{
		{with: func(o *Options) { o.GOMAXPROCS = 7 }, verdict: Warn, seen: "has 7; for 6 that spin it should have 8"},
		{with: func(o *Options) { o.GOMAXPROCS = 0 }, verdict: Unknown, seen: "lies in no file"},
	}},
	"open-files": {files: []string{"proc/self/limits"}, faults: []fault{
		{put: put("proc/self/limits", limit+"Max open files            1024                 4096                 files"), verdict: Warn, seen: "1024, hard limit 4096"},
		{put: put("proc/self/limits", limit+"Max open files            256                  unlimited            files"), verdict: Bad, seen: "256, hard limit unlimited"},
		{put: put("proc/self/limits", limit+"Max open files            few                  4096                 files"), verdict: Unknown, seen: `"few" is no limit`},
	}},
	"locked-memory": {files: []string{"proc/self/limits"}, faults: []fault{
		{put: put("proc/self/limits", limit+"Max locked memory         8388608              8388608              bytes"), verdict: Warn, seen: "8388608 bytes"},
	}},
	"real-time": {files: []string{"proc/self/limits", "proc/self/stat", kernDir + "/sched_rt_runtime_us", kernDir + "/sched_rt_period_us"}, faults: []fault{
		{put: put("proc/self/stat", statOf("a) b", 1)), verdict: Bad, seen: "this process is real-time"},
		{put: map[string]string{kernDir + "/sched_rt_runtime_us": "-1", "proc/self/stat": statOf("a", 2)}, verdict: Warn, seen: "throttling off, and this process"},
		{put: put(kernDir+"/sched_rt_runtime_us", "-1"), verdict: OK, seen: "throttling off"},
		{put: map[string]string{kernDir + "/sched_rt_runtime_us": "-1", "proc/self/limits": "Max realtime priority     10  10"}, verdict: Warn, seen: "rtprio limit 10"},
	}},

	"kernel-version": {files: []string{kernDir + "/osrelease"}, quiet: []string{"proc/version"}, faults: []fault{
		{put: put(kernDir+"/osrelease", "6.1.0-18-amd64"), verdict: Warn, seen: "6.1.0-18-amd64"},
		{put: put(kernDir+"/osrelease", "5.10.0"), verdict: Bad, seen: "5.10.0"},
		{put: put(kernDir+"/osrelease", "7.0"), verdict: OK, seen: "7.0"},
		{put: put("proc/version", "Linux version 6.12.1 #1 SMP PREEMPT_RT Tue Jun 10 12:00:00 UTC 2025"), verdict: Warn, seen: "PREEMPT_RT, built 2025-06-10, more than a year ago"},
		{put: put("proc/version", "Linux version 6.12.1 #1 SMP @0"), verdict: OK, seen: "build date not told"},
	}},
	"mitigations": {faults: []fault{
		{put: put(cpuDir+"/vulnerabilities/meltdown", "\xff"), verdict: Unknown, seen: `meltdown: "?" is not the state of a vulnerability`},
		{put: put(cpuDir+"/vulnerabilities/meltdown", "Mitigation: PTI"), verdict: Warn, seen: "2 mitigated, 0 left open; dear at each system call: meltdown"},
		{put: put(cpuDir+"/vulnerabilities/retbleed", "Mitigation: Enhanced IBRS"), verdict: OK, seen: "2 mitigated"},
		{put: put(cpuDir+"/vulnerabilities/mds", "Vulnerable: Clear CPU buffers attempted, no microcode"), verdict: Warn, seen: "1 left open; dear at each system call: mds"},
		{remove: cpuDir + "/vulnerabilities", verdict: Unknown, seen: "does not exist"},
	}},
	"hypervisor": {files: []string{"proc/cpuinfo"}, faults: []fault{
		{put: map[string]string{"proc/cpuinfo": "flags\t: fpu tsc hypervisor", "sys/class/dmi/id/sys_vendor": "QEMU"}, verdict: Warn, seen: "a virtual machine (QEMU)"},
		{put: map[string]string{"proc/cpuinfo": "flags\t: fpu hypervisor", "sys/hypervisor/type": "xen"}, verdict: Warn, seen: "(xen)"},
		{put: put("proc/cpuinfo", "Features\t: fp asimd"), verdict: OK, seen: "only x86"},
	}},
	"steal": {files: []string{"proc/stat"}, faults: []fault{
		{put: put("proc/stat", "cpu2 0 0 0 9990 0 0 0 10 0 0"), with: func(o *Options) { o.Cores = affinity.Of(2) }, verdict: Warn, seen: "0.1 % of the time since boot on CPU 2"},
		{put: put("proc/stat", "cpu2 0 0 0 900 0 0 0 100 0 0\ncpu3 0 0 0 0 0 0 0 0"), with: func(o *Options) { o.Cores = affinity.Of(2, 3) }, verdict: Bad, seen: "10 %"},
		{put: put("proc/stat", "cpu2 0 0 0 9"), verdict: Unknown, seen: "cpu2 has no steal time"},
	}},
	"nmi-watchdog": {files: []string{kernDir + "/nmi_watchdog"}, faults: []fault{
		{put: put(kernDir+"/nmi_watchdog", "1"), verdict: Warn, seen: "1"},
	}},
	"watchdog": {files: []string{kernDir + "/watchdog", kernDir + "/watchdog_cpumask"}, faults: []fault{
		{put: put(kernDir+"/watchdog_cpumask", "0-31"), verdict: Warn, seen: "on CPUs 0-31, reactor cores 2-7 among them"},
		{put: put(kernDir+"/watchdog", "0"), verdict: OK, seen: "off"},
	}},
	"workqueues": {files: []string{"sys/devices/virtual/workqueue/cpumask"}, faults: []fault{
		{put: put("sys/devices/virtual/workqueue/cpumask", "ffffffff"), verdict: Warn, seen: "on CPUs 0-31"},
	}},
}

func TestChecks(t *testing.T) {
	var names []string
	for _, c := range table {
		names = append(names, c.name)
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tr, ok := trials[c.name]
			require.True(t, ok, "it needs a trial")
			f := one(t, machines.Tuned(), tuned, c.name)
			require.Equal(t, OK, f.Verdict, f.Seen)
			require.Empty(t, f.Keep, "nothing is to mend")
			require.Empty(t, f.Mend)

			found := slices.ContainsFunc(tr.faults, func(f fault) bool { return f.verdict == Warn || f.verdict == Bad })
			require.True(t, found, "it never finds anything")
			for _, x := range tr.faults {
				m, o := machines.Tuned(), tuned
				if x.remove != "" {
					m.Remove(x.remove)
				}
				for path, text := range x.put {
					m.MapFS[path] = &fstest.MapFile{Data: []byte(text)}
				}
				if x.with != nil {
					x.with(&o)
				}
				f := one(t, m, o, c.name)
				require.Equal(t, x.verdict, f.Verdict, f.Seen)
				require.Contains(t, f.Seen, x.seen)
				if f.Verdict == Warn || f.Verdict == Bad {
					require.NotEmpty(t, f.Keep, "what makes it last")
				}
			}
			for _, file := range tr.files {
				unreadable(t, c.name, file)
			}
			for _, file := range tr.quiet {
				for _, text := range []string{"", "\x00\xff nonsense\n"} {
					m := machines.Tuned()
					m.MapFS[file] = &fstest.MapFile{Data: []byte(text)}
					require.NotEmpty(t, one(t, m, tuned, c.name).Seen)
				}
				m := machines.Tuned()
				m.Remove(file)
				require.NotEmpty(t, one(t, m, tuned, c.name).Seen)
			}
		})
	}
	require.Len(t, trials, len(names), "trials of checks that are gone")
}

// unreadable: without its file, or with nonsense in it, a check says so, and which.
func unreadable(t *testing.T, check, file string) {
	t.Helper()
	m := machines.Tuned()
	require.Contains(t, m.MapFS, file)
	m.Remove(file)
	f := one(t, m, tuned, check)
	require.Equal(t, Unknown, f.Verdict, "%s is missing: %s", file, f.Seen)
	require.Contains(t, f.Seen, "/"+file)
	m.Link(file, "/nowhere") // an error that is not "no such file"
	f = one(t, m, tuned, check)
	require.Equal(t, Unknown, f.Verdict)
	m = machines.Tuned()
	for _, text := range []string{"\x00\xff nonsense 7-", "-"} {
		m.MapFS[file] = &fstest.MapFile{Data: []byte(text)}
		f = one(t, m, tuned, check)
		require.Equal(t, Unknown, f.Verdict, "%s holds %q: %s", file, text, f.Seen)
	}
}
