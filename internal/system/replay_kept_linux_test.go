package system

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
)

var updateKept = flag.Bool("update", false, "record the run in testdata anew")

// A run that was recorded on another machine, long ago, is the same here: its recording
// and what its endpoints saw are in testdata.
func TestARunOfAnotherMachine(t *testing.T) {
	path, seen := filepath.Join("testdata", "run.pcapng.zst"), filepath.Join("testdata", "run.txt")
	if *updateKept {
		live, m, url, _ := record(t, false)
		_ = os.Remove(path)
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, capture.Cut(path, m, capture.Filter{}, capture.CutOptions{Comment: "internal/system: go test -run AnotherMachine . -update"}))
		require.NoError(t, os.WriteFile(seen, []byte(url+"\n"+live.String()), 0o644))
	}
	text, err := os.ReadFile(seen)
	require.NoError(t, err)
	url, want, _ := strings.Cut(string(text), "\n")
	f, err := capture.Open(path)
	require.NoError(t, err)
	j := new(journal)
	var all []endpoint.Protocol
	for _, w := range witnesses(url, nil, j, nil) {
		all = append(all, w)
	}
	var cfg reactor.Config
	cfg.Seams.Observer = func(e endpoint.Event) { j.note("event %+v", flat(e)) }
	done, err := (&capture.Reproduction{Recording: f, Endpoints: all, Config: cfg}).Run(context.Background())
	require.NoError(t, err)
	require.Empty(t, done.Divergences)
	require.True(t, done.Complete)
	same(t, want, j.String(), "the run")
}
