package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTally(t *testing.T) {
	good := verdict{ok, ok}
	for _, tc := range []struct {
		name  string
		cases []string
		got   map[string]verdict
		bad   []string
	}{
		{"all passed", []string{"1.1.1", "1.1.2", "7.1.6"}, map[string]verdict{"1.1.1": good, "1.1.2": good, "7.1.6": {informational, informational}}, nil},
		{"not strict", []string{"6.4.1"}, map[string]verdict{"6.4.1": {nonStrict, ok}}, []string{"6.4.1 NON-STRICT"}},
		{"unimplemented", []string{"12.1.1"}, map[string]verdict{"12.1.1": {unimplemented, ok}}, []string{"12.1.1 UNIMPLEMENTED"}},
		{"failed", []string{"1.1.1"}, map[string]verdict{"1.1.1": {failed, failed}}, []string{"1.1.1 FAILED"}},
		{"bad close", []string{"1.1.1"}, map[string]verdict{"1.1.1": {ok, "UNCLEAN"}}, []string{"1.1.1 FAILED (close UNCLEAN)"}},
		{"not run", []string{"1.1.1", "1.1.2"}, map[string]verdict{"1.1.1": good}, []string{"1.1.2 FAILED (not run)"}},
		{"unknown verdict", []string{"1.1.1"}, map[string]verdict{"1.1.1": {"WRONG CODE", ok}}, []string{"1.1.1 FAILED (WRONG CODE)"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := tally(tc.cases, tc.got)
			require.Equal(t, tc.bad, s.bad)
			require.Equal(t, len(tc.bad) == 0, s.passed())
		})
	}
	require.False(t, tally(nil, nil).passed(), "no case is no proof")
}

func TestPrint(t *testing.T) {
	var b bytes.Buffer
	s := tally([]string{"1.1.1", "12.1.1"}, map[string]verdict{"1.1.1": {ok, ok}, "12.1.1": {nonStrict, ok}})
	require.NoError(t, s.print(&b, "title"))
	require.Equal(t, `title
  group  OK  INFORMATIONAL  NON-STRICT  UNIMPLEMENTED  FAILED
      1   1              0           0              0       0
     12   0              0           1              0       0
    all   1              0           1              0       0
12.1.1 NON-STRICT
`, b.String())
}

func TestReadIndex(t *testing.T) {
	path := filepath.Join(t.TempDir(), "index.json")
	_, err := readIndex(path, agentName)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte(`{"boomnet":{"1.1.1":{"behavior":"OK","behaviorClose":"OK","duration":2}},"other":{}}`), 0o600))
	got, err := readIndex(path, agentName)
	require.NoError(t, err)
	require.Equal(t, map[string]verdict{"1.1.1": {ok, ok}}, got)
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = readIndex(path, agentName)
	require.ErrorContains(t, err, path)
}
