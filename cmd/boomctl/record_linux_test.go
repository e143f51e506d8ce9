package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/pty"
)

// On a terminal there is one line that moves, and in the end what was recorded.
func TestRecordOnATerminal(t *testing.T) {
	x := startedExchange(t, exchange.Config{Rate: 200})
	master, slave := pty.Open(t, 100, 24)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "record", x.URL()+"/ws/btcusdt@trade", "-o", filepath.Join(t.TempDir(), "feed.pcapng"), "--messages", "200")
	cmd.Env = append(os.Environ(), runDemo+"=1")
	cmd.Stderr = slave
	require.NoError(t, cmd.Start())
	require.NoError(t, slave.Close())
	shown := make(chan string)
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			all.Write(buf[:n])
			if err != nil { // EIO: the child has ended
				shown <- all.String()
				return
			}
		}
	}()
	require.NoError(t, cmd.Wait())
	got := <-shown
	require.Regexp(t, `\r\d+s  [\d,]+ messages  [\d.]+ [kM]?B  [\d.]+ [kM]?B on disk  backlog 0 %  no loss\x1b\[K`, got)
	require.Contains(t, got, "messages on 1 connections in")
	require.Equal(t, 1, strings.Count(got, "\n"), "%q", got)
}

// What the kernel has stamped is in the file.
func TestRecordWithTimestamps(t *testing.T) {
	path := recordedFile(t, "--timestamps", "software")
	out, _, err := boomctl(t, "capture", "stats", path)
	require.NoError(t, err)
	require.Contains(t, out, "\n from the kernel's receipt to the read\n")
}
