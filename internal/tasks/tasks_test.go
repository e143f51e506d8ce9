package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
)

func machine() machines.Machine {
	m := machines.Machine{MapFS: fstest.MapFS{}}
	m.Process(7, 1001, "feed")
	m.Thread(7, 7, "feed", "0-3")
	m.Thread(7, 12, "boomnet-feed-1", "2")
	m.Thread(7, 9, "a) S (\nb/0:1", "0,2")
	return m
}

func TestRead(t *testing.T) {
	all, err := Read(machine(), 7)
	require.NoError(t, err)
	require.Equal(t, []Task{
		{TID: 7, Name: "feed", CPUs: affinity.Of(0, 1, 2, 3), LastCPU: 3, State: "S", Policy: "fifo", Priority: 50, Nice: -5, Voluntary: 70, Involuntary: 7},
		{TID: 9, Name: "a) S (\nb/0:1", CPUs: affinity.Of(0, 2), LastCPU: 3, State: "S", Policy: "fifo", Priority: 50, Nice: -5, Voluntary: 90, Involuntary: 9},
		{TID: 12, Name: "boomnet-feed-1", CPUs: affinity.Of(2), LastCPU: 3, State: "S", Policy: "fifo", Priority: 50, Nice: -5, Voluntary: 120, Involuntary: 12},
	}, all)
	uid, err := Owner(machine(), 7)
	require.NoError(t, err)
	require.Equal(t, 1001, uid)
}

func TestReadOddFiles(t *testing.T) {
	_, err := Read(machine(), 8)
	require.ErrorIs(t, err, ErrNoProcess)
	_, err = Owner(machine(), 8)
	require.ErrorIs(t, err, ErrNoProcess)

	m := machine()
	m.Remove("proc/7/task/9/status") // it ended between two reads
	all, err := Read(m, 7)
	require.NoError(t, err)
	require.Len(t, all, 2)
	for _, tid := range []int{7, 12} {
		m.Remove(fmt.Sprintf("proc/7/task/%d/stat", tid))
	}
	_, err = Read(m, 7)
	require.ErrorIs(t, err, ErrNoProcess, "all ended")

	for file, text := range map[string]string{
		"status": "Cpus_allowed_list:\t0-\n",
		"stat":   "7 (feed) S 1",
	} {
		m := machine()
		m.MapFS["proc/7/task/7/"+file].Data = []byte(text)
		_, err := Read(m, 7)
		require.ErrorContains(t, err, "process 7: thread 7: "+file)
	}
	m = machine()
	m.MapFS["proc/7/task/7/status"].Data = []byte("Name:\tx\n")
	_, err = Read(m, 7)
	require.ErrorContains(t, err, "no line Cpus_allowed_list")
	m.MapFS["proc/7/status"].Data = []byte("Uid:\troot root\n")
	_, err = Owner(m, 7)
	require.ErrorContains(t, err, `"root" is no user`)
}

func TestRules(t *testing.T) {
	for text, want := range map[string]Rule{
		"feed*=3":       {"feed*", affinity.Of(3)},
		"a=b=0-1":       {"a=b", affinity.Of(0, 1)},
		"1240,1241=2,4": {"1240,1241", affinity.Of(2, 4)},
	} {
		var r Rule
		require.NoError(t, r.UnmarshalText([]byte(text)))
		require.Equal(t, want, r)
		require.Equal(t, text, r.String())
	}
	for text, want := range map[string]string{
		"feed": "is not WHO=CPUS", "=3": "names no threads", "feed=": "names no CPU", "feed=x": "not a list of CPUs", "[=3": "is no pattern",
	} {
		require.ErrorContains(t, new(Rule).UnmarshalText([]byte(text)), want)
	}

	p := Plan{Rules: []Rule{{"9", affinity.Of(0)}, {"boomnet-*", affinity.Of(1)}, {"*feed*", affinity.Of(2)}, {"a)*b/?:1", affinity.Of(3)}}}
	for tid, want := range map[int]string{7: "2", 9: "0", 12: "1"} {
		all, err := Read(machine(), 7)
		require.NoError(t, err)
		at := slices.IndexFunc(all, func(t Task) bool { return t.TID == tid })
		got, ok := p.For(all[at])
		require.True(t, ok)
		require.Equal(t, want, got.String(), "the first rule that is about it")
	}
	got, ok := p.For(Task{TID: 1, Name: "a) S (\nb/0:1"})
	require.True(t, ok, "a slash and a line feed are characters like others")
	require.Equal(t, affinity.Of(3), got)
	_, ok = p.For(Task{TID: 1, Name: "other"})
	require.False(t, ok)
	p.Others = affinity.Of(5)
	got, ok = p.For(Task{TID: 1, Name: "other"})
	require.True(t, ok)
	require.Equal(t, affinity.Of(5), got)
}

