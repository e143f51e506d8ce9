package affinity

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/machines"
)

// machine reads a fake in which this process may use some CPUs only; empty: all.
func machine(t *testing.T, fake machines.Machine, allowed string) *Topology {
	t.Helper()
	m := Read(fake)
	if allowed != "" {
		m.Process.Allowed, m.Process.Cpuset = set(t, allowed), set(t, allowed)
	}
	return m
}

// cpus are the CPUs of a plan, in order.
func cpus(p *Plan) []int {
	var all []int
	for _, at := range p.Placements {
		cpu, _ := at.CPU()
		all = append(all, cpu)
	}
	return all
}

func TestPlace(t *testing.T) {
	two, epyc, little, hybrid, holes := machines.TwoSocketSMT, machines.EPYC, machines.BigLittle, machines.Hybrid, machines.Holes
	for _, c := range []struct {
		name    string
		machine func() machines.Machine
		allowed string
		n       int
		policy  Policy
		want    []int
		rest    string
		warn    []WarningKind
	}{
		{"unbound", two, "0-3", 2, Policy{}, []int{-1, -1}, "0-3", nil},

		{"fixed", two, "", 2, Policy{Kind: KindFixed, CPUs: []int{9, 3}}, []int{9, 3}, "0-2,4-8,10-31", nil},
		{"fixed, more than needed", two, "", 1, Policy{Kind: KindFixed, CPUs: []int{9, 3}}, []int{9}, "0-8,10-31", nil},
		{"fixed on siblings", two, "", 2, Policy{Kind: KindFixed, CPUs: []int{9, 25}}, []int{9, 25}, "0-8,10-24,26-31", []WarningKind{WarnSiblings}},
		{"fixed on a second thread", two, "", 1, Policy{Kind: KindFixed, CPUs: []int{25}, AvoidSMT: true}, []int{25}, "0-8,10-24,26-31", nil},

		{"spread over packages, CPU 0's core last", two, "", 3, Policy{Kind: KindSpread}, []int{1, 8, 2}, "0,3-7,9-31", nil},
		{"spread over all cores before siblings", two, "", 17, Policy{Kind: KindSpread},
			[]int{1, 8, 2, 9, 3, 10, 4, 11, 5, 12, 6, 13, 7, 14, 15, 0, 17}, "16,18-31", []WarningKind{WarnSiblings}},
		{"spread over L3 caches and nodes", epyc, "", 8, Policy{Kind: KindSpread}, []int{1, 16, 32, 48, 8, 24, 40, 56}, "", nil},
		{"spread over fast cores first", hybrid, "", 9, Policy{Kind: KindSpread, AvoidSMT: true},
			[]int{2, 4, 6, 8, 10, 12, 14, 0, 16}, "17-23", []WarningKind{WarnSlow}},
		{"spread with slow cores before siblings", hybrid, "", 17, Policy{Kind: KindSpread},
			[]int{2, 4, 6, 8, 10, 12, 14, 0, 16, 20, 17, 21, 18, 22, 19, 23, 3}, "1,5,7,9,11,13,15", []WarningKind{WarnSiblings, WarnSlow}},
		{"spread, isolated preferred", two, "", 2, Policy{Kind: KindSpread, PreferIsolated: true}, []int{2, 3}, "0-1,4-31", nil},
		{"spread, more than are isolated", two, "", 7, Policy{Kind: KindSpread, PreferIsolated: true, AvoidSMT: true},
			[]int{2, 3, 4, 5, 6, 7, 8}, "0-1,9-17,25-31", []WarningKind{WarnNotIsolated}},
		{"spread on holes", holes, "", 4, Policy{Kind: KindSpread}, []int{2, 70, 130, 0}, "", []WarningKind{WarnNothingLeft}},
		{"spread on one package of holes", holes, "0,2", 1, Policy{Kind: KindSpread}, []int{2}, "0", nil},

		{"pack on one core", two, "", 2, Policy{Kind: KindPack}, []int{1, 17}, "0,2-16,18-31", []WarningKind{WarnSiblings}},
		{"pack on cores of one cache", two, "", 3, Policy{Kind: KindPack, AvoidSMT: true}, []int{1, 2, 3}, "0,4-16,20-31", nil},
		{"pack in the package that has as many", two, "0-3,8-15", 5, Policy{Kind: KindPack}, []int{8, 9, 10, 11, 12}, "0-3,13-15", nil},
		{"pack in the smallest that has as many", two, "0-3,8-15", 3, Policy{Kind: KindPack}, []int{1, 2, 3}, "0,8-15", nil},
		{"pack beyond one package", two, "0-3,8-15", 10, Policy{Kind: KindPack}, []int{1, 2, 8, 9, 10, 11, 12, 13, 14, 15}, "0,3", nil},
		{"pack in one L3 of many", epyc, "", 8, Policy{Kind: KindPack, AvoidSMT: true}, []int{8, 9, 10, 11, 12, 13, 14, 15}, "", nil},
		{"pack in one node of many", epyc, "", 9, Policy{Kind: KindPack, AvoidSMT: true}, []int{1, 8, 9, 10, 11, 12, 13, 14, 15}, "", nil},
		{"pack on fast cores", little, "", 2, Policy{Kind: KindPack}, []int{4, 5}, "0-3,6-7", nil},
		{"pack on slow ones too", little, "", 5, Policy{Kind: KindPack}, []int{1, 4, 5, 6, 7}, "0,2-3", []WarningKind{WarnSlow}},
		{"pack isolated", two, "", 3, Policy{Kind: KindPack, PreferIsolated: true, AvoidSMT: true}, []int{2, 3, 4}, "0-1,5-17,21-31", nil},
		{"pack, only isolated second threads", two, "16-31", 2, Policy{Kind: KindPack, OnlyIsolated: true}, []int{18, 19}, "16-17,20-31", nil},

		{"shared, enough", two, "0-1", 2, Policy{Kind: KindShared}, []int{1, 0}, "", []WarningKind{WarnNothingLeft}},
		{"shared, too few", two, "0-1", 5, Policy{Kind: KindShared, AvoidCPU0: true}, []int{1, 1, 1, 1, 1}, "0", []WarningKind{WarnShared}},
		{"shared, dealt out again", two, "0-2", 5, Policy{Kind: KindShared}, []int{1, 2, 0, 1, 2}, "", []WarningKind{WarnShared, WarnNothingLeft}},

		{"near a NIC, beside its interrupts", two, "", 2, Policy{Kind: KindSpread, NearNIC: "eth0", Except: Of(8, 9)}, []int{10, 11}, "0-9,12-31", nil},
		{"near a NIC, on its interrupts", two, "", 2, Policy{Kind: KindSpread, NearNIC: "eth0"}, []int{8, 9}, "0-7,10-31", []WarningKind{WarnInterrupts}},
		{"near what a VLAN works through", two, "", 1, Policy{Kind: KindSpread, NearNIC: "eth0.7", Except: Of(8, 9)}, []int{10}, "0-9,11-31", nil},
		{"near a NIC of no place", two, "", 1, Policy{Kind: KindSpread, NearNIC: "lo"}, []int{1}, "0,2-31", []WarningKind{WarnNICPlace}},
		{"near a NIC of an EPYC node", epyc, "", 2, Policy{Kind: KindPack, NearNIC: "enp1s0f0", Except: Of(48, 49, 50, 51), AvoidSMT: true}, []int{52, 53}, "", nil},
		{"within", two, "", 2, Policy{Kind: KindPack, Within: Of(4, 5, 12, 13, 29)}, []int{13, 29}, "0-12,14-28,30-31", []WarningKind{WarnSiblings}},
		{"without CPU 0 and its sibling", two, "0-1,16-17", 1, Policy{Kind: KindSpread, AvoidCPU0: true, AvoidSMT: true}, []int{1}, "0,16", nil},

		{"quota", machines.Container, "", 2, Policy{Kind: KindSpread}, []int{3, 67}, "", []WarningKind{WarnSiblings, WarnNothingLeft, WarnQuota}},
		{"below the quota", machines.Container, "", 1, Policy{Kind: KindSpread, AvoidSMT: true}, []int{3}, "", []WarningKind{WarnNothingLeft}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := machine(t, c.machine(), c.allowed)
			plan, err := m.Place(c.n, c.policy)
			require.NoError(t, err)
			require.Equal(t, c.want, cpus(plan))
			var kinds []WarningKind
			for _, w := range plan.Warnings {
				require.NotEmpty(t, w.String())
				kinds = append(kinds, w.Kind)
			}
			require.Equal(t, c.warn, kinds)
			if c.rest != "" || plan.Rest == (Set{}) {
				require.Equal(t, c.rest, plan.Rest.String())
			}
			again, err := m.Place(c.n, c.policy)
			require.NoError(t, err)
			require.Equal(t, plan, again, "the same plan each time")
		})
	}
}

func TestPlaceErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		n      int
		policy Policy
		is     error
		want   string
	}{
		{"too few", 4, Policy{Kind: KindPack, AvoidSMT: true, AvoidCPU0: true}, ErrTooFewCPUs,
			"affinity: too few CPUs: 4 wanted, 2 remain (1-2); excluded 3-15,19-31 (not in this process's mask), 0 (CPU 0 avoided), 16 (SMT sibling of CPU 0), 17-18 (SMT sibling)"},
		{"too few isolated", 2, Policy{Kind: KindSpread, OnlyIsolated: true, AvoidSMT: true}, ErrTooFewCPUs,
			"affinity: too few CPUs: 2 wanted, 1 remains (2); excluded 3-15,19-31 (not in this process's mask), 0-1,16-17 (not isolated), 18 (SMT sibling)"},
		{"none", 1, Policy{Kind: KindShared, Within: Of(1), Except: Of(1)}, ErrTooFewCPUs,
			"affinity: too few CPUs: 1 wanted, none remains; excluded 3-15,19-31 (not in this process's mask), 0,2,16-18 (outside the CPUs asked for), 1 (kept for something else)"},
		{"far from the NIC", 1, Policy{Kind: KindSpread, NearNIC: "eth0"}, ErrTooFewCPUs,
			"affinity: too few CPUs: 1 wanted, none remains; excluded 3-15,19-31 (not in this process's mask), 0-2,16-18 (far from the NIC)"},
		{"no NIC", 1, Policy{Kind: KindSpread, NearNIC: "eth5"}, ErrNoNIC,
			`affinity: no such network interface: "eth5", there are: eth0, eth0.7, lo`},
		{"fixed, not allowed", 2, Policy{Kind: KindFixed, CPUs: []int{1, 5}}, ErrUnavailable,
			"affinity: CPU not available to this process: CPU 5: not in this process's mask"},
		{"fixed, not there", 1, Policy{Kind: KindFixed, CPUs: []int{99}}, ErrUnavailable,
			"affinity: CPU not available to this process: CPU 99: there is none"},
		{"fixed, negative", 1, Policy{Kind: KindFixed, CPUs: []int{-1}}, ErrUnavailable,
			"affinity: CPU not available to this process: CPU -1: there is none"},
		{"fixed, against the policy", 1, Policy{Kind: KindFixed, CPUs: []int{0}, AvoidCPU0: true}, ErrUnavailable,
			"affinity: CPU not available to this process: CPU 0: CPU 0 avoided"},
		{"fixed, twice", 2, Policy{Kind: KindFixed, CPUs: []int{1, 1}}, ErrUnavailable,
			"affinity: CPU not available to this process: CPU 1 is asked for twice"},
		{"fixed, siblings avoided", 2, Policy{Kind: KindFixed, CPUs: []int{1, 17}, AvoidSMT: true}, ErrUnavailable,
			"affinity: CPU not available to this process: CPU 17: SMT sibling"},
		{"fixed, too few", 2, Policy{Kind: KindFixed, CPUs: []int{1}}, ErrTooFewCPUs,
			"affinity: too few CPUs: 2 wanted, 1 asked for by number: [1]"},
		{"no threads", 0, Policy{}, nil, "affinity: 0 threads to place, must be 1 to 8192"},
		{"too many threads", MaxCPUs + 1, Policy{}, nil, "affinity: 8193 threads to place, must be 1 to 8192"},
		{"no such kind", 1, Policy{Kind: 9}, nil, "affinity: placement Kind(9) is unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan, err := machine(t, machines.TwoSocketSMT(), "0-2,16-18").Place(c.n, c.policy)
			require.Nil(t, plan)
			require.EqualError(t, err, c.want)
			if c.is != nil {
				require.ErrorIs(t, err, c.is)
			}
		})
	}
}

