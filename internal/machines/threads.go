package machines

import (
	"fmt"
	"strings"
)

// Process adds a process of a user, without threads.
func (m Machine) Process(pid, uid int, name string) {
	m.Put(fmt.Sprintf("proc/%d/status", pid), "Name:\t%s\nUid:\t%d\t%d\t%d\t%d", name, uid, uid, uid, uid)
	m.Put(fmt.Sprintf("proc/%d/comm", pid), "%s", name)
}

// Thread adds a thread of a process, which may run on cpus, ran on CPU 3 last, and
// left its CPU tid*10 times because it waited and tid times because it had to.
func (m Machine) Thread(pid, tid int, name, cpus string) {
	dir := fmt.Sprintf("proc/%d/task/%d", pid, tid)
	m.Put(dir+"/comm", "%s", name)
	m.Put(dir+"/status", "Name:\t%s\nCpus_allowed:\tff\nCpus_allowed_list:\t%s\nvoluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t%d",
		strings.ReplaceAll(name, "\n", `\n`), cpus, 10*tid, tid)
	m.Put(dir+"/stat", "%d (%s) S 1 %s20 -5 8 0 100 %s17 3 50 1 0 0", tid, name, strings.Repeat("0 ", 13), strings.Repeat("0 ", 15))
}
