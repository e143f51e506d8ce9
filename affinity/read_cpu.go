package affinity

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// cpus finds the CPUs and what each says of itself.
func (r *reader) cpus(t *Topology) {
	folders := r.dir(cpuDir, expected)
	present, online := r.presence(numbered(folders, "cpu", MaxCPUs), t.Process.Allowed)
	for _, id := range present.CPUs() {
		c := CPU{ID: id, Online: online.Contains(id), Package: -1, Die: -1, Core: -1, Node: -1}
		dir := fmt.Sprintf("%s/cpu%d", cpuDir, id)
		switch _, found := slices.BinarySearch(folders, "cpu"+strconv.Itoa(id)); {
		case !c.Online:
		case !found && folders != nil:
			r.report(dir, Absent, "")
		case found:
			c.Package = r.id(dir+"/topology/physical_package_id", expected)
			c.Die = r.id(dir+"/topology/die_id", optional)
			c.Core = r.id(dir+"/topology/core_id", expected)
			if n, ok := r.number(dir+"/cpu_capacity", optional, 1, math.MaxInt32); ok {
				c.Capacity = int(n)
			}
			const kHz, highest = 1000, 1 << 40
			if n, ok := r.number(dir+"/cpufreq/cpuinfo_max_freq", optional, 1, highest/kHz); ok {
				c.MaxFrequency = n * kHz
			}
		}
		t.CPUs = append(t.CPUs, c)
	}
}

// presence finds which CPUs there are and which are online: the lists in sysfs,
// else the folders, else the mask of this process.
func (r *reader) presence(folders []int, allowed Set) (present, online Set) {
	online, known := r.some(cpuDir+"/online", expected)
	present, _ = r.some(cpuDir+"/present", optional)
	if present == (Set{}) && !known {
		present = Of(folders...)
	}
	if present == (Set{}) && !known {
		present = allowed
	}
	if !known {
		offline, _ := r.list(cpuDir+"/offline", optional)
		online = present.Without(offline)
	}
	return present.Or(online), online
}

// id reads the kernel's number of something, -1 when it has none.
func (r *reader) id(path string, need need) int {
	n, ok := r.number(path, need, -1, math.MaxInt32)
	if !ok {
		return -1
	}
	return int(n)
}

// groups makes packages, dies and cores of the CPUs that are online.
func (r *reader) groups(t *Topology) {
	t.Packages = gather(t.CPUs, func(c CPU) (within, id int) { return 0, c.Package })
	t.Dies = gather(t.CPUs, func(c CPU) (within, id int) { return c.Package, c.Die })
	var taken Set
	for _, c := range t.CPUs {
		if !c.Online || taken.Contains(c.ID) {
			continue
		}
		cpus := r.siblings(c.ID, t.Online(), taken)
		taken = taken.Or(cpus)
		t.Cores = append(t.Cores, Group{ID: c.Core, CPUs: cpus})
	}
}

