package packets

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

var (
	hex32 = strings.Repeat("0a", 32)
	hex48 = strings.Repeat("Bc", 48)
)

func TestParseKeyLog(t *testing.T) {
	t.Parallel()
	text := "# of a test\r\n\n" +
		"CLIENT_RANDOM " + hex32 + " " + hex48 + "\r\n" +
		"SERVER_TRAFFIC_SECRET_0  " + hex32 + "\t" + hex32 + "\n" +
		"EXPORTER_SECRET " + hex32 + " " + hex32 + "\n" +
		"CLIENT_RANDOM " + hex32 + " " + hex32 + "\n" + // a master secret has 48 bytes
		"CLIENT_TRAFFIC_SECRET_0 " + hex32[2:] + " " + hex32 + "\n" +
		"CLIENT_TRAFFIC_SECRET_0 " + hex32 + " " + hex32[1:] + "\n" +
		"CLIENT_TRAFFIC_SECRET_0 " + hex32 + "\n" +
		"CLIENT_TRAFFIC_SECRET_0 zz" + hex32[2:] + " " + hex32 + "\n" +
		"X " + strings.Repeat("00", 5000) + " 00\n" +
		"SERVER_HANDSHAKE_TRAFFIC_SECRET " + hex32 + " " + hex48 // without an end
	for _, in := range []io.Reader{strings.NewReader(text), iotest.OneByteReader(strings.NewReader(text))} {
		k, err := ParseKeyLog(in)
		require.NoError(t, err)
		checkKeyLog(t, k)
	}
	k := &KeyLog{}
	require.NoError(t, k.Add([]byte(text)))
	checkKeyLog(t, k)
}

func checkKeyLog(t *testing.T, k *KeyLog) {
	t.Helper()
	require.Equal(t, 1, k.Sessions())
	require.Equal(t, 6, k.Malformed())
	var random [32]byte
	for i := range random {
		random[i] = 0x0a
	}
	require.Len(t, k.secret(random, masterSecret), 48)
	require.Equal(t, random[:], k.secret(random, serverTraffic))
	require.Len(t, k.secret(random, serverHandshake), 48)
	require.Nil(t, k.secret(random, clientTraffic))
	require.Nil(t, k.secret([32]byte{}, masterSecret))
}

func TestParseKeyLogRefuses(t *testing.T) {
	t.Parallel()
	k, err := ParseKeyLog(strings.NewReader(""))
	require.NoError(t, err)
	require.Zero(t, k.Sessions())
	_, err = ParseKeyLog(strings.NewReader("-----BEGIN CERTIFICATE-----\nMIIB\n"))
	require.ErrorIs(t, err, ErrKeyLog)
	require.ErrorContains(t, err, "none of its 2 lines")
	broken := errors.New("broken")
	_, err = ParseKeyLog(io.MultiReader(strings.NewReader("X 00 00\n"), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
	_, err = ParseKeyLog(endless{})
	require.ErrorIs(t, err, ErrKeyLog)
	require.ErrorContains(t, err, "over 268435456 bytes")
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestKeyLogIsBounded(t *testing.T) {
	t.Parallel()
	k := &KeyLog{}
	line := func(n int) []byte { return fmt.Appendf(nil, "CLIENT_RANDOM %064x %096x\n", n, n) }
	for n := range MaxKeyLogSessions {
		require.NoError(t, k.Add(line(n)))
	}
	err := k.Add(line(MaxKeyLogSessions))
	require.ErrorIs(t, err, ErrKeyLog)
	require.ErrorContains(t, err, "over 65536 connections")
	require.NoError(t, k.Add(line(7)), "one that is there may be replaced")
	require.Equal(t, MaxKeyLogSessions, k.Sessions())
	for n := range MaxKeyLogSessions + 1 {
		k.learn(line(n), [32]byte{})
	}
	require.Len(t, k.tickets, MaxKeyLogSessions)
}

func FuzzKeyLog(f *testing.F) {
	f.Add([]byte("CLIENT_RANDOM " + hex32 + " " + hex48 + "\n"))
	f.Add([]byte("# x\r\nSERVER_TRAFFIC_SECRET_0 " + hex32 + " " + hex32))
	f.Add([]byte("X 0 0\nCLIENT_HANDSHAKE_TRAFFIC_SECRET a b\n" + strings.Repeat("y", 2000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		a := &KeyLog{}
		require.NoError(t, a.Add(b))
		k, err := ParseKeyLog(strings.NewReader(string(b)))
		if err != nil {
			require.ErrorIs(t, err, ErrKeyLog)
			require.Zero(t, a.Sessions())
			return
		}
		require.Equal(t, a.sessions, k.sessions)
		for _, s := range k.sessions {
			for l, secret := range s {
				require.Contains(t, []int{0, 32, 48}, len(secret), keyLabel(l).String())
			}
		}
	})
}
