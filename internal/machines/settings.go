package machines

import (
	"fmt"
	"strings"
)

// Tuned is TwoSocketSMT set up for reactors on CPUs 2-7: their siblings idle, the
// NIC and its interrupts near them but not on them, full speed, nothing that runs
// beside them. No check of package doctor has anything to say about it.
func Tuned() Machine {
	m := TwoSocketSMT()
	m.Remove("sys/class/net/eth0")
	m.Remove("sys/devices/pci0000:00")
	m.Remove("proc/irq")
	m.NIC("eth0", "ice", "0000:3b:00.0", "", 0, "0-7,16-23", 40, "0", "1")
	m.Put("sys/devices/pci0000:00/0000:3b:00.0/net/eth0/queues/rx-0/rps_cpus", "00000000")
	m.settings(32)
	return m
}

// settings writes what package doctor reads beside the topology, as a careful
// administrator has left it, on a machine with so many CPUs.
func (m Machine) settings(cpus int) {
	const (
		idle  = "Linux version 6.12.41 (build@host) (gcc 14.2.0) #1 SMP PREEMPT_DYNAMIC Debian 6.12.41-1 (2026-08-12)"
		flags = "flags\t\t: fpu tsc constant_tsc nonstop_tsc tsc_known_freq"
	)
	m.Put("proc/cmdline", "BOOT_IMAGE=/vmlinuz ro isolcpus=managed_irq,domain,2-7,18-23 nohz_full=2-7,18-23 rcu_nocbs=2-7,18-23 -- splash")
	m.Put("proc/version", "%s", idle)
	m.Put("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fake\n%s\n", flags)
	m.Put("proc/meminfo", "MemTotal:       134217728 kB\nHugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugepagesize:       2048 kB")
	m.Put("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority")
	m.Put("proc/self/cgroup", "0::/system.slice/feed.service")
	m.Put("proc/self/timerslack_ns", "1")
	m.Put("proc/self/stat", "4711 (fee) d) S 1 %s 20 0 8 0 100 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0", strings.Repeat("0 ", 12)+"0")
	m.Put("proc/self/limits", "Limit                     Soft Limit           Hard Limit           Units     \n"+
		"Max open files            65536                524288               files     \n"+
		"Max locked memory         unlimited            unlimited            bytes     \n"+
		"Max realtime priority     0                    0                              ")
	m.Put("proc/1/comm", "systemd")
	stat := "cpu  1000 0 1000 100000 0 0 0 0 0 0"
	for id := range cpus {
		stat += fmt.Sprintf("\ncpu%d 100 0 100 10000 0 0 0 0 0 0", id)
		m.Put(fmt.Sprintf("%s/cpu%d/cpufreq/scaling_governor", cpuDir, id), "performance")
		m.Put(fmt.Sprintf("%s/cpu%d/cpufreq/energy_performance_preference", cpuDir, id), "performance")
		m.Put(fmt.Sprintf("%s/cpu%d/cpufreq/cpuinfo_max_freq", cpuDir, id), "3800000")
		m.Put(fmt.Sprintf("%s/cpu%d/cpufreq/scaling_max_freq", cpuDir, id), "3800000")
		m.Put(fmt.Sprintf("%s/cpu%d/power/pm_qos_resume_latency_us", cpuDir, id), "0")
		m.idleState(id, 0, "POLL", 0, 0)
		m.idleState(id, 1, "C1", 2, 0)
		m.idleState(id, 2, "C6", 133, 1)
	}
	m.Put("proc/stat", "%s\nintr 0", stat)
	m.Put(cpuDir+"/cpuidle/current_driver", "intel_idle")
	for path, text := range map[string]string{
		"transparent_hugepage/enabled":           "always [madvise] never",
		"transparent_hugepage/defrag":            "always defer defer+madvise [madvise] never",
		"transparent_hugepage/khugepaged/defrag": "1",
		"ksm/run":                                "0",
	} {
		m.Put("sys/kernel/mm/"+path, "%s", text)
	}
	for path, text := range map[string]string{
		"vm/swappiness": "60", "vm/zone_reclaim_mode": "0", "vm/compaction_proactiveness": "0", "vm/stat_interval": "1",
		"kernel/numa_balancing": "0", "kernel/osrelease": "6.12.41+deb13-amd64",
		"kernel/sched_rt_runtime_us": "950000", "kernel/sched_rt_period_us": "1000000",
		"kernel/nmi_watchdog": "0", "kernel/watchdog": "1", "kernel/watchdog_cpumask": "0-1,8-17,24-31",
		"net/core/busy_read": "50", "net/core/busy_poll": "50", "net/core/rmem_max": "8388608", "net/core/wmem_max": "8388608",
		"net/ipv4/tcp_rmem": "4096\t131072\t33554432", "net/ipv4/tcp_slow_start_after_idle": "0",
	} {
		m.Put("proc/sys/"+path, "%s", text)
	}
	m.Put("sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc")
	m.Put("sys/devices/virtual/workqueue/cpumask", "ff03ff03")
	m.Put("proc/irq/default_smp_affinity", "ff03ff03")
	m.Interrupt(9, "acpi", "0")
	m.Interrupt(41, "ice-eth0-TxRx-1", "1")
	m.Put(cpuDir+"/vulnerabilities/spectre_v1", "Mitigation: usercopy/swapgs barriers and __user pointer sanitization")
	m.Put(cpuDir+"/vulnerabilities/meltdown", "Not affected")
}

