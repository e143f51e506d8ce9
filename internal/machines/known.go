package machines

import (
	"fmt"
	"testing/fstest"
)

// TwoSocketSMT has two packages of eight cores of two threads, CPUs 2-7 and their
// siblings isolated without a tick, a NIC next to the second package with its
// interrupts on CPUs 8 and 9, a VLAN above it and a loopback interface.
func TwoSocketSMT() Machine {
	m := Shape{Packages: 2, Cores: 8, Threads: 2, L1d: "48K", L1i: "32K", L2: "2048K", L3: "32768K"}.Machine()
	m.Put(cpuDir+"/isolated", "2-7,18-23")
	m.Put(cpuDir+"/nohz_full", "2-7,18-23")
	m.NIC("eth0", "ice", "0000:3b:00.0", "", 1, "8-15,24-31", 40, "8", "9")
	m.Virtual("eth0.7", "eth0")
	m.Virtual("lo")
	return m
}

// EPYC has one package of 64 cores of two threads: four nodes of two L3 caches of
// eight cores each.
func EPYC() Machine {
	m := Shape{Nodes: 4, L3s: 2, Cores: 8, Threads: 2, L1d: "32K", L1i: "32K", L2: "1024K", L3: "32768K"}.Machine()
	m.NIC("enp1s0f0", "mlx5_core", "0000:c1:00.0", "", 3, "48-63,112-127", 200, "48", "49", "50", "51")
	m.Virtual("lo")
	return m
}

// Container is EPYC as a container sees it that may use CPUs 3 and 67, siblings,
// for 150 of each 100 ms, by control groups of version 2.
func Container() Machine {
	m := EPYC()
	m.Remove("sys/class/net")
	m.Virtual("eth0")
	m.Put("proc/self/status", "Name:\tfake\nCpus_allowed_list:\t3,67")
	m.Put("proc/self/cgroup", "0::/kubepods/pod1/feed")
	const group = "sys/fs/cgroup/kubepods/pod1"
	m.Put("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory pids")
	m.Put(group+"/feed/cpuset.cpus.effective", "3,67")
	m.Put(group+"/feed/cpu.max", "max 100000")
	m.Put(group+"/cpu.max", "150000 100000")
	return m
}

// BigLittle has four slow cores, CPUs 0-3, and four fast ones, 4-7, without SMT
// and dies, as ARM machines do. Each four share an L2, all share an L3 whose size
// is not told.
func BigLittle() Machine {
	m := Shape{Cores: 8, L1d: "32K", L1i: "32K"}.Machine()
	for id := range 8 {
		dir := fmt.Sprintf("%s/cpu%d", cpuDir, id)
		cluster, l2, capacity, khz := "0-3", "512K", 446, 1_800_000
		if id >= 4 {
			cluster, l2, capacity, khz = "4-7", "2048K", 1024, 2_400_000
		}
		m.Put(dir+"/topology/die_id", "-1")
		m.Put(dir+"/cpu_capacity", "%d", capacity)
		m.Put(dir+"/cpufreq/cpuinfo_max_freq", "%d", khz)
		m.cache(dir+"/cache/index2", 2, "Unified", l2, cluster)
		m.cache(dir+"/cache/index3", 3, "Unified", "(null)", "0-7")
	}
	m.Remove(nodeDir)
	return m
}