func TestTooFewCPUsErrorHoldsTheNumbers(t *testing.T) {
	_, err := machine(t, machines.Holes(), "").Place(5, Policy{Kind: KindSpread})
	var few *TooFewCPUsError
	require.ErrorAs(t, err, &few)
	require.Equal(t, &TooFewCPUsError{Wanted: 5, Remain: Of(0, 2, 70, 130), Excluded: []Exclusion{{Offline, Of(5)}}}, few)
}

func TestAvoidSlow(t *testing.T) {
	m := machine(t, machines.BigLittle(), "")
	plan, err := m.Place(4, Policy{Kind: KindSpread, AvoidSlow: true})
	require.NoError(t, err)
	require.Equal(t, []int{4, 5, 6, 7}, cpus(plan))
	_, err = m.Place(5, Policy{Kind: KindSpread, AvoidSlow: true})
	require.EqualError(t, err, "affinity: too few CPUs: 5 wanted, 4 remain (4-7); excluded 0-3 (slow core)")
}

func TestWarningTexts(t *testing.T) {
	m := machine(t, machines.TwoSocketSMT(), "8-9,24")
	m.Process.Quota, m.Process.Period = 150, 100
	plan, err := m.Place(4, Policy{Kind: KindShared, NearNIC: "eth0", PreferIsolated: true})
	require.NoError(t, err)
	var texts []string
	for _, w := range plan.Warnings {
		texts = append(texts, w.Text)
	}
	require.Equal(t, []string{
		"4 threads on 3 CPUs: they take turns on 8, one that spins holds the others up for milliseconds",
		"8,24 are SMT siblings of each other: what one does slows the other down",
		"8-9,24 are not isolated: anything may run there",
		"no CPU is left for the rest of the program: it shares those of the threads",
		"the cgroup's quota is 1.5 CPUs: 3 threads that spin use it up, then all stand still until the period of 100ns is over",
		"interrupts of eth0 are handled on 8-9",
	}, texts)
}

