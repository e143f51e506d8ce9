package capture

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// countComments counts the comments that have text in them.
func countComments(t testing.TB, text string, paths ...string) (n int) {
	t.Helper()
	for _, path := range paths {
		in, err := openInput(path)
		require.NoError(t, err)
		defer in.Close()
		blocks, err := pcapng.NewReader(in)
		require.NoError(t, err)
		for {
			b, err := blocks.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			var options []pcapng.Option
			switch b.Kind {
			case pcapng.KindPacket:
				options = b.Packet.Options
			case pcapng.KindSection:
				options = b.Section.Options
			case pcapng.KindStats:
				options = b.Stats.Options
			}
			for _, o := range options {
				if o.Code == pcapng.OptComment && strings.Contains(o.Text(), text) {
					n++
				}
			}
		}
	}
	return n
}

// everything is a file of records of all sorts, and the records; large ones among
// them or not.
func everything(t *testing.T, large bool, o Options) (file []byte, want tape.Memory) {
	path := at(t)
	m := newManual(t, path, o)
	put := func(records ...tape.Record) {
		for _, r := range records {
			m.put(r)
			r.Seq = m.seq
			want.Keep(&r)
		}
	}
	put(begin())
	put(session(1, tape.Plain, "10.0.0.2:80")...)
	put(frame(1, 100))
	put(tape.Record{Kind: tape.KindSecrets, Conn: 1, Data: []byte("CLIENT_RANDOM 00 00\n")})
	if large {
		put(tape.Record{Kind: tape.KindRead, Conn: 1, Data: make([]byte, 2*maxChunk+100)})
		put(tape.Record{Kind: tape.KindMessage, Text: []byte("way"), Data: make([]byte, maxInline+1)})
		put(tape.Record{Kind: tape.KindWrite, Conn: 1, Text: make([]byte, maxMark), Data: []byte("x")}) // does not fit into an option
	}
	put(tape.Record{Kind: tape.KindRead, Conn: 1, Err: tape.Error{Class: tape.EOF}}, tape.Record{Kind: tape.KindLost, Conn: 1, Text: []byte("peer closed")},
		tape.Record{Kind: tape.KindClose, Conn: 1}, tape.Record{Kind: tape.KindEnd})
	m.end()
	if o.Compress {
		path += zstdSuffix
	}
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	return file, want
}

// checkCut reads a file of which only n bytes are left: strict it ends in an error that
// says so, lenient it ends, and repaired it is whole; each time with the same records,
// the first of all.
func checkCut(t *testing.T, path string, file []byte, n int, want tape.Memory) {
	t.Helper()
	require.NoError(t, os.WriteFile(path, file[:n], 0o600))
	f, err := Open(path)
	if err != nil {
		require.ErrorIs(t, err, ErrTruncated, "%d", n)
		return
	}
	got, err := readSome(f)
	if err != nil {
		require.ErrorIs(t, err, ErrTruncated, "%d", n)
	}
	whole := err == nil
	require.True(t, len(got) <= len(want) && (len(got) == 0 || bytes.Equal(got[len(got)-1].Data, want[len(got)-1].Data)), "%d", n)

	f.Lenient(true)
	lenient, err := readSome(f)
	require.NoError(t, err, "%d", n)
	require.Equal(t, len(got), len(lenient), "%d", n)

	var out bytes.Buffer // in place it is synced, which takes long
	report, err := Repair(path, &out)
	require.NoError(t, err, "%d", n)
	require.NoError(t, os.WriteFile(path, out.Bytes(), 0o600))
	require.Equal(t, !whole, report.Damaged(), "%d: %+v", n, report)
	repaired, err := Open(path)
	if err != nil { // nothing of ours was whole
		require.ErrorIs(t, err, ErrTruncated)
		require.Empty(t, got)
		return
	}
	again, err := readSome(repaired)
	require.NoError(t, err, "%d", n)
	require.Equal(t, len(got), len(again), "%d", n)
}

func TestCutAnywhere(t *testing.T) {
	file, want := everything(t, false, Options{})
	path := filepath.Join(t.TempDir(), "cut.pcapng")
	for n := 0; n <= len(file); n++ {
		if n%8 != 0 && n%8 != 3 && n > 600 {
			continue // within the words of later blocks all places are alike
		}
		checkCut(t, path, file, n, want)
	}
}

