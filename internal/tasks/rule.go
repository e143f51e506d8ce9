package tasks

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

// Rule sends threads to CPUs. As text it is WHO=CPUS.
type Rule struct {
	// Who is a pattern of names, with *, ? and [a-z]; or numbers of threads, with
	// commas between them: 1240,1241.
	Who  string
	CPUs affinity.Set
}

// UnmarshalText reads WHO=CPUS, such as "boomnet-feed*=3" or "1240,1241=0-1".
func (r *Rule) UnmarshalText(text []byte) error {
	at := strings.LastIndexByte(string(text), '=') // a name may have one
	if at < 0 {
		return fmt.Errorf("%q is not WHO=CPUS, such as 'feed*=3'", text)
	}
	who, list := string(text[:at]), string(text[at+1:])
	if who == "" {
		return fmt.Errorf("%q names no threads before the =", text)
	}
	if _, err := path.Match(glob(who), ""); err != nil {
		return fmt.Errorf("%q is no pattern: %w", who, err)
	}
	cpus, err := affinity.Parse(list)
	if err != nil {
		return err
	}
	if cpus == (affinity.Set{}) {
		return fmt.Errorf("%q names no CPU behind the =", text)
	}
	r.Who, r.CPUs = who, cpus
	return nil
}

// String is what UnmarshalText reads.
func (r Rule) String() string { return r.Who + "=" + r.CPUs.String() }

// tids are the threads that a rule names by number, nil if it has a pattern.
func (r Rule) tids() []int {
	var all []int
	for item := range strings.SplitSeq(r.Who, ",") {
		n, err := strconv.ParseUint(item, 10, 31)
		if err != nil {
			return nil
		}
		all = append(all, int(n))
	}
	return all
}

// matches reports whether a rule is about a thread.
func (r Rule) matches(t Task) bool {
	if tids := r.tids(); tids != nil {
		return slices.Contains(tids, t.TID)
	}
	ok, err := path.Match(glob(r.Who), glob(t.Name))
	return err == nil && ok
}

// glob makes a slash an ordinary character for path.Match: kworker/0:1 is no path.
func glob(s string) string { return strings.ReplaceAll(s, "/", "\x00") }

// Plan says where threads go: each as the first rule says that is about it.
type Plan struct {
	Rules  []Rule
	Others affinity.Set // for threads without a rule; empty: they stay
}

// For is where a thread goes, and whether it goes anywhere.
func (p *Plan) For(t Task) (affinity.Set, bool) {
	for _, r := range p.Rules {
		if r.matches(t) {
			return r.CPUs, true
		}
	}
	return p.Others, p.Others != affinity.Set{}
}

// Limits are what a process may use, and why.
type Limits struct {
	Online affinity.Set
	Cpuset affinity.Set // of its control group; empty: not known, or all
	Cgroup string
}

// Allowed are the CPUs that a thread of the process can be put on.
func (l Limits) Allowed() affinity.Set {
	if l.Cpuset == (affinity.Set{}) {
		return l.Online
	}
	return l.Online.And(l.Cpuset)
}

// String says what may be used and why.
func (l Limits) String() string {
	if l.Cpuset != (affinity.Set{}) && l.Allowed() != l.Online {
		return fmt.Sprintf("allowed are %s by the cpuset of cgroup %s", l.Allowed(), l.Cgroup)
	}
	return "online are " + l.Online.String()
}

// ErrNotAllowed says that a plan wants CPUs that the process may not use.
var ErrNotAllowed = errors.New("CPUs not allowed")

// ErrNoThread says that a rule is about no thread.
var ErrNoThread = errors.New("no such thread")

// Check compares a plan with what a process may use and with its threads, before
// anything is changed. A rule about no thread is a mistake, except where threads may
// have ended since.
func (p *Plan) Check(tasks []Task, l Limits, mayBeGone bool) error {
	refuse := func(what string, cpus affinity.Set) error {
		if out := cpus.Without(l.Allowed()); out != (affinity.Set{}) {
			return fmt.Errorf("%s: %w: %s; %s", what, ErrNotAllowed, out, l)
		}
		return nil
	}
	for _, r := range p.Rules {
		if err := refuse(r.String(), r.CPUs); err != nil {
			return err
		}
	}
	if err := refuse("others", p.Others); err != nil {
		return err
	}
	if mayBeGone {
		return nil
	}
	for _, r := range p.Rules {
		if err := r.found(tasks); err != nil {
			return fmt.Errorf("%s: %w", r, err)
		}
	}
	return nil
}

// found is an error when a rule is about no thread, or names one that is not there.
func (r Rule) found(tasks []Task) error {
	for _, tid := range r.tids() {
		if !slices.ContainsFunc(tasks, func(t Task) bool { return t.TID == tid }) {
			return fmt.Errorf("%w: %d", ErrNoThread, tid)
		}
	}
	if slices.ContainsFunc(tasks, r.matches) {
		return nil
	}
	const longest = 15
	hint := ""
	if fixed := strings.TrimRight(r.Who, "*"); !strings.ContainsAny(fixed, "*?[\\") && len(fixed) > longest {
		hint = fmt.Sprintf("; the kernel cuts names to %d bytes: %s", longest, fixed[:longest])
	}
	return fmt.Errorf("%w: %q; there are %s%s", ErrNoThread, r.Who, names(tasks), hint)
}

// names are the different names of threads.
func names(tasks []Task) string {
	const shown = 12
	var all []string
	for _, t := range tasks {
		if name := strconv.Quote(t.Name); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	if len(all) > shown {
		all = append(all[:shown], "…")
	}
	return strings.Join(all, ", ")
}
