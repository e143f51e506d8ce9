package cases

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/internal/microbench"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestEveryCaseRuns(t *testing.T) {
	topology := affinity.Local()
	cpus := topology.Process.Allowed.CPUs()
	r := &microbench.Runner{Plan: microbench.NewPlan(All(), topology, cpus[:min(2, len(cpus))]), Time: 5 * time.Millisecond, Rounds: 2}
	run := r.Run(context.Background())
	for _, res := range run.Results {
		t.Log(res.Name, res.CPUs, res.Median, res.Samples, res.Batch, res.Marks, res.Failed)
		require.Empty(t, res.Failed)
	}
}
