package main

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/bench/harness"
)

// Every client does every kind of work with the real server, a little of it.
func TestEveryClientKeepsTheContract(t *testing.T) {
	t.Chdir("../..")
	little := map[string]work{
		"burst": {[]string{"/burst/10/256", "20"}, 200},
		"flood": {[]string{"/flood/1000/180/64"}, 1000},
		"paced": {[]string{"/paced/100/180/20"}, 90},
	}
	var mask unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &mask))
	cpu := 0
	for !mask.IsSet(cpu) {
		cpu++
	}
	for _, how := range []transport{plain, tls, tlsRecords} {
		dir := t.TempDir()
		c := config{transport: how, clients: slices.Sorted(maps.Keys(programs)), serverCPU: cpu}
		clients, note, err := build(t.Context(), dir, c)
		require.NoError(t, err)
		t.Log(how, note)
		s, err := harness.StartServer(t.Context(), dir, c.server())
		require.NoError(t, err)
		defer s.Stop()
		for _, who := range clients {
			for mode, w := range little {
				r := runOne(t.Context(), s, who, w, cpu)
				require.Empty(t, r.Failed, "%s, %s, %s", how, who.name, mode)
			}
		}
	}
}
