package affinity

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/machines"
)

// fakes are all machines there are.
var fakes = []struct {
	name string
	make func() machines.Machine
}{
	{"two sockets, SMT", machines.TwoSocketSMT},
	{"EPYC", machines.EPYC},
	{"container", machines.Container},
	{"big-little", machines.BigLittle},
	{"hybrid", machines.Hybrid},
	{"holes", machines.Holes},
	{"odd", machines.Odd},
	{"nothing", func() machines.Machine { return machines.Machine{MapFS: fstest.MapFS{}} }},
}

func set(t *testing.T, list string) Set {
	t.Helper()
	s, err := Parse(list)
	require.NoError(t, err)
	return s
}

// lists are the CPUs of groups, for people who read tests.
func lists(groups []Group) []string {
	var all []string
	for _, g := range groups {
		all = append(all, g.CPUs.String())
	}
	return all
}

func cacheLists(t *Topology, name string) []string {
	var all []string
	for _, c := range t.Caches {
		if c.String() == name {
			all = append(all, c.CPUs.String())
		}
	}
	return all
}

func TestTwoSocketSMT(t *testing.T) {
	m := Read(machines.TwoSocketSMT())
	require.Empty(t, m.Problems)
	require.Equal(t, "0-31", m.Online().String())
	require.Equal(t, []string{"0-7,16-23", "8-15,24-31"}, lists(m.Packages))
	require.Equal(t, []string{"0-7,16-23", "8-15,24-31"}, lists(m.Dies))
	require.Len(t, m.Cores, 16)
	require.Equal(t, "7,23", m.Siblings(23).String())
	require.Equal(t, []string{"0-7,16-23", "8-15,24-31"}, cacheLists(m, "L3"))
	require.Len(t, cacheLists(m, "L2"), 16)
	require.Equal(t, Cache{Level: 3, Type: Unified, Size: 32 << 20, CPUs: m.Packages[1].CPUs}, m.Caches[1])
	require.Equal(t, "L1i", m.Caches[len(m.Caches)-1].String())
	require.Equal(t, "2-7,18-23", m.Isolated.String())
	require.Equal(t, "2-7,18-23", m.NohzFull.String())
	require.Equal(t, []Node{
		{0, m.Packages[0].CPUs, 64 << 30, []int{10, 32}},
		{1, m.Packages[1].CPUs, 64 << 30, []int{32, 10}},
	}, m.Nodes)
	cpu, ok := m.CPU(25)
	require.True(t, ok)
	require.Equal(t, CPU{ID: 25, Online: true, Package: 1, Die: 0, Core: 1, Node: 1}, cpu)
	_, ok = m.CPU(32)
	require.False(t, ok)
	require.Equal(t, []NIC{
		{Name: "eth0", Driver: "ice", Device: "0000:3b:00.0", Up: true, Speed: 25_000_000_000, Node: 1,
			CPUs: m.Packages[1].CPUs, IRQs: []IRQ{{40, Of(8)}, {41, Of(9)}}},
		{Name: "eth0.7", Virtual: true, Lower: []string{"eth0"}, Node: -1},
		{Name: "lo", Virtual: true, Node: -1},
	}, m.NICs)
	require.Equal(t, Of(8, 9), m.NICs[0].IRQCPUs())
	require.Equal(t, m.Online(), m.Process.Allowed)
}

func TestEPYC(t *testing.T) {
	m := Read(machines.EPYC())
	require.Empty(t, m.Problems)
	require.Len(t, m.CPUs, 128)
	require.Len(t, m.Packages, 1)
	require.Len(t, m.Nodes, 4)
	require.Equal(t, "16-31,80-95", m.Nodes[1].CPUs.String())
	require.Len(t, cacheLists(m, "L3"), 8)
	last, ok := m.LastCache(127)
	require.True(t, ok)
	require.Equal(t, "56-63,120-127", last.CPUs.String())
}

func TestContainer(t *testing.T) {
	m := Read(machines.Container())
	require.Empty(t, m.Problems)
	require.Equal(t, Process{
		Allowed: Of(3, 67), Cgroup: "/kubepods/pod1/feed", Cpuset: Of(3, 67),
		Quota: 150 * time.Millisecond, Period: 100 * time.Millisecond,
	}, m.Process)
	require.Equal(t, 1.5, m.Process.QuotaCPUs())
	require.Len(t, m.CPUs, 128, "a container sees the whole machine")
}

