package microbench

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
)

var everyNeed = []Case{
	{Name: "a.one"},
	{Name: "b.served", Needs: Served},
	{Name: "c.pairs", Needs: Pairs},
	{Name: "c.nearest", Needs: Nearest},
}

// planned are the items of a plan as text.
func planned(p *Plan) (all []string) {
	for _, it := range p.items {
		text := it.Name + " " + joined(it.cpus)
		if len(it.cpus) == 2 {
			text += " " + it.distance.String()
		}
		if it.failed != "" {
			text += ": " + it.failed
		}
		all = append(all, text)
	}
	return all
}

func TestPlanOnTwoCPUs(t *testing.T) {
	topology := affinity.Read(machines.Shape{Cores: 2, Threads: 1, L2: "2048K"}.Machine())
	p := NewPlan(everyNeed, topology, []int{0, 1})
	require.Equal(t, []string{
		"a.one 0", "a.one 1", "b.served 0-1 same node", "b.served 1-0 same node", "c.pairs 0-1 same node", "c.nearest 0-1 same node",
	}, planned(p))
	require.Empty(t, p.notes)
	require.Equal(t, 300*time.Millisecond, p.Time())
}

// What cannot be measured is in the plan all the same.
func TestPlanOnOneCPUAndOnNone(t *testing.T) {
	m := machines.Shape{Cores: 4, Threads: 1}.Machine()
	m.Put("sys/devices/system/cpu/online", "0-2")
	m.Put("proc/self/status", "Name:\tfake\nCpus_allowed_list:\t1")
	p := NewPlan(everyNeed, affinity.Read(m), []int{1, 2, 3, 9})
	require.Equal(t, []string{
		"a.one 1",
		"a.one 2: CPU 2 is not one that this process may use, those are 1",
		"a.one 3: CPU 3 is offline",
		"a.one 9: there is no CPU 9",
		"b.served 1-1 same CPU",
		"b.served 2: CPU 2 is not one that this process may use, those are 1",
		"b.served 3: CPU 3 is offline",
		"b.served 9: there is no CPU 9",
		"c.pairs 1: it needs two CPUs that this process may use",
		"c.nearest 1: it needs two CPUs that this process may use",
	}, planned(p))
}

// The other side is on another core if there is one, not on the sibling, and near.
func TestPlanPeers(t *testing.T) {
	topology := affinity.Read(machines.TwoSocketSMT())
	p := NewPlan(everyNeed[1:2], topology, []int{0, 9, 17})
	require.Equal(t, []string{"b.served 0-1 same cache", "b.served 9-8 same cache", "b.served 17-0 same cache"}, planned(p))
	require.Equal(t, []string{"b.served 3-67 same core"}, planned(NewPlan(everyNeed[1:2], affinity.Read(machines.Container()), []int{3})))
}

// On a large machine the pairs are bounded and still have every distance.
func TestPlanOnLargeMachines(t *testing.T) {
	for name, c := range map[string]struct {
		machine   machines.Machine
		distances []Distance
	}{
		"two sockets": {machines.TwoSocketSMT(), []Distance{SameCore, SameCache, Far}},
		"epyc":        {machines.EPYC(), []Distance{SameCore, SameCache, SameNode, SamePackage}},
	} {
		t.Run(name, func(t *testing.T) {
			topology := affinity.Read(c.machine)
			cpus := topology.Online().CPUs()
			started := time.Now()
			p := NewPlan(everyNeed[2:], topology, cpus)
			require.Less(t, time.Since(started), 30*time.Second)
			count := map[Distance]int{}
			nearest := map[Distance]int{}
			for _, it := range p.items {
				require.Less(t, it.cpus[0], it.cpus[1])
				if it.Needs == Nearest {
					nearest[it.distance]++
				} else {
					count[it.distance]++
				}
			}
			require.Len(t, count, len(c.distances))
			require.Len(t, p.items, MaxMatrix*(MaxMatrix-1)/2+len(c.distances))
			for _, d := range c.distances {
				require.NotZero(t, count[d], d)
				require.Equal(t, 1, nearest[d], d)
			}
			require.Len(t, p.notes, 1)
			require.Contains(t, p.notes[0], "c.pairs: 66 of ")
		})
	}
	p := NewPlan(everyNeed, affinity.Read(machines.EPYC()), affinity.Read(machines.EPYC()).Online().CPUs())
	require.GreaterOrEqual(t, p.Time(), leastTime)
	require.Less(t, p.Time()*time.Duration(p.Len()), 30*time.Second)
}

// A machine that tells nothing of itself is one where all are near.
func TestPlanWithoutTopology(t *testing.T) {
	topology := affinity.Read(machines.Odd())
	cpus := topology.Online().CPUs()
	p := NewPlan(everyNeed, topology, cpus)
	require.NotEmpty(t, p.items)
	at := places{}
	require.Equal(t, SameCPU, at.between(3, 3))
	many := make([]int, 40)
	for i := range many {
		many[i] = 2 * i
	}
	chosen := at.matrix(many)
	require.Len(t, chosen, MaxMatrix)
	require.True(t, slices.IsSorted(chosen))
	require.Len(t, slices.Compact(slices.Clone(chosen)), MaxMatrix)
}

func TestSelect(t *testing.T) {
	cases := []Case{{Name: "clock.tsc"}, {Name: "clock.time-now"}, {Name: "loopback.epoll"}, {Name: "loopback.epoll-park"}, {Name: "syscall.epoll-wait"}}
	for text, want := range map[string]string{
		"":                          "clock.tsc clock.time-now loopback.epoll loopback.epoll-park syscall.epoll-wait",
		"clock":                     "clock.tsc clock.time-now",
		"loopback.epoll":            "loopback.epoll",
		"loopback.epoll*":           "loopback.epoll loopback.epoll-park",
		"*epoll*":                   "loopback.epoll loopback.epoll-park syscall.epoll-wait",
		"*.t*,syscall":              "clock.tsc clock.time-now syscall.epoll-wait",
		"loopback.epoll,clock.tsc":  "clock.tsc loopback.epoll",
		"*":                         "clock.tsc clock.time-now loopback.epoll loopback.epoll-park syscall.epoll-wait",
		"c*k":                       "clock.tsc clock.time-now",
		"clock.*o*,clock.t*s*,l*k*": "clock.tsc clock.time-now loopback.epoll loopback.epoll-park",
	} {
		var names []string
		if text != "" {
			names = strings.Split(text, ",")
		}
		some, err := Select(cases, names)
		require.NoError(t, err, text)
		var got []string
		for _, c := range some {
			got = append(got, c.Name)
			r := Result{Name: c.Name}
			require.True(t, r.Matches(names), text)
		}
		require.Equal(t, want, strings.Join(got, " "), text)
	}
	for _, bad := range []string{"clocks", "clock.", "tsc", "*x", "loopback.epoll-"} {
		_, err := Select(cases, []string{"clock", bad})
		require.EqualError(t, err, `no benchmark is named "`+bad+`"; the topics are clock, loopback, syscall`)
	}
}