func TestCutAnywhereLarge(t *testing.T) {
	file, want := everything(t, true, Options{})
	path := filepath.Join(t.TempDir(), "cut.pcapng")
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		checkCut(t, path, file, rnd.IntN(len(file)+1), want)
	}
}

func TestCutAnywhereCompressed(t *testing.T) {
	file, want := everything(t, true, Options{Compress: true})
	path := filepath.Join(t.TempDir(), "cut.pcapng.zst")
	for n := 0; n < len(file); n += 1 + n%23 {
		checkCut(t, path, file, n, want)
	}
}

// A machine that has lost power leaves zeros where the system had not written yet.
func TestZerosBehind(t *testing.T) {
	for _, compress := range []bool{false, true} {
		file, want := everything(t, true, Options{Compress: compress})
		path := at(t)
		require.NoError(t, os.WriteFile(path, append(file, make([]byte, 5000)...), 0o640))
		f, err := Open(path)
		require.NoError(t, err)
		_, err = readSome(f)
		require.Error(t, err)
		report, err := Repair(path, nil)
		require.NoError(t, err)
		require.True(t, report.Damaged())
		require.Error(t, report.Why)
		f, err = Open(path)
		require.NoError(t, err)
		require.Equal(t, want, readAll(t, f))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, 0o640, info.Mode().Perm())
	}
}

// A block whose inside is wrong is left out, and what is behind it stays.
func TestRepairLeavesOutABlock(t *testing.T) {
	m := newManual(t, at(t), Options{})
	m.put(begin())
	m.put(session(1, tape.Plain, "10.0.0.2:80")...)
	for i := range 10 {
		m.put(frame(1, 100+i))
	}
	m.end()
	path := m.out.name
	file, err := os.ReadFile(path)
	require.NoError(t, err)
	blocks, err := pcapng.NewReader(bytes.NewReader(file))
	require.NoError(t, err)
	var packets []pcapng.Block
	for {
		b, err := blocks.Next()
		if err != nil {
			break
		}
		if b.Kind == pcapng.KindPacket {
			packets = append(packets, b)
		}
	}
	bad := packets[len(packets)-3]
	file[bad.Offset+20] ^= 0x40 // its data would be far longer than the block
	file[bad.Offset+23] = 0x7f
	require.NoError(t, os.WriteFile(path, file, 0o600))

	f, err := Open(path)
	require.NoError(t, err)
	_, err = readSome(f)
	require.ErrorIs(t, err, ErrCorrupt)
	var where *Error
	require.ErrorAs(t, err, &where)
	require.Equal(t, bad.Offset, where.Offset)

	var out bytes.Buffer
	report, err := Repair(path, &out)
	require.NoError(t, err)
	require.Len(t, report.Bad, 1)
	require.Equal(t, bad.Offset, report.Bad[0].Offset)
	require.Equal(t, bad.Size, report.Bad[0].Size)
	require.Equal(t, len(file)-int(bad.Size), out.Len())
	again, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, file, again, "with a writer the file stays")

	_, err = Repair(path, nil)
	require.NoError(t, err)
	f, err = Open(path)
	require.NoError(t, err)
	require.Len(t, readAll(t, f), 17)
}

func TestRepairOfWhatIsWritten(t *testing.T) {
	path := at(t)
	r, err := Create(path, Options{})
	require.NoError(t, err)
	_, err = Repair(path, nil)
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, r.Close())
	report, err := Repair(path, nil)
	require.NoError(t, err)
	require.False(t, report.Damaged())
}

func TestRepairOfNothing(t *testing.T) {
	path := at(t)
	_, err := Repair(path, nil)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoError(t, os.WriteFile(path, []byte{0x0a, 0x0d, 0x0d}, 0o600))
	_, err = Repair(path, nil)
	require.ErrorIs(t, err, ErrTruncated)
	require.NoError(t, os.WriteFile(path, []byte("no capture at all"), 0o600))
	_, err = Repair(path, nil)
	require.ErrorIs(t, err, pcapng.ErrFormat)
}