func TestCheck(t *testing.T) {
	all, err := Read(machine(), 7)
	require.NoError(t, err)
	limits := Limits{Online: affinity.Of(0, 1, 2, 3), Cpuset: affinity.Of(0, 1, 2, 9), Cgroup: "/box"}
	require.Equal(t, affinity.Of(0, 1, 2), limits.Allowed())
	for want, p := range map[string]Plan{
		"feed=3: CPUs not allowed: 3; allowed are 0-2 by the cpuset of cgroup /box": {Rules: []Rule{{"feed", affinity.Of(3)}}},
		"others: CPUs not allowed: 7; allowed are 0-2":                              {Others: affinity.Of(1, 7)},
		`fed=1: no such thread: "fed"; there are "feed", "a) S (\nb/0:1", "boomne`:  {Rules: []Rule{{"fed", affinity.Of(1)}}},
		"7,8=1: no such thread: 8":                                                  {Rules: []Rule{{"7,8", affinity.Of(1)}}},
		"the kernel cuts names to 15 bytes: boomnet-strateg":                        {Rules: []Rule{{"boomnet-strategy*", affinity.Of(1)}}},
	} {
		require.ErrorContains(t, p.Check(all, limits, false), want)
	}
	gonePlan := Plan{Rules: []Rule{{"7,8", affinity.Of(1)}}}
	require.NoError(t, gonePlan.Check(all, limits, true))
	limits.Cpuset = affinity.Set{}
	require.ErrorContains(t, (&Plan{Others: affinity.Of(7)}).Check(all, limits, false), "others: CPUs not allowed: 7; online are 0-3")
}

// process is a fake with threads that a test may start and end between looks.
type process struct {
	tasks []Task
	looks int
	then  func(p *process)                                 // before each look but the first
	fail  func(p *process, tid int, to affinity.Set) error // before each move; nil: works
	moved int
}

func (p *process) mover() Mover {
	return Mover{
		List: func() ([]Task, error) {
			if p.looks > 0 && p.then != nil {
				p.then(p)
			}
			p.looks++
			if len(p.tasks) == 0 {
				return nil, ErrNoProcess
			}
			return slices.Clone(p.tasks), nil
		},
		Move: func(tid int, to affinity.Set) error {
			if p.fail != nil {
				if err := p.fail(p, tid, to); err != nil {
					return err
				}
			}
			i := slices.IndexFunc(p.tasks, func(t Task) bool { return t.TID == tid })
			if i < 0 {
				return fmt.Errorf("move: %w", syscall.ESRCH)
			}
			p.tasks[i].CPUs = to
			p.moved++
			return nil
		},
		Pause: func(time.Duration) {},
	}
}

func (p *process) start(tid int, name string, cpus ...int) {
	p.tasks = append(p.tasks, Task{TID: tid, Name: name, CPUs: affinity.Of(cpus...)})
}

// where is each thread's mask.
func (p *process) where() map[int]string {
	all := map[int]string{}
	for _, t := range p.tasks {
		all[t.TID] = t.CPUs.String()
	}
	return all
}

func three() *process {
	p := new(process)
	p.start(1, "main", 0, 1, 2)
	p.start(2, "feed", 0, 1, 2)
	p.start(3, "gc", 1)
	return p
}

var feedTo2 = Plan{Rules: []Rule{{"feed", affinity.Of(2)}}, Others: affinity.Of(0)}

func TestApplyAndRestore(t *testing.T) {
	p := three()
	require.Len(t, feedTo2.Preview(p.tasks), 3)
	moves, err := feedTo2.Apply(p.mover())
	require.NoError(t, err)
	require.Equal(t, map[int]string{1: "0", 2: "2", 3: "0"}, p.where())
	require.Equal(t, []Move{
		{1, "main", affinity.Of(0, 1, 2), affinity.Of(0)},
		{2, "feed", affinity.Of(0, 1, 2), affinity.Of(2)},
		{3, "gc", affinity.Of(1), affinity.Of(0)},
	}, moves)

	back := Plan{Rules: Restore(moves)}
	require.Equal(t, "[1,2=0-2 3=1]", fmt.Sprint(back.Rules))
	_, err = back.Apply(p.mover())
	require.NoError(t, err)
	require.Equal(t, three().where(), p.where())

	moves, err = back.Apply(p.mover())
	require.NoError(t, err)
	require.Empty(t, moves, "they are there already")
}

