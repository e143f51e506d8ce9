package cases

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/internal/microbench"
)

func TestMain(m *testing.M) { leak.Main(m) }

// run measures cases on up to n CPUs, shortly.
func run(t *testing.T, n int, all []microbench.Case) *microbench.Run {
	t.Helper()
	topology := affinity.Local()
	cpus := topology.Process.Allowed.And(topology.Online()).CPUs()
	r := &microbench.Runner{
		Plan: microbench.NewPlan(all, topology, cpus[:min(n, len(cpus))]),
		Time: 3 * time.Millisecond, Rounds: 2,
	}
	return r.Run(t.Context())
}

func TestEveryCase(t *testing.T) {
	topology := affinity.Local()
	alone := topology.Process.Allowed.And(topology.Online()).Len() < 2
	for _, res := range run(t, 2, All()).Results {
		if alone && strings.Contains(res.Failed, "two CPUs") {
			continue
		}
		require.Empty(t, res.Failed, res.Name)
		require.Len(t, res.Rounds, 2, res.Name)
		require.Positive(t, res.Samples, res.Name)
		// A loop that the compiler emptied takes a cycle a turn or less.
		const turn = 0.8 // ns
		if res.Batch > 0 {
			require.Greater(t, res.Min, turn, res.Name)
		}
	}
}

// Both sides on one CPU: it works, slowly, and is marked.
func TestLoopbackOnOneCPU(t *testing.T) {
	m := affinity.Local()
	first := m.Process.Allowed.And(m.Online()).First()
	m.Process.Allowed = affinity.Of(first)
	r := &microbench.Runner{Plan: microbench.NewPlan(loopbacks(), m, []int{first}), Time: time.Millisecond, Rounds: 1}
	for _, res := range r.Run(t.Context()).Results {
		require.Empty(t, res.Failed, res.Name)
		require.Equal(t, []int{first, first}, res.CPUs)
		require.Equal(t, microbench.OneCPU, res.Marks[0].Kind, res.Name)
	}
}

func TestNames(t *testing.T) {
	var names []string
	for _, c := range All() {
		topic, what, ok := strings.Cut(c.Name, ".")
		require.True(t, ok && topic != "" && what != "", c.Name)
		require.LessOrEqual(t, len(what), 15, "%s: the table has a column for it", c.Name)
		require.NotContains(t, c.Name, "*,")
		require.NotEmpty(t, c.What)
		require.NotContains(t, names, c.Name)
		names = append(names, c.Name)
	}
	require.Equal(t, []string{"clock", "line", "ring", "syscall", "loopback", "timer", "frame", "mask", "utf8", "stats"}, microbench.Topics(All()))
	require.True(t, slices.IsSortedFunc(names, func(a, b string) int { // topics stay together
		return slices.Index(microbench.Topics(All()), topicOf(a)) - slices.Index(microbench.Topics(All()), topicOf(b))
	}))
}

func topicOf(name string) string {
	topic, _, _ := strings.Cut(name, ".")
	return topic
}

// The peer of a case that fails ends with it, and its sockets are closed: see TestMain.
func TestPeerEndsWhenNobodyConnects(t *testing.T) {
	all := []microbench.Case{{Name: "a.b", Needs: microbench.Served, Run: func(b *microbench.B) error {
		_, err := served(b)
		return err
	}}}
	require.Equal(t, "it took no samples", run(t, 1, all).Results[0].Failed)
}