func TestKind(t *testing.T) {
	for _, k := range []Kind{KindUnbound, KindFixed, KindSpread, KindPack, KindShared} {
		got, err := ParseKind(k.String())
		require.NoError(t, err)
		require.Equal(t, k, got)
		text, err := k.MarshalText()
		require.NoError(t, err)
		require.NoError(t, got.UnmarshalText(text))
	}
	for text, k := range map[string]Kind{"max-spread": KindSpread, "max-pack": KindPack} {
		got, err := ParseKind(text)
		require.NoError(t, err)
		require.Equal(t, k, got)
	}
	for _, text := range []string{"", "max-shared", "Spread"} {
		_, err := ParseKind(text)
		require.EqualError(t, err, `affinity: placement "`+text+`", must be one of unbound, fixed, spread, pack, shared`)
	}
	require.Equal(t, "Kind(9)", Kind(9).String())
}

// Every policy on every machine: a plan that keeps what the policy promises, or
// an error.
func TestEveryPlanIsSound(t *testing.T) {
	for _, fake := range fakes {
		t.Run(fake.name, func(t *testing.T) {
			m := Read(fake.make())
			for _, kind := range []Kind{KindUnbound, KindSpread, KindPack, KindShared} {
				for flags := range 16 {
					for _, n := range []int{1, 2, 3, 5, 9, 40} {
						sound(t, m, n, Policy{Kind: kind, AvoidSMT: flags&1 != 0, AvoidCPU0: flags&2 != 0, AvoidSlow: flags&4 != 0, PreferIsolated: flags&8 != 0})
					}
				}
			}
		})
	}
}

func sound(t *testing.T, m *Topology, n int, p Policy) {
	t.Helper()
	plan, err := m.Place(n, p)
	if err != nil {
		require.ErrorIs(t, err, ErrTooFewCPUs)
		return
	}
	require.Len(t, plan.Placements, n)
	if p.Kind == KindUnbound {
		return
	}
	chosen := plan.Chosen()
	if p.Kind != KindShared {
		require.Equal(t, n, chosen.Len(), "no CPU twice")
	}
	require.True(t, chosen.Within(m.Online().And(m.Process.Allowed)))
	require.Equal(t, Set{}, chosen.And(plan.Rest))
	for _, cpu := range chosen.CPUs() {
		c, _ := m.CPU(cpu)
		require.False(t, p.AvoidCPU0 && cpu == 0)
		require.False(t, p.AvoidSlow && c.Kind == Efficiency)
		require.False(t, p.AvoidSMT && m.Siblings(cpu).And(chosen).Len() > 1)
	}
	for _, x := range plan.Excluded {
		require.Equal(t, Set{}, x.CPUs.And(chosen), x.Why)
	}
	require.False(t, slices.ContainsFunc(plan.Placements, func(at Placement) bool { return at == Unbound }))
}

// isolcpus= takes a CPU out of every mask; that is no reason not to choose it.
func TestPlaceOnIsolatedCPUsOutsideOfTheMask(t *testing.T) {
	top := &Topology{
		CPUs:     []CPU{{ID: 0, Online: true}, {ID: 1, Online: true, Core: 1}, {ID: 2, Online: true, Core: 2}},
		Isolated: Of(1, 2), Process: Process{Allowed: Of(0)},
	}
	plan, err := top.Place(1, Policy{Kind: KindSpread, PreferIsolated: true})
	require.NoError(t, err)
	cpu, _ := plan.Placements[0].CPU()
	require.Contains(t, []int{1, 2}, cpu)

	top.Process.Cpuset = Of(0, 2) // the cgroup lacks CPU 1
	plan, err = top.Place(1, Policy{Kind: KindSpread, PreferIsolated: true})
	require.NoError(t, err)
	cpu, _ = plan.Placements[0].CPU()
	require.Equal(t, 2, cpu)
}
