package capture

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// childEnv has the path to which the test binary records when it is started as a
// child, to be killed.
const childEnv = "BOOMNET_CAPTURE_CHILD"

// counter is a stream that counts: each read is the number of the read, again and
// again, up to 100 kB of it.
type counter struct {
	stream.Unqueued
	n uint64
}

func (c *counter) Read(p []byte) (int, error) {
	c.n++
	size := int(c.n*7919%12_500+1) * 8
	for i := 0; i < size; i += 8 {
		binary.LittleEndian.PutUint64(p[i:], c.n)
	}
	return size, nil
}

func (c *counter) Write(p []byte) (int, error)        { return len(p), nil }
func (c *counter) WriteControl(p []byte) (int, error) { return len(p), nil }
func (c *counter) Source() stream.Source              { return stream.Source{FD: -1} }
func (c *counter) Close() error                       { return nil }

// child records until it is killed.
func child(path string) {
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	o := Options{Compress: strings.HasSuffix(path, zstdSuffix)}
	if strings.Contains(path, "many") {
		o.MaxBytes = 300_000
	}
	r, err := Create(path, o)
	check(err)
	bare, err := r.Tape().Bare("child")
	check(err)
	s, err := bare.Connection("counter", endpoint.Seams{Dial: func(context.Context, string, *stream.Options) (stream.Stream, error) {
		return new(counter), nil
	}}).Seams().Dial(context.Background(), "tcp:counter", nil)
	check(err)
	fmt.Println("ready")
	p := make([]byte, 200_000)
	for i := 0; ; i++ {
		_, err := s.Read(p)
		check(err)
		_, err = s.Write(p[:8])
		check(err)
		if i%20 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

// A process that is killed at any moment leaves files that open up to the last whole
// block, with all that they have in order.
func TestKilled(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for i, name := range []string{"feed.pcapng", "feed.pcapng.zst", "many.pcapng", "many.pcapng.zst", "feed.pcapng", "many.pcapng"} {
		path := filepath.Join(t.TempDir(), name)
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), childEnv+"="+path)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "ready\n", line)
		least := 100 // ms
		if strings.HasSuffix(name, zstdSuffix) {
			least = 1200
		}
		time.Sleep(time.Duration(least+rand.IntN(100)) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed

		parts, err := Parts(path)
		require.NoError(t, err)
		last := parts[len(parts)-1]
		f, err := Open(parts...)
		if err != nil { // the last file has nothing in it yet
			require.ErrorIs(t, err, ErrTruncated)
			parts = parts[:len(parts)-1]
			f, err = Open(parts...)
			require.NoError(t, err)
		}
		f.Lenient(true)
		got := readAll(t, f)
		reads := checkCounter(t, got)
		require.NotZero(t, reads, "%s, run %d", name, i)

		if last == parts[len(parts)-1] {
			_, err = Repair(last, nil)
			require.NoError(t, err)
		}
		f, err = Open(parts...)
		require.NoError(t, err)
		require.Equal(t, len(got), len(readAll(t, f)))
	}
}

// checkCounter checks what a child has recorded, and returns how many reads.
func checkCounter(t *testing.T, got tape.Memory) (reads uint64) {
	t.Helper()
	missing := int64(0)
	for i := range got {
		r := &got[i]
		require.EqualValues(t, i+1, r.Seq)
		switch r.Kind {
		case tape.KindMissing:
			missing += r.Arg
		case tape.KindRead:
			n := binary.LittleEndian.Uint64(r.Data)
			if missing == 0 {
				require.Equal(t, reads+1, n)
			} else {
				require.Greater(t, n, reads)
			}
			reads, missing = n, 0
			require.EqualValues(t, int(n*7919%12_500+1)*8, len(r.Data))
			for b := r.Data; len(b) > 0; b = b[8:] {
				if binary.LittleEndian.Uint64(b) != n {
					t.Fatalf("read %d has other data", n)
				}
			}
		}
	}
	return reads
}
