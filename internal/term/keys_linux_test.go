package term

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/pty"
)

// keysLimit bounds the wait for a key.
const keysLimit = 20 * time.Second

func pressed(t *testing.T, k *Keys) Key {
	t.Helper()
	select {
	case key, ok := <-k.C():
		require.True(t, ok, "the terminal has ended")
		return key
	case <-time.After(keysLimit):
		require.Fail(t, "no key")
		return 0
	}
}

func TestKeysOfATerminal(t *testing.T) {
	master, slave := pty.Open(t, 80, 24)
	before := pty.Modes(t, slave)
	require.NotZero(t, before.Lflag&unix.ICANON)
	k, err := StartKeys(slave)
	require.NoError(t, err)
	require.Zero(t, pty.Modes(t, slave).Lflag&(unix.ICANON|unix.ECHO), "key by key, and not shown")
	for typed, want := range map[string]Key{
		"q": 'q', "\x1b[A": KeyUp, "\x1b[6~": KeyPageDown, "\r": KeyEnter, "\x03": KeyCtrlC, "é": 'é', "\x1b": KeyEscape,
	} {
		_, err := master.WriteString(typed)
		require.NoError(t, err)
		require.Equal(t, want, pressed(t, k), "%q", typed)
	}
	_, err = master.WriteString("ab\x1b[Bc") // as quickly as a paste
	require.NoError(t, err)
	for _, want := range []Key{'a', 'b', KeyDown, 'c'} {
		require.Equal(t, want, pressed(t, k))
	}
	require.NoError(t, k.Stop())
	require.Equal(t, before, pty.Modes(t, slave), "as it was")
	require.NoError(t, master.Close()) // which ends the last read
}

func TestKeysEndWithTheTerminal(t *testing.T) {
	master, slave := pty.Open(t, 80, 24)
	k, err := StartKeys(slave)
	require.NoError(t, err)
	require.NoError(t, master.Close())
	select {
	case _, ok := <-k.C():
		require.False(t, ok)
	case <-time.After(keysLimit):
		require.Fail(t, "no end")
	}
	_ = k.Stop() // there is nothing left to put back
}

func TestKeysOfNoTerminal(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	_, err = StartKeys(r)
	require.Error(t, err)
}