// Threads that appear while others are moved are moved too, and those that end
// are forgotten.
func TestApplyToThreadsThatComeAndGo(t *testing.T) {
	p := three()
	p.then = func(p *process) {
		switch p.looks {
		case 1:
			p.start(4, "late", 0, 1, 2) // its starter was not moved yet
			p.start(5, "heir", 0)       // its starter was
			p.tasks = slices.DeleteFunc(p.tasks, func(t Task) bool { return t.TID == 3 })
		case 2:
			p.tasks[1].Name = "renamed"
		}
	}
	moves, err := feedTo2.Apply(p.mover())
	require.NoError(t, err)
	require.Equal(t, map[int]string{1: "0", 2: "0", 4: "0", 5: "0"}, p.where(), "2 is no feed any more")
	require.Equal(t, "[1,2,4,5=0-2]", fmt.Sprint(Restore(moves)), "the heir as its process was")

	p = three()
	p.fail = func(p *process, tid int, _ affinity.Set) error {
		p.tasks = slices.DeleteFunc(p.tasks, func(t Task) bool { return t.TID == 2 }) // between look and move
		return nil
	}
	moves, err = feedTo2.Apply(p.mover())
	require.NoError(t, err)
	require.Len(t, moves, 2)
}

// When one cannot be moved none is.
func TestApplyPutsBack(t *testing.T) {
	for _, cause := range []error{syscall.EPERM, syscall.EINVAL, affinity.ErrUnavailable} {
		p := three()
		p.fail = func(p *process, tid int, to affinity.Set) error {
			if tid != 3 || to == affinity.Of(1) {
				return nil
			}
			if cause == affinity.ErrUnavailable {
				p.tasks[2].CPUs = affinity.Of(7) // the kernel has made something else of it
			}
			return cause
		}
		_, err := feedTo2.Apply(p.mover())
		require.ErrorIs(t, err, cause)
		require.ErrorContains(t, err, "thread 3 (gc) to CPUs 0: ")
		require.NotContains(t, err.Error(), "putting")
		require.Equal(t, three().where(), p.where())
	}
	p := three()
	p.fail = func(_ *process, tid int, to affinity.Set) error {
		if tid == 3 || to.Len() > 1 {
			return syscall.EPERM
		}
		return nil
	}
	_, err := feedTo2.Apply(p.mover())
	require.ErrorContains(t, err, "putting thread 1 back to CPUs 0-2: ")

	p = three()
	p.then = func(p *process) { p.tasks = nil }
	_, err = feedTo2.Apply(p.mover())
	require.ErrorIs(t, err, ErrNoProcess, "it ended")
}

// A process that starts threads for ever, or moves them itself, is given up.
func TestApplyIsBounded(t *testing.T) {
	p := three()
	p.then = func(p *process) { p.start(100+p.looks, "more", 0, 1, 2) }
	_, err := feedTo2.Apply(p.mover())
	require.ErrorIs(t, err, ErrUnsettled)
	require.ErrorContains(t, err, "after 50 looks")
	require.Equal(t, map[int]string{1: "0-2", 2: "0-2", 3: "1"}, map[int]string{1: p.where()[1], 2: p.where()[2], 3: p.where()[3]})
	require.LessOrEqual(t, p.looks, maxRounds+1)

	p = three()
	p.then = func(p *process) { p.tasks[2].CPUs = affinity.Of(1) } // it pins itself
	_, err = feedTo2.Apply(p.mover())
	require.ErrorIs(t, err, ErrUnsettled)
	require.ErrorContains(t, err, "such as 3 (gc) on 1, not on 0")
}

// FuzzTask: whatever the files of a thread and a rule hold.
func FuzzTask(f *testing.F) {
	m := machine()
	f.Add(m.MapFS["proc/7/task/9/status"].Data, m.MapFS["proc/7/task/9/stat"].Data, "a*=3")
	f.Add([]byte("Cpus_allowed_list:\t0-99999\n"), []byte(")"), "1,2=0")
	f.Fuzz(func(t *testing.T, status, stat []byte, rule string) {
		m := machine()
		m.MapFS["proc/7/task/9/status"].Data, m.MapFS["proc/7/task/9/stat"].Data = status, stat
		all, err := Read(m, 7)
		if err == nil {
			require.NotEqual(t, affinity.Set{}, all[1].CPUs)
		} else {
			require.False(t, errors.Is(err, fs.ErrNotExist))
		}
		var r Rule
		if r.UnmarshalText([]byte(rule)) != nil {
			return
		}
		var again Rule
		require.NoError(t, again.UnmarshalText([]byte(r.String())))
		require.Equal(t, r, again)
		p := Plan{Rules: []Rule{r}}
		for _, task := range all {
			_, _ = p.For(task)
		}
		_ = p.Check(all, Limits{}, false)
	})
}
