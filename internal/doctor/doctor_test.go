package doctor

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
)

func TestTunedMachineIsGood(t *testing.T) {
	r, err := Examine(machines.Tuned(), tuned)
	require.NoError(t, err)
	require.Equal(t, "2-7", r.Cores.String())
	require.Equal(t, "eth0", r.NIC)
	for _, f := range r.Findings {
		require.Equal(t, OK, f.Verdict, "%s: %s", f.Check, f.Seen)
	}
	require.Equal(t, len(table), r.Count(OK))
}

// Every finding that is not good has something that mends it, and every text is
// one line that a terminal can show.
func TestStockMachine(t *testing.T) {
	r, err := Examine(machines.Stock(), tuned)
	require.NoError(t, err)
	require.Equal(t, "1", r.Cores.String(), "nothing is isolated: one core")
	require.Equal(t, 9, r.Count(Bad))
	require.Zero(t, r.Count(Unknown))
	for _, f := range r.Findings {
		require.NotEmpty(t, f.Why)
		require.True(t, strings.HasSuffix(f.Why, "."), f.Why)
		if f.Verdict == Warn || f.Verdict == Bad {
			require.NotEmpty(t, f.Keep, f.Check)
		}
		for _, text := range append(f.Mend, f.Seen, f.Keep) {
			require.NotContains(t, text, "\n", f.Check)
		}
	}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	var again Report
	require.NoError(t, json.Unmarshal(text, &again))
	require.Equal(t, *r, again)
}

func TestMachinesOfAllKinds(t *testing.T) {
	for _, fake := range []func() machines.Machine{
		machines.TwoSocketSMT, machines.EPYC, machines.Container, machines.BigLittle, machines.Hybrid, machines.Holes, machines.Odd,
		func() machines.Machine {
			return machines.Machine{MapFS: fstest.MapFS{"proc/self/status": {Data: []byte("Cpus_allowed_list: 0-1")}}}
		},
	} {
		r, err := Examine(fake(), Options{})
		require.NoError(t, err)
		require.Len(t, r.Findings, len(table))
		require.NotEqual(t, affinity.Set{}, r.Cores)
	}
	_, err := Examine(fstest.MapFS{}, Options{})
	require.ErrorIs(t, err, affinity.ErrTooFewCPUs, "nothing at all")
}

func TestOptions(t *testing.T) {
	names := func(o Options) (names []string) {
		r, err := Examine(machines.Tuned(), o)
		require.NoError(t, err)
		for _, f := range r.Findings {
			names = append(names, f.Check)
		}
		return names
	}
	require.Equal(t, []string{"governor", "swap"}, names(Options{Only: []string{"swap", "governor"}}), "in the table's order")
	require.Equal(t, []string{"clock-source", "tsc"}, names(Options{Only: []string{"time"}, Skip: []string{"timer-slack"}}), "a group")
	require.Len(t, names(Options{Skip: []string{"kernel", "mask"}}), len(table)-8)

	r, err := Examine(machines.Tuned(), Options{Reactors: 2})
	require.NoError(t, err)
	require.Equal(t, "2-3", r.Cores.String())

	for want, o := range map[string]Options{
		`no check or group "governer", there are: isolated, `:    {Only: []string{"governer"}},
		"all are skipped: swap":                                  {Only: []string{"swap"}, Skip: []string{"swap"}},
		"CPUs 32,40: not online, online are 0-31":                {Cores: affinity.Of(3, 32, 40)},
		`no such network interface: "eth9", there are: eth0`:     {NIC: "eth9"},
		"choosing cores for 99 reactors: affinity: too few CPUs": {Reactors: 99},
	} {
		_, err := Examine(machines.Tuned(), o)
		require.ErrorContains(t, err, want)
	}
}

// A VLAN is looked at by the card below it.
func TestNICBelowVLAN(t *testing.T) {
	m := machines.Tuned()
	m.Put("proc/irq/41/effective_affinity_list", "3")
	o := tuned
	o.NIC = "eth0.7"
	f := one(t, m, o, "nic-irqs")
	require.Equal(t, Bad, f.Verdict)
	require.Equal(t, "1 of 2 of eth0 on reactor cores 3", f.Seen)
	require.Equal(t, []string{"for i in 41; do echo 0-1,8-17,24-31 >/proc/irq/$i/smp_affinity_list; done"}, f.Mend)
	o.NIC = "lo"
	require.Equal(t, Unknown, one(t, m, o, "nic-irqs").Verdict)
}

// Names are unique, of groups and checks together, and what --only takes.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	group := ""
	for _, c := range table {
		require.NotContains(t, seen, c.name)
		seen[c.name] = true
		if c.group != group {
			require.NotContains(t, seen, c.group, "groups are in one piece")
			group = c.group
			seen[group] = true
		}
		require.Regexp(t, `^[a-z0-9-]+$`, c.name)
	}
}

// FuzzExamine: whatever files hold, each check has something to say. data is pairs
// of a file's number, two bytes, and what it holds, up to a zero byte.
func FuzzExamine(f *testing.F) {
	names := slices.Sorted(maps.Keys(machines.Tuned().MapFS))
	for _, file := range []string{"proc/cmdline", "proc/stat", "proc/swaps", "proc/self/limits", "proc/cpuinfo", "proc/irq/default_smp_affinity"} {
		i, _ := slices.BinarySearch(names, file)
		f.Add([]byte(fmt.Sprintf("%c%c%s\x00", i>>8, i&0xff, "0-99999999999,ffffffff [x] -1\n: 1\n")))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := machines.Tuned()
		for len(data) > 2 {
			file := m.MapFS[names[(int(data[0])<<8|int(data[1]))%len(names)]]
			data = data[2:]
			end := slices.Index(data, 0)
			if end < 0 {
				end = len(data)
			}
			file.Data = data[:end]
			data = data[min(end+1, len(data)):]
		}
		r, err := Examine(m, tuned)
		if err != nil {
			require.ErrorIs(t, err, affinity.ErrTooFewCPUs)
			return
		}
		for _, f := range r.Findings {
			require.Contains(t, Verdicts, f.Verdict)
			require.NotEmpty(t, f.Seen)
		}
		_, err = json.Marshal(r)
		require.NoError(t, err)
	})
}
