package packets

import (
	"crypto/tls"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A script of the fuzzer: pieces, each with a byte that says whose it is (bit 0: the
// client's; bit 1: it is lost) and two with how long it is.
func tlsScript(segs []tlsSegment) []byte {
	var b []byte
	for _, s := range segs {
		for rest := s.data; len(rest) > 0; {
			n := min(len(rest), 1<<16-1)
			var who byte
			if s.fromClient {
				who = 1
			}
			b = binary.BigEndian.AppendUint16(append(b, who), uint16(n))
			b, rest = append(b, rest[:n]...), rest[n:]
		}
	}
	return b
}

// tlsSeeds are connections that were recorded: a key log and a script each. They are
// made anew by TestTLSSeeds with BOOMNET_UPDATE=1.
func tlsSeeds(t testing.TB) (keys, scripts [][]byte) {
	t.Helper()
	names, err := filepath.Glob("testdata/*.keys")
	require.NoError(t, err)
	require.NotEmpty(t, names)
	for _, name := range names {
		k, err := os.ReadFile(name)
		require.NoError(t, err)
		s, err := os.ReadFile(name[:len(name)-len(".keys")] + ".script")
		require.NoError(t, err)
		keys, scripts = append(keys, k), append(scripts, s)
	}
	return keys, scripts
}

// playTLS gives a script to an opener in pieces of a size and returns what came out.
func playTLS(k *KeyLog, b []byte, size int) *opened {
	r := newOpened(k)
	for len(b) >= 3 {
		who, n := b[0], min(int(binary.BigEndian.Uint16(b[1:])), len(b)-3)
		piece := b[3 : 3+n]
		b = b[3+n:]
		if who&2 != 0 {
			r.o.Gap(who&1 != 0, int64(n))
			continue
		}
		for len(piece) > 0 {
			m := min(size, len(piece))
			_ = r.o.Add(who&1 != 0, 0, piece[:m])
			piece = piece[m:]
		}
	}
	for i := range r.errs {
		r.errs[i] = r.o.End(i == 1)
	}
	return r
}

func TestTLSSeeds(t *testing.T) {
	t.Parallel()
	if os.Getenv("BOOMNET_UPDATE") != "" {
		for name, version := range map[string]uint16{"tls12": tls.VersionTLS12, "tls13": tls.VersionTLS13} {
			c := clientConfig()
			c.MaxVersion = version
			s := connectTLS(t, c, serverConfig())
			s.send(t, true, []byte("hello"))
			s.send(t, false, []byte("world"))
			s.close(t)
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			k := s.keys.Bytes()
			require.NoError(t, os.WriteFile("testdata/"+name+".keys", k[:len(k)/2], 0o644)) // both ends log the same
			require.NoError(t, os.WriteFile("testdata/"+name+".script", tlsScript(s.tap.segments()), 0o644))
		}
	}
	keys, scripts := tlsSeeds(t)
	for i := range keys {
		r := playTLS(keyLog(t, keys[i]), scripts[i], 1<<16)
		require.Equal(t, [2]error{}, r.errs)
		require.Equal(t, "world", string(r.data[0]))
		require.Equal(t, "hello", string(r.data[1]))
	}
}

// Whatever comes in, in whatever pieces: no panic, the same result, bounded memory.
func FuzzOpener(f *testing.F) {
	keys, scripts := tlsSeeds(f)
	for i := range keys {
		f.Add(keys[i], scripts[i], uint16(7))
	}
	f.Add([]byte(nil), tlsScript([]tlsSegment{{true, clientHelloRecord(0, 42, 0, 0)}, {false, serverAnswer(4, retryRandom[:])}, {true, clientHelloRecord()}}), uint16(1))
	f.Fuzz(func(t *testing.T, lines, b []byte, size uint16) {
		one, two := &KeyLog{}, &KeyLog{}
		require.NoError(t, one.Add(lines))
		require.NoError(t, two.Add(lines))
		whole, pieces := playTLS(one, b, 1<<16), playTLS(two, b, int(size)%4096+1)
		require.Equal(t, whole.data, pieces.data)
		require.Equal(t, whole.alerts, pieces.alerts)
		require.Equal(t, whole.o.Facts(), pieces.o.Facts())
		for i, err := range whole.errs {
			if err == nil {
				require.NoError(t, pieces.errs[i])
			} else {
				require.EqualError(t, pieces.errs[i], err.Error())
			}
			s := &whole.o.sides[i]
			require.LessOrEqual(t, len(s.buf), recordHeader+maxCiphertext)
			require.LessOrEqual(t, len(s.msg), 4+maxHandshake+maxPlaintext)
		}
	})
}