func TestCgroupVersion1(t *testing.T) {
	fake := machines.EPYC()
	fake.Put("proc/self/cgroup", "5:cpuset:/a/b\n3:cpu,cpuacct:/a/b\n0::/")
	fake.Put("sys/fs/cgroup/cpuset/cpuset.cpus", "0-7") // the group itself is not to be seen
	fake.Put("sys/fs/cgroup/cpu,cpuacct/a/b/cpu.cfs_quota_us", "-1")
	fake.Put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "400000")
	fake.Put("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000")
	fake.Put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000")
	fake.Put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "10000")
	m := Read(fake)
	require.Empty(t, m.Problems)
	require.Equal(t, "0-7", m.Process.Cpuset.String())
	require.Equal(t, 4.0, m.Process.QuotaCPUs(), "the tightest of a group and those above")
	require.Equal(t, "/a/b", m.Process.Cgroup)
}

func TestBigLittle(t *testing.T) {
	m := Read(machines.BigLittle())
	require.Empty(t, m.Problems)
	require.Empty(t, m.Dies)
	require.Empty(t, m.Nodes)
	require.Len(t, m.Cores, 8)
	require.Equal(t, []string{"0-3", "4-7"}, cacheLists(m, "L2"))
	require.Equal(t, []string{"0-7"}, cacheLists(m, "L3"))
	for _, c := range m.CPUs {
		want := CPU{ID: c.ID, Online: true, Die: -1, Core: c.ID, Node: -1, Kind: Efficiency, Capacity: 446, MaxFrequency: 1_800_000_000}
		if c.ID >= 4 {
			want.Kind, want.Capacity, want.MaxFrequency = Performance, 1024, 2_400_000_000
		}
		require.Equal(t, want, c)
	}
}

func TestHybrid(t *testing.T) {
	m := Read(machines.Hybrid())
	require.Empty(t, m.Problems)
	require.Len(t, m.Cores, 16)
	require.Equal(t, "14-15", m.Siblings(14).String())
	require.Equal(t, "16", m.Siblings(16).String())
	require.Equal(t, []string{"16-19", "20-23"}, cacheLists(m, "L2")[8:])
	for _, c := range m.CPUs {
		require.Equal(t, map[bool]CoreKind{true: Performance, false: Efficiency}[c.ID < 16], c.Kind)
	}
}

func TestHoles(t *testing.T) {
	m := Read(machines.Holes())
	require.Empty(t, m.Problems)
	require.Equal(t, "0,2,5,70,130", m.Present().String())
	require.Equal(t, "0,2,70,130", m.Online().String())
	require.Equal(t, []string{"0,2", "70,130"}, lists(m.Packages))
	require.Equal(t, []string{"0", "2", "70", "130"}, lists(m.Cores))
	require.Equal(t, m.Online(), m.Process.Allowed, "no /proc: all that is online")
	cpu, ok := m.CPU(5)
	require.True(t, ok)
	require.Equal(t, CPU{ID: 5, Package: -1, Die: -1, Core: -1, Node: -1}, cpu)
}

func TestOddFiles(t *testing.T) {
	m := Read(machines.Odd())
	var said []string
	for _, p := range m.Problems {
		said = append(said, p.String())
	}
	require.Equal(t, []string{
		`proc/self/status: malformed: Cpus_allowed_list: "\tff"`,
		`sys/fs/cgroup/cpu.max: malformed: "a few"`,
		`proc/self/cgroup: malformed: "nonsense\n"`,
		`sys/devices/system/cpu/cpu0/topology/physical_package_id: empty`,
		`sys/devices/system/cpu/cpu1/topology/physical_package_id: absent`,
		`sys/devices/system/cpu/cpu1/topology/core_id: absent`,
		`sys/devices/system/cpu/cpu3/cpu_capacity: malformed: "0"`,
		`sys/devices/system/cpu/cpu1/topology/thread_siblings_list: absent`,
		`sys/devices/system/cpu/cpu3/topology/thread_siblings_list: malformed: "3-1"`,
		`sys/devices/system/cpu/cpu0/cache/index0/size: malformed: "many" (2 such)`,
		`sys/devices/system/cpu/cpu0/cache/index2/type: malformed: "Magic"`,
		`sys/devices/system/cpu/cpu0/cache/index3/level: malformed: "-3"`,
		`sys/devices/system/cpu/cpu1/cache/index3/shared_cpu_list: malformed: "0-99999"`,
		`sys/devices/system/node/node0/meminfo: malformed: no MemTotal in kB`,
		`sys/devices/system/node/node0/distance: malformed: "ten"`,
		`sys/devices/system/node/node1/cpulist: contrary: 3`,
		`sys/devices/system/cpu/nohz_full: malformed: "all of them"`,
		`proc/irq/30/smp_affinity_list: malformed: "none"`,
	}, said)
}