// Hybrid is a desktop machine: eight fast cores of two threads, CPUs 0-15, and
// eight slow ones in clusters of four that share an L2, CPUs 16-23.
func Hybrid() Machine {
	m := Shape{Cores: 16, Threads: 2, Adjacent: true, L1d: "48K", L1i: "32K", L2: "2048K", L3: "36864K"}.Machine()
	for _, file := range []string{"online", "present", "possible"} {
		m.Put(cpuDir+"/"+file, "0-23")
	}
	for id := 24; id < 32; id++ {
		m.Remove(fmt.Sprintf("%s/cpu%d", cpuDir, id))
	}
	for id := range 24 {
		dir := fmt.Sprintf("%s/cpu%d", cpuDir, id)
		m.Put(dir+"/cache/index3/shared_cpu_list", "0-23")
		if id < 16 {
			continue
		}
		m.Put(dir+"/topology/core_id", "%d", id)
		m.Put(dir+"/topology/core_cpus_list", "%d", id)
		m.cache(dir+"/cache/index0", 1, "Data", "32K", fmt.Sprint(id))
		m.cache(dir+"/cache/index1", 1, "Instruction", "64K", fmt.Sprint(id))
		m.cache(dir+"/cache/index2", 2, "Unified", "4096K", []string{"16-19", "20-23"}[(id-16)/4])
	}
	m.Put(nodeDir+"/node0/cpulist", "0-23")
	m.Put("proc/self/status", "Cpus_allowed_list:\t0-23")
	m.Put("sys/devices/cpu_core/cpus", "0-15")
	m.Put("sys/devices/cpu_atom/cpus", "16-23")
	return m
}

// Holes has CPUs 0, 2, 5, 70 and 130, of which 5 is offline, each a core of two
// packages, without caches and NUMA, as some hypervisors show machines.
func Holes() Machine {
	m := Machine{fstest.MapFS{}}
	m.Put(cpuDir+"/present", "0,2,5,70,130")
	m.Put(cpuDir+"/online", "0,2,70,130")
	m.Put(cpuDir+"/offline", "5")
	for i, id := range []int{0, 2, 70, 130} {
		dir := fmt.Sprintf("%s/cpu%d/topology", cpuDir, id)
		m.Put(dir+"/physical_package_id", "%d", i/2)
		m.Put(dir+"/core_id", "%d", i%2)
		m.Put(dir+"/thread_siblings_list", "%d", id) // an old kernel
	}
	m.Put(cpuDir+"/cpu5/online", "0")
	return m
}

// Odd has four CPUs of which nearly every file is odd: absent, empty, "(null)",
// nonsense, or contrary to another.
func Odd() Machine {
	m := Shape{Cores: 2, Threads: 2, L1d: "32K", L2: "512K", L3: "8M"}.Machine()
	m.Put(cpuDir+"/isolated", "(null)")
	m.Put(cpuDir+"/nohz_full", "all of them")
	m.Put(cpuDir+"/cpu0/topology/physical_package_id", "")
	m.Remove(cpuDir + "/cpu1/topology")
	m.Put(cpuDir+"/cpu2/topology/core_cpus_list", "0-2") // CPU 0 says 0,2
	m.Put(cpuDir+"/cpu3/topology/core_cpus_list", "(null)")
	m.Put(cpuDir+"/cpu3/topology/thread_siblings_list", "3-1")
	m.Put(cpuDir+"/cpu0/cache/index0/size", "many")
	m.Put(cpuDir+"/cpu0/cache/index2/type", "Magic")
	m.Put(cpuDir+"/cpu0/cache/index3/level", "-3")
	m.Put(cpuDir+"/cpu1/cache/index3/shared_cpu_list", "0-99999")
	m.Put(cpuDir+"/cpu3/cache/index3/size", "99999999999999999999K")
	m.Put(cpuDir+"/cpu3/cpu_capacity", "0")
	m.Put(nodeDir+"/node0/cpulist", "0,1,2,3,4,5,6,7")
	m.Put(nodeDir+"/node1/cpulist", "3")
	m.Put(nodeDir+"/node0/meminfo", "nothing")
	m.Put(nodeDir+"/node0/distance", "ten")
	m.Put("proc/self/status", "Cpus_allowed_list:\tff")
	m.Put("proc/self/cgroup", "0::/../../x\nnonsense\n4:cpu,cpuacct:/y")
	m.Put("sys/fs/cgroup/cgroup.controllers", "cpu")
	m.Put("sys/fs/cgroup/cpu.max", "a few")
	m.Put("sys/class/net/bonding_masters", "bond0")
	m.NIC("eth0", "r8169", "0000:00:03.0", "", -1, "", 30, "")
	m.Put("proc/irq/30/smp_affinity_list", "none")
	m.Link("sys/class/net/eth9", "../../../../nowhere")
	return m
}
