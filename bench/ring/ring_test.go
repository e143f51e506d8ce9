package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
)

// cpus are two that this process may use, or one twice.
func cpus(t *testing.T) [2]int {
	available, err := affinity.Available()
	require.NoError(t, err)
	all := available.CPUs()
	return [2]int{all[0], all[len(all)-1]}
}

func TestEveryCarrierCarries(t *testing.T) {
	require.Len(t, order, len(carriers))
	on := cpus(t)
	n := uint64(2000)
	if on[0] == on[1] { // a spinning thread waits there for the end of its time slice
		n = 20
	}
	for _, name := range order {
		for _, mode := range []string{"oneway", "roundtrip"} {
			if mode == "roundtrip" && carriers[name].roundtrip == nil {
				continue
			}
			p, err := build(line{Name: name, Mode: mode}, 64)
			require.NoError(t, err)
			ns, err := measure(p, n, on)
			require.NoError(t, err)
			require.Positive(t, ns, "%s %s", name, mode)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, args := range [][]string{
		{}, {"oneway"}, {"oneway", "0"}, {"oneway", "x"}, {"sideways", "5"}, {"oneway", "5", "0"},
		{"-with", "nothing", "oneway", "5"}, {"-with", "boomnet-16", "roundtrip", "5"}, {"-cpus", "1", "oneway", "5"},
		{"compare", "program"},
	} {
		require.Error(t, run(args), "%q", args)
	}
	require.ErrorContains(t, run([]string{"-with", "nothing", "oneway", "5"}), "xsync")
}

func TestSummarize(t *testing.T) {
	rows := []program{
		{name: "a", ns: map[string][]float64{"oneway": {10, 20, 40}}},
		{name: "b", ns: map[string][]float64{"oneway": {20, 20, 20}}},
	}
	var out strings.Builder
	summarize(&out, rows)
	require.Contains(t, out.String(), "b                   20.0      20.0    1.00 (0.50–2.00)")
}
