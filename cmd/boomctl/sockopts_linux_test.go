package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/unprivileged"
)

// decodeSockopts reads what --json has printed, by option and value.
func decodeSockopts(t *testing.T, out []byte) map[string]sockoptResult {
	t.Helper()
	found := map[string]sockoptResult{}
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var r sockoptResult
		require.NoError(t, d.Decode(&r), "%s", out)
		found[r.Option+" "+r.Value] = r
	}
	return found
}

func TestSockoptsJSON(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, (&sockoptsCmd{JSON: true}).run(t.Context(), &out))
	found := decodeSockopts(t, out.Bytes())
	require.Len(t, found, len(sockoptProbes())-len(networkCards())+1)
	for _, p := range sockoptProbes() {
		r := found[p.name+" "+p.value]
		require.Equal(t, p.use, r.GoodFor)
		require.Equal(t, p.needs, r.Needs)
		switch r.Result {
		case optionWorks, optionAccepted:
			require.Empty(t, r.Error+r.Errno)
		case optionRefused:
			require.NotEmpty(t, r.Errno, "%+v", r)
			require.NotEmpty(t, r.Error)
			require.Empty(t, r.Seen)
		default:
			require.Equal(t, "IPV6_TCLASS", r.Option, "only IPv6 may be missing: %+v", r)
		}
	}
	for _, name := range []string{"TCP_NODELAY 1", "TCP_QUICKACK 1", "SO_BINDTODEVICE lo", "IP_TOS 0xb8 (EF)", "SO_TIMESTAMPING software", "SO_INCOMING_CPU asked for"} {
		require.Equal(t, optionWorks, found[name].Result, "%+v", found[name])
		require.NotEmpty(t, found[name].Seen)
	}
	require.Equal(t, optionAccepted, found["SO_BUSY_POLL 50 µs"].Result)
}

func TestSockoptsTable(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, new(sockoptsCmd).run(t.Context(), &out))
	require.True(t, strings.HasPrefix(out.String(), "Linux "), out.String())
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), sockoptWidth, line)
	}
	for _, p := range sockoptProbes() {
		require.Contains(t, out.String(), "\n"+strings.TrimRight(sockoptLine(p.name, p.value, ""), "\n"), p.name)
	}

	// As wide as it gets, and a probe that fails for another reason.
	out.Reset()
	require.NoError(t, writeSockopt(&out, sockoptResult{
		Option: "SO_SOMETHING", Value: "1", Result: optionFailed, Errno: "ENOBUFS", Error: strings.Repeat("x", 100) + " and more", GoodFor: strings.Repeat("words ", 30),
	}))
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len(line)-1, sockoptWidth, line)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	probe := sockoptProbes()[0]
	require.Equal(t, optionFailed, probe.try(ended).Result)
}

func TestSockoptsWithoutPrivilege(t *testing.T) {
	var out []byte
	require.NoError(t, unprivileged.Run(func() (err error) {
		cmd := exec.Command(os.Args[0], "sockopts", "--json")
		cmd.Env = append(os.Environ(), runDemo+"=1")
		out, err = cmd.Output()
		return err
	}))
	found := decodeSockopts(t, out)
	for _, name := range []string{"SO_MARK 1", "SO_PREFER_BUSY_POLL 1", "SO_BUSY_POLL_BUDGET 64 packets"} {
		r := found[name]
		require.Equal(t, optionRefused, r.Result, "%+v", r)
		require.Equal(t, "EPERM", r.Errno)
		require.Contains(t, r.Error, "CAP_NET_ADMIN")
	}
	if r := found["EPIOCSPARAMS 50 µs, 64"]; r.Result == optionAccepted { // a kernel that has it
		require.Equal(t, "EPERM", found["EPIOCSPARAMS 50 µs, 128"].Errno)
	}
	for _, name := range []string{"SO_PRIORITY 6", "SO_BINDTODEVICE lo", "TCP_NOTSENT_LOWAT 16384 bytes", "SO_TIMESTAMPING software"} {
		require.Equal(t, optionWorks, found[name].Result, "%+v", found[name])
	}
}

func TestWrapped(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"one two", []string{"one", "two"}},
		{"one", []string{"one"}},
		{"a b c d", []string{"a b c", "d"}},
		{"éàüéàüéàü x", []string{"éàüéà", "üéàü", "x"}},
	} {
		require.Equal(t, c.want, wrap(c.text, 5), c.text)
	}
}