// Whatever holds for every topology.
func consistent(t *testing.T, m *Topology) {
	t.Helper()
	online, present := m.Online(), m.Present()
	disjoint := func(what string, sets []Set) (all Set) {
		for _, s := range sets {
			require.True(t, s.Within(online), what)
			require.Equal(t, Set{}, s.And(all), what)
			all = all.Or(s)
		}
		return all
	}
	groups := func(groups []Group) (sets []Set) {
		for _, g := range groups {
			require.NotEqual(t, Set{}, g.CPUs)
			sets = append(sets, g.CPUs)
		}
		return sets
	}
	disjoint("packages", groups(m.Packages))
	disjoint("dies", groups(m.Dies))
	require.Equal(t, online, disjoint("cores", groups(m.Cores)), "each CPU is on a core")
	caches := make(map[string][]Set)
	for _, c := range m.Caches {
		caches[c.String()] = append(caches[c.String()], c.CPUs)
	}
	for name, sets := range caches {
		disjoint(name, sets)
	}
	var nodes []Set
	for _, n := range m.Nodes {
		nodes = append(nodes, n.CPUs)
	}
	disjoint("nodes", nodes)
	require.True(t, m.Isolated.Within(present))
	require.True(t, m.NohzFull.Within(present))
	require.LessOrEqual(t, len(m.Problems), MaxProblems)
	for _, nic := range m.NICs {
		require.True(t, nic.CPUs.Within(present))
		require.True(t, nic.IRQCPUs().Within(present))
	}
}

// A topology that was written as JSON and read back is the same.
func roundTrip(t *testing.T, m *Topology) {
	t.Helper()
	text, err := json.Marshal(m)
	require.NoError(t, err)
	again := new(Topology)
	require.NoError(t, json.Unmarshal(text, again))
	second, err := json.Marshal(again)
	require.NoError(t, err)
	require.Equal(t, string(text), string(second))
	require.Equal(t, m.CPUs, again.CPUs)
}

func TestEveryMachineIsConsistent(t *testing.T) {
	for _, fake := range fakes {
		t.Run(fake.name, func(t *testing.T) {
			m := Read(fake.make())
			consistent(t, m)
			roundTrip(t, m)
			require.Equal(t, m, Read(fake.make()), "the same files, the same topology")
		})
	}
}

// An old kernel, or a machine that shows little, is no reason for problems.
func TestWhatMayBeAbsent(t *testing.T) {
	fake := machines.TwoSocketSMT()
	for _, gone := range []string{
		"sys/devices/system/node", "sys/class", "proc", "sys/fs",
		"sys/devices/system/cpu/isolated", "sys/devices/system/cpu/nohz_full", "sys/devices/system/cpu/offline", "sys/devices/system/cpu/present",
	} {
		fake.Remove(gone)
	}
	for id := range 32 {
		dir := "sys/devices/system/cpu/cpu" + Of(id).String()
		for _, gone := range []string{"/cache", "/topology/die_id", "/topology/core_cpus_list"} {
			fake.Remove(dir + gone)
		}
	}
	m := Read(fake)
	consistent(t, m)
	require.Empty(t, m.Problems)
	require.Len(t, m.Cores, 16)
	require.Empty(t, m.Caches)
	require.Empty(t, m.Dies)
	require.Equal(t, 32, m.Process.Allowed.Len())
}

