package affinity

import (
	"io/fs"
	"math"
	"path"
	"strconv"
	"strings"
	"time"
)

// process finds what limits this process: its mask, if it is not known already,
// and its control groups of either version.
func (r *reader) process(allowed Set) Process {
	p := Process{Allowed: allowed}
	if allowed == (Set{}) {
		p.Allowed = r.mask()
	}
	text, ok := r.text("proc/self/cgroup", optional)
	if !ok {
		return p
	}
	for line := range strings.Lines(text) {
		// hierarchy:controllers:path; version 2 is hierarchy 0 without controllers.
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 || len(fields[2]) > maxPath {
			r.report("proc/self/cgroup", Malformed, strconv.Quote(clip(line)))
			continue
		}
		controllers, group := fields[1], fields[2]
		names := strings.Split(controllers, ",")
		for _, name := range names {
			switch {
			case controllers == "":
				r.unified(&p, group)
			case name == "cpuset":
				r.cpuset(&p, cgroupDir+"/cpuset", group, "cpuset.effective_cpus", "cpuset.cpus")
			case name == "cpu":
				r.quotaV1(&p, controllers, group)
			}
		}
	}
	return p
}

// mask is that of the process's first thread.
func (r *reader) mask() Set {
	const file, key = "proc/self/status", "Cpus_allowed_list:"
	text, ok := r.text(file, optional)
	if !ok {
		return Set{}
	}
	_, after, found := strings.Cut(text, key)
	line, _, _ := strings.Cut(after, "\n")
	s, err := Parse(line)
	if !found || err != nil {
		r.report(file, Malformed, key+" "+strconv.Quote(clip(line)))
		return Set{}
	}
	return s
}

// unified reads a group of version 2.
func (r *reader) unified(p *Process, group string) {
	root := cgroupDir
	if !r.exists(root+"/cgroup.controllers") && r.exists(root+"/unified") {
		root += "/unified" // beside version 1
	}
	r.cpuset(p, root, group, "cpuset.cpus.effective")
	for dir := range ancestors(root, group) {
		text, ok := r.text(dir+"/cpu.max", optional) // a root has none
		if !ok {
			continue
		}
		quota, period, _ := strings.Cut(text, " ")
		if quota == "max" {
			continue
		}
		q, errQ := strconv.ParseInt(quota, 10, 64)
		per, errP := strconv.ParseInt(strings.TrimSpace(period), 10, 64)
		if errQ != nil || errP != nil || !p.limit(group, q, per) {
			r.report(dir+"/cpu.max", Malformed, strconv.Quote(clip(text)))
		}
	}
}

// quotaV1 reads the quota of a group of version 1.
func (r *reader) quotaV1(p *Process, controllers, group string) {
	root := cgroupDir + "/" + controllers
	if !fs.ValidPath(root) || !r.exists(root) {
		root = cgroupDir + "/cpu"
	}
	for dir := range ancestors(root, group) {
		quota, ok := r.number(dir+"/cpu.cfs_quota_us", optional, -1, math.MaxInt64)
		if !ok || quota <= 0 { // -1: none
			continue
		}
		period, ok := r.number(dir+"/cpu.cfs_period_us", expected, 1, math.MaxInt64)
		if ok && !p.limit(group, quota, period) {
			r.report(dir+"/cpu.cfs_quota_us", Malformed, strconv.FormatInt(quota, 10))
		}
	}
}

// limit takes a quota of microseconds when it is the tightest so far. It is false
// for what can be no quota.
func (p *Process) limit(group string, quota, period int64) bool {
	const longest = int64(time.Hour/time.Microsecond) * MaxCPUs
	if quota <= 0 || period <= 0 || quota > longest || period > longest {
		return false
	}
	tighter := Process{Quota: time.Duration(quota) * time.Microsecond, Period: time.Duration(period) * time.Microsecond}
	if p.Quota == 0 || tighter.QuotaCPUs() < p.QuotaCPUs() {
		p.Quota, p.Period, p.Cgroup = tighter.Quota, tighter.Period, strings.ToValidUTF8(group, "?")
	}
	return true
}

// cpuset takes the CPUs of the nearest group that names any.
func (r *reader) cpuset(p *Process, root, group string, files ...string) {
	for dir := range ancestors(root, group) {
		for _, file := range files {
			if cpus, ok := r.some(dir+"/"+file, optional); ok {
				p.Cpuset = cpus
				if p.Cgroup == "" {
					p.Cgroup = strings.ToValidUTF8(group, "?")
				}
				return
			}
		}
	}
}

// ancestors yields the folders of a group and of those above it, up to the root.
// In a container the group's path may be the one outside, of which only the root
// is to be seen.
func ancestors(root, group string) func(yield func(dir string) bool) {
	const deepest = 64
	return func(yield func(dir string) bool) {
		group = path.Join("/", group) // no .. is left
		for range deepest {
			dir := path.Join(root, group)
			if fs.ValidPath(dir) && !yield(dir) || group == "/" {
				return
			}
			group = path.Dir(group)
		}
	}
}