// gather makes a group of the CPUs that are online and have the same key, ordered
// by key. A negative id is unknown, and no group.
func gather(cpus []CPU, key func(CPU) (within, id int)) []Group {
	found := make(map[[2]int]Set)
	for _, c := range cpus {
		within, id := key(c)
		if c.Online && id >= 0 {
			found[[2]int{within, id}] = found[[2]int{within, id}].Or(Of(c.ID))
		}
	}
	keys := slices.SortedFunc(maps.Keys(found), func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	groups := make([]Group, len(keys))
	for i, k := range keys {
		groups[i] = Group{ID: k[1], CPUs: found[k]}
	}
	return groups
}

// siblings are the CPUs of a core that no core has taken yet.
func (r *reader) siblings(cpu int, online, taken Set) Set {
	dir := fmt.Sprintf("%s/cpu%d/topology", cpuDir, cpu)
	path := dir + "/core_cpus_list"
	s, ok := r.some(path, optional)
	if !ok { // before Linux 5.3
		path = dir + "/thread_siblings_list"
		s, ok = r.some(path, expected)
	}
	if !ok {
		return Of(cpu)
	}
	if !s.Contains(cpu) || s.And(taken) != (Set{}) {
		r.report(path, Contrary, s.String())
	}
	return s.And(online).Without(taken).Or(Of(cpu))
}

// kinds tells fast cores from slow ones: by Intel's lists, else by capacity.
func (r *reader) kinds(t *Topology) {
	fast, _ := r.list("sys/devices/cpu_core/cpus", optional)
	slow, _ := r.list("sys/devices/cpu_atom/cpus", optional)
	slowest, _ := r.list("sys/devices/cpu_lowpower/cpus", optional)
	slow = slow.Or(slowest).Without(fast)
	most, least := 0, math.MaxInt
	for _, c := range t.CPUs {
		if c.Online && c.Capacity > 0 {
			most, least = max(most, c.Capacity), min(least, c.Capacity)
		}
	}
	byList := fast != (Set{}) && slow != (Set{})
	for i := range t.CPUs {
		c := &t.CPUs[i]
		switch {
		case byList && fast.Contains(c.ID), !byList && least < most && c.Capacity == most:
			c.Kind = Performance
		case byList && slow.Contains(c.ID), !byList && least < most && c.Capacity > 0:
			c.Kind = Efficiency
		}
	}
}

// caches finds every cache once.
func (r *reader) caches(t *Topology) {
	const maxIndex = 64
	type levelType struct {
		level int
		kind  CacheType
	}
	taken := make(map[levelType]*Set)
	online := t.Online()
	for _, c := range t.CPUs {
		if !c.Online {
			continue
		}
		dir := fmt.Sprintf("%s/cpu%d/cache", cpuDir, c.ID)
		for _, index := range numbered(r.dir(dir, optional), "index", maxIndex) {
			at := fmt.Sprintf("%s/index%d", dir, index)
			cache, ok := r.cache(at)
			if !ok {
				continue
			}
			have := taken[levelType{cache.Level, cache.Type}]
			if have == nil {
				have = new(Set)
				taken[levelType{cache.Level, cache.Type}] = have
			}
			if have.Contains(c.ID) { // it is there already, by another CPU
				continue
			}
			if !cache.CPUs.Contains(c.ID) || cache.CPUs.And(*have) != (Set{}) {
				r.report(at+"/shared_cpu_list", Contrary, cache.CPUs.String())
			}
			cache.CPUs = cache.CPUs.And(online).Without(*have).Or(Of(c.ID))
			*have = have.Or(cache.CPUs)
			t.Caches = append(t.Caches, cache)
		}
	}
	slices.SortStableFunc(t.Caches, func(a, b Cache) int {
		return cmp.Or(b.Level-a.Level, a.CPUs.First()-b.CPUs.First(), strings.Compare(string(a.Type), string(b.Type)))
	})
}

// cache reads one cache as a CPU shows it. Without level, type and CPUs it is none.
func (r *reader) cache(dir string) (c Cache, ok bool) {
	level, ok := r.number(dir+"/level", expected, 1, 16)
	if !ok {
		return Cache{}, false
	}
	c.Level = int(level)
	switch kind, ok := r.text(dir+"/type", expected); {
	case !ok:
		return Cache{}, false
	case kind == "Unified":
		c.Type = Unified
	case kind == "Data":
		c.Type = Data
	case kind == "Instruction":
		c.Type = Instruction
	default:
		r.report(dir+"/type", Malformed, strconv.Quote(clip(kind)))
		return Cache{}, false
	}
	if c.CPUs, ok = r.some(dir+"/shared_cpu_list", expected); !ok {
		return Cache{}, false
	}
	c.Size = r.size(dir + "/size")
	return c, true
}

// size reads a size as the kernel writes that of a cache: "32K".
func (r *reader) size(path string) int64 {
	text, ok := r.text(path, optional)
	if !ok || text == "" || text == absentText { // some firmware does not tell
		return 0
	}
	digits, unit := text, int64(1)
	for suffix, u := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30} {
		if d, ok := strings.CutSuffix(text, suffix); ok {
			digits, unit = d, u
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(n) > math.MaxInt64/unit {
		r.report(path, Malformed, strconv.Quote(clip(text)))
		return 0
	}
	return int64(n) * unit
}