func (m Machine) idleState(cpu, state int, name string, latency, disabled int) {
	dir := fmt.Sprintf("%s/cpu%d/cpuidle/state%d", cpuDir, cpu, state)
	m.Put(dir+"/name", "%s", name)
	m.Put(dir+"/latency", "%d", latency)
	m.Put(dir+"/disable", "%d", disabled)
}

// Interrupt adds an interrupt that a handler has asked for, and the CPUs it goes to.
func (m Machine) Interrupt(number int, handler, cpus string) {
	dir := fmt.Sprintf("proc/irq/%d", number)
	m.Put(dir+"/effective_affinity_list", "%s", cpus)
	m.Put(dir+"/"+handler+"/trigger", "")
}

// Stock is Tuned as a distribution leaves a machine: nothing is isolated, the
// governor follows load, everything may run and interrupt anywhere.
func Stock() Machine {
	m := Tuned()
	m.Put(cpuDir+"/isolated", "")
	m.Put(cpuDir+"/nohz_full", "(null)")
	m.Put("proc/cmdline", "BOOT_IMAGE=/vmlinuz ro quiet")
	m.NIC("eth0", "ice", "0000:3b:00.0", "", 0, "0-7,16-23", 40, "2", "3")
	m.Put("sys/devices/pci0000:00/0000:3b:00.0/net/eth0/queues/rx-0/rps_cpus", "ffffffff")
	for id := range 32 {
		m.Put(fmt.Sprintf("%s/cpu%d/cpufreq/scaling_governor", cpuDir, id), "powersave")
		m.Put(fmt.Sprintf("%s/cpu%d/cpufreq/energy_performance_preference", cpuDir, id), "balance_performance")
		m.Put(fmt.Sprintf("%s/cpu%d/cpufreq/scaling_max_freq", cpuDir, id), "3000000")
		m.idleState(id, 2, "C6", 133, 0)
	}
	for path, text := range map[string]string{
		"sys/kernel/mm/transparent_hugepage/enabled":                      "[always] madvise never",
		"sys/kernel/mm/transparent_hugepage/defrag":                       "[always] defer defer+madvise madvise never",
		"sys/kernel/mm/ksm/run":                                           "1",
		"proc/sys/vm/compaction_proactiveness":                            "20",
		"proc/sys/vm/zone_reclaim_mode":                                   "1",
		"proc/sys/kernel/numa_balancing":                                  "1",
		"proc/sys/kernel/nmi_watchdog":                                    "1",
		"proc/sys/kernel/watchdog_cpumask":                                "0-31",
		"proc/sys/kernel/osrelease":                                       "5.10.0-30-amd64",
		"proc/version":                                                    "Linux version 5.10.0-30-amd64 (debian-kernel@lists.debian.org) (gcc-10) #1 SMP Debian 5.10.218-1 (2024-06-01)",
		"proc/sys/net/core/busy_read":                                     "0",
		"proc/sys/net/core/busy_poll":                                     "0",
		"proc/sys/net/core/rmem_max":                                      "212992",
		"proc/sys/net/core/wmem_max":                                      "212992",
		"proc/sys/net/ipv4/tcp_rmem":                                      "4096\t131072\t2097152",
		"proc/sys/net/ipv4/tcp_slow_start_after_idle":                     "1",
		"sys/devices/virtual/workqueue/cpumask":                           "ffffffff",
		"proc/irq/default_smp_affinity":                                   "ffffffff",
		"sys/devices/system/clocksource/clocksource0/current_clocksource": "hpet",
		cpuDir + "/vulnerabilities/meltdown":                              "Mitigation: PTI",
		"proc/cpuinfo":                                                    "flags\t\t: fpu tsc constant_tsc hypervisor",
		"sys/class/dmi/id/sys_vendor":                                     "QEMU",
		"proc/swaps":                                                      "Filename\tType\tSize\tUsed\tPriority\n/dev/sda2 partition\t4194300\t1024\t-2",
		"proc/meminfo":                                                    "HugePages_Total:    1024\nHugePages_Free:     1024\nHugePages_Rsvd:        0\nHugepagesize:       2048 kB",
		"proc/self/timerslack_ns":                                         "50000",
		"proc/self/limits": "Limit                     Soft Limit           Hard Limit           Units     \n" +
			"Max open files            1024                 524288               files     \n" +
			"Max locked memory         8388608              8388608              bytes     \n" +
			"Max realtime priority     0                    0                              ",
		"sys/fs/cgroup/cgroup.controllers":                "cpuset cpu",
		"sys/fs/cgroup/system.slice/feed.service/cpu.max": "150000 100000",
		"proc/812/comm": "irqbalance",
	} {
		m.Put(path, "%s", text)
	}
	m.Put("proc/stat", "cpu1 90 0 100 9000 0 0 0 900 0 0\n%s", "cpu2 90 0 100 9000 0 0 0 90 0 0")
	m.Interrupt(9, "acpi", "1")
	return m
}
