//go:build external && linux

package stream

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Wireshark reads with a key log what tcpdump has captured. Debian packages
// openssl, tcpdump and tshark; only root may capture.
func TestExternalWireshark(t *testing.T) {
	require.Zero(t, os.Geteuid(), "tcpdump needs root to capture; without it: go test -skip Wireshark")
	tshark, err := exec.LookPath("tshark")
	require.NoError(t, err, "tshark must be installed")
	tcpdump, err := exec.LookPath("tcpdump")
	require.NoError(t, err, "tcpdump must be installed")
	bothVersions(t, func(t *testing.T, version uint16) {
		s := openssl(t, version, goodCertificate())
		_, port, _ := strings.Cut(strings.TrimPrefix(s.target, "tls://"), ":")
		dir := t.TempDir()
		capture, keys := filepath.Join(dir, "capture"), filepath.Join(dir, "keys")

		var said screen
		dump := exec.Command(tcpdump, "-i", "lo", "-Z", "root", "-U", "--immediate-mode", "-w", capture, "port", port)
		dump.Stderr = &said
		require.NoError(t, dump.Start())
		t.Cleanup(func() { _ = dump.Process.Kill(); _ = dump.Wait() })
		said.until(t, "listening on lo")

		w, err := KeyLogFile(keys)
		require.NoError(t, err)
		config := trusting()
		config.KeyLogWriter = w
		s.greeted(t, config)
		require.NoError(t, w.Close())

		follow := func(args ...string) string {
			args = append(args, "-r", capture, "-d", "tcp.port=="+port+",tls", "-q", "-z", "follow,tls,ascii,0")
			out, _ := exec.CommandContext(testCtx(t), tshark, args...).Output() // fails while the file grows
			return string(out)
		}
		for ctx, got := testCtx(t), ""; !strings.Contains(got, "\nhello\n"); {
			require.NoError(t, ctx.Err(), got)
			got = follow("-o", "tls.keylog_file:"+keys)
		}
		got := follow()
		require.Contains(t, got, "Follow: tls")
		require.NotContains(t, got, "hello")
	})
}