func TestWithoutSysfs(t *testing.T) {
	m, _ := read(fstest.MapFS{}, Of(1, 3))
	consistent(t, m)
	require.Equal(t, Of(1, 3), m.Online(), "the mask is all there is")
	require.Equal(t, []string{"1", "3"}, lists(m.Cores))
	require.NotEmpty(t, m.Problems)
	plan, err := m.Place(2, Policy{Kind: KindSpread})
	require.NoError(t, err)
	require.Equal(t, []Placement{Fixed(1), Fixed(3)}, plan.Placements)
}

func TestOnlineByFolders(t *testing.T) {
	fake := machines.TwoSocketSMT()
	fake.Put("sys/devices/system/cpu/online", "0-")
	fake.Put("sys/devices/system/cpu/offline", "31")
	fake.Remove("sys/devices/system/cpu/present")
	m := Read(fake)
	consistent(t, m)
	require.Equal(t, "0-30", m.Online().String())
	require.Len(t, m.CPUs, 32)
}

func TestProblemsAreBounded(t *testing.T) {
	fake := machines.Holes()
	for i := range 100 {
		// Names that differ in letters, so that each is a problem of its own.
		name := strings.NewReplacer("0", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j").Replace(Of(i).String())
		fake.NIC("if"+name, "x", "slot"+name, "", 0, "junk", 1)
	}
	fake.Put("sys/devices/system/cpu/nohz_full", "%s", strings.Repeat("1,", maxFile))
	fake.Put("sys/devices/system/cpu/isolated", "%s", strings.Repeat("x", 1000))
	m := Read(fake)
	require.Len(t, m.Problems, MaxProblems)
	require.Len(t, m.NICs, 100)
	last := m.Problems[MaxProblems-1]
	require.Equal(t, Problem{Path: "others", Reason: TooMany, Detail: "63 are listed", Count: last.Count}, last)
	require.Equal(t, 100+2-(MaxProblems-1), last.Count)
	for _, p := range m.Problems {
		require.Less(t, len(p.Detail), maxDetail+20)
	}
	roundTrip(t, m)
}

// broken is a file system in which one file fails.
type broken struct {
	fs.FS
	path string
}

func (b broken) Open(name string) (fs.File, error) {
	if name == b.path {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
	}
	return b.FS.Open(name)
}

func TestUnreadableFile(t *testing.T) {
	m := Read(broken{machines.EPYC(), "sys/devices/system/cpu/cpu9/topology/core_id"})
	require.Equal(t, []Problem{{"sys/devices/system/cpu/cpu9/topology/core_id", Unreadable, "permission denied", 1}}, m.Problems)
	require.Empty(t, m.NICs[0].Device, "without ReadLink the parents of an interface are not to be found")
}

// Of CPUs that disagree about who shares what, the first is believed.
func TestContraryLists(t *testing.T) {
	fake := machines.TwoSocketSMT()
	fake.Put("sys/devices/system/cpu/cpu1/topology/core_cpus_list", "0,1,16")
	fake.Put("sys/devices/system/cpu/cpu8/cache/index3/shared_cpu_list", "7-15")
	m := Read(fake)
	consistent(t, m)
	require.Equal(t, []Problem{
		{"sys/devices/system/cpu/cpu1/topology/core_cpus_list", Contrary, "0-1,16", 2}, // and CPU 17's
		{"sys/devices/system/cpu/cpu8/cache/index3/shared_cpu_list", Contrary, "7-15", 2},
	}, m.Problems)
	require.Equal(t, "0,16", m.Siblings(16).String())
	require.Equal(t, "1", m.Siblings(1).String())
}

// A virtio interface's node and interrupts are those of the PCI device above it.
func TestVirtioNIC(t *testing.T) {
	fake := machines.TwoSocketSMT()
	fake.NIC("eth1", "virtio_net", "0000:00:03.0", "virtio2", -1, "0-31", 60, "3", "0-31")
	m := Read(fake)
	require.Empty(t, m.Problems)
	require.Equal(t, NIC{Name: "eth1", Driver: "virtio_net", Device: "0000:00:03.0", Up: true, Speed: 25_000_000_000, Node: -1,
		CPUs: m.Online(), IRQs: []IRQ{{60, Of(3)}, {61, m.Online()}}}, m.NICs[2])
}
