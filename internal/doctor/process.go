package doctor

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

func mask(e *exam) found {
	if _, err := e.text("proc/self/status"); err != nil {
		return unknown(err)
	}
	p := e.topology.Process
	if err := e.problem("proc/self/status"); err != nil {
		return unknown(err)
	}
	missing := e.cores.Without(p.Allowed)
	if missing == (affinity.Set{}) {
		return good("may use %s", p.Allowed)
	}
	if missing.Within(e.topology.Isolated) && (p.Cpuset == (affinity.Set{}) || missing.Within(p.Cpuset)) {
		return good("may use %s, and pin to the isolated %s, which isolcpus takes out of everybody's mask", p.Allowed, missing)
	}
	all := p.Allowed.Or(e.cores).String()
	return bad("may use %s, reactor cores %s not among them", p.Allowed, missing).
		by("unit: CPUAffinity="+all+", and AllowedCPUs= of its slice; docker run --cpuset-cpus "+all, "taskset -c "+all+" PROGRAM")
}

func quota(e *exam) found {
	if _, err := e.text("proc/self/cgroup"); err != nil {
		return unknown(err)
	}
	if err := e.problem("proc/self/cgroup", "/cpu.max", "/cpu.cfs_quota_us", "/cpu.cfs_period_us"); err != nil {
		return unknown(err)
	}
	p := e.topology.Process
	if p.Quota == 0 {
		return good("none")
	}
	seen := fmt.Sprintf("%.4g CPUs (%v in each %v) by cgroup %s", p.QuotaCPUs(), p.Quota, p.Period, p.Cgroup)
	verdict := Warn
	if p.QuotaCPUs() < float64(e.cores.Len()+1) { // and one for the rest
		verdict = Bad
	}
	return judge(false, verdict, "%s", seen).
		by("unit: CPUQuota= (empty); docker run without --cpus; Kubernetes: no CPU limit, the static CPU manager instead")
}

// problem is what the topology could not read of files whose paths end so.
func (e *exam) problem(files ...string) error {
	for _, p := range e.topology.Problems {
		for _, file := range files {
			if strings.HasSuffix(p.Path, file) {
				return errors.New("/" + p.String())
			}
		}
	}
	return nil
}

func gomaxprocs(e *exam) found {
	if e.o.GOMAXPROCS == 0 {
		return unknown(errors.New("what a process of that machine has lies in no file"))
	}
	want := e.cores.Len() + 2
	return judge(e.o.GOMAXPROCS >= want, Warn, "a Go program started here has %d; for %d that spin it should have %d",
		e.o.GOMAXPROCS, e.cores.Len(), want).
		by(fmt.Sprintf("reactor.TuneProcess(reactor.Tuning{Reactors: %d}) in main", e.cores.Len()), fmt.Sprintf("export GOMAXPROCS=%d", want))
}

// limit reads one of /proc/self/limits.
func (e *exam) limit(name string) (soft, hard int64, err error) {
	text, err := e.text("proc/self/limits")
	if err != nil {
		return 0, 0, err
	}
	if soft, hard, err = parseLimit(text, name); err != nil {
		err = fmt.Errorf("/proc/self/limits: %w", err)
	}
	return soft, hard, err
}

func limitText(n int64) string {
	if n == unlimited {
		return "unlimited"
	}
	return strconv.FormatInt(n, 10)
}

func openFiles(e *exam) found {
	soft, hard, err := e.limit("Max open files")
	if err != nil {
		return unknown(err)
	}
	const enough, fewest = 8192, 1024 // 4096 endpoints of a reactor, each with a next connection
	f := judge(soft >= enough || soft == unlimited, Warn, "%s, hard limit %s", limitText(soft), limitText(hard))
	if soft != unlimited && soft < fewest {
		f.verdict = Bad
	}
	return f.by("unit: LimitNOFILE=65536; docker run --ulimit nofile=65536", "ulimit -n 65536")
}

func lockedMemory(e *exam) found {
	soft, hard, err := e.limit("Max locked memory")
	if err != nil {
		return unknown(err)
	}
	return judge(soft == unlimited, Warn, "%s bytes, hard limit %s", limitText(soft), limitText(hard)).
		by("unit: LimitMEMLOCK=infinity; docker run --ulimit memlock=-1", "ulimit -l unlimited")
}

func realTime(e *exam) found {
	_, priority, err := e.limit("Max realtime priority")
	if err != nil {
		return unknown(err)
	}
	runtime, err := e.number(kernDir + "/sched_rt_runtime_us")
	if err != nil {
		return unknown(err)
	}
	period, err := e.number(kernDir + "/sched_rt_period_us")
	if err != nil {
		return unknown(err)
	}
	stat, err := e.text("proc/self/stat")
	if err != nil {
		return unknown(err)
	}
	policy, err := parsePolicy(stat)
	if err != nil {
		return unknown(fmt.Errorf("/proc/self/stat: %w", err))
	}
	throttled := runtime >= 0 && runtime < period
	seen := fmt.Sprintf("rtprio limit %s, throttling off", limitText(priority))
	if throttled {
		seen = fmt.Sprintf("rtprio limit %s, real-time threads get %v of each %v", limitText(priority),
			time.Duration(runtime)*time.Microsecond, time.Duration(period)*time.Microsecond)
	}
	const keep = "no real-time policy: a core of its own does more for a thread that spins"
	switch isRealTime := policy == policyFIFO || policy == policyRR; {
	case isRealTime && throttled:
		return bad("%s, and this process is real-time", seen).by(keep, "chrt -a -o -p 0 PID")
	case isRealTime:
		return warn("%s, and this process is real-time", seen).by(keep, "chrt -a -o -p 0 PID")
	case !throttled && priority != 0:
		return warn("%s", seen).bySysctl("kernel.sched_rt_runtime_us", "950000")
	}
	return good("%s, this process is not real-time", seen)
}
