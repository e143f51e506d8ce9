package capture

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// FuzzReader: whatever is in a file, reading ends with records in order and an error
// that says where, or without; and what is read can be written and read again.
func FuzzReader(f *testing.F) {
	dir := f.TempDir()
	path := filepath.Join(dir, "seed.pcapng")
	r, err := create(path, Options{})
	require.NoError(f, err)
	close(r.done)
	for i, rec := range append(append([]tape.Record{begin()}, session(1, tape.AboveTLS, "[2001:db8::1]:443")...),
		frame(1, 20), tape.Record{Kind: tape.KindTurn}, tape.Record{Kind: tape.KindSecrets, Conn: 1, Data: []byte("CLIENT_RANDOM\n")}) {
		rec.Seq = uint64(i + 1)
		r.take(&rec)
	}
	require.NoError(f, r.finish())
	seed, err := os.ReadFile(path)
	require.NoError(f, err)
	f.Add(seed)
	f.Add(seed[:len(seed)/2])
	// A data block and the record that it is of, and a record that goes on over packets.
	f.Add(pieces(f, seed))

	f.Fuzz(func(t *testing.T, b []byte) {
		path := filepath.Join(t.TempDir(), "x.pcapng")
		require.NoError(t, os.WriteFile(path, b, 0o600))
		file, err := Open(path)
		if err != nil {
			checkError(t, err)
			return
		}
		var got tape.Memory
		s, err := file.Read()
		if err != nil {
			checkError(t, err)
			return
		}
		defer s.Close()
		last := uint64(0)
		for {
			rec, err := s.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				checkError(t, err)
				_, again := s.Next()
				require.Equal(t, err, again)
				break
			}
			require.Greater(t, rec.Seq, last)
			last = rec.Seq
			got.Keep(rec)
		}
		if len(got) == 0 {
			return
		}
		dst := filepath.Join(t.TempDir(), "y.pcapng")
		require.NoError(t, Cut(dst, got, Filter{}, CutOptions{}))
		again, err := Open(dst)
		require.NoError(t, err)
		require.Equal(t, got, readAll(t, again))
	})
}

// checkError: errors say what kind they are, and those of a place where that is.
func checkError(t *testing.T, err error) {
	t.Helper()
	var where *Error
	if errors.As(err, &where) {
		require.NotEmpty(t, where.Path)
		require.GreaterOrEqual(t, where.Offset, int64(0))
		return
	}
	var path *fs.PathError
	require.False(t, errors.As(err, &path), "%v", err)
}

// pieces is a file with blocks of every kind behind head.
func pieces(f *testing.F, head []byte) []byte {
	b := append([]byte(nil), head...)
	e := newEncoder()
	e.distance = 1
	message := tape.Record{Kind: tape.KindMessage, Seq: 100, Data: make([]byte, 4)}
	data := appendMark(nil, blockData, 100)[4:]
	e.appendCustom(append(data, 4, 0, 0, 0, 1, 2, 3, 4))
	e.entry(&message, false, true)
	e.entry(&tape.Record{Kind: tape.KindTurn, Seq: 3}, true, false)
	e.flush()
	fl := &flow{num: 1}
	fl.open(nil)
	e.put(fl, 1, false, flagPSH, []byte("abc"), appendMark(nil, markMore, 101), "")
	e.put(fl, 1, false, flagPSH, []byte("def"), appendRecordMark(nil, &tape.Record{Kind: tape.KindRead, Conn: 1, Seq: 101, Data: []byte("abcdef")}), "")
	b = append(b, e.buf...)
	path := filepath.Join(f.TempDir(), "pieces.pcapng")
	require.NoError(f, os.WriteFile(path, b, 0o600))
	file, err := Open(path)
	require.NoError(f, err)
	got := readAll(f, file)
	require.Equal(f, "abcdef", string(got[len(got)-1].Data))
	require.Equal(f, uint64(100), got[len(got)-2].Seq)
	return b
}

// Files of others are told from ours.
func TestForeign(t *testing.T) {
	path := at(t)
	b := pcapng.AppendSection(nil, &pcapng.Section{})
	b = pcapng.AppendInterface(b, &pcapng.Interface{LinkType: pcapng.LinkRaw})
	b = pcapng.AppendPacket(b, &pcapng.Packet{Data: []byte{0x45}, Options: []pcapng.Option{pcapng.Custom(pen, []byte("theirs"))}})
	require.NoError(t, os.WriteFile(path, b, 0o600))
	_, err := Open(path)
	require.ErrorIs(t, err, ErrForeign)
	require.NoError(t, os.WriteFile(path, []byte("a text, and no capture"), 0o600))
	_, err = Open(path)
	require.ErrorIs(t, err, pcapng.ErrFormat)
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = Open(path)
	require.ErrorIs(t, err, ErrTruncated)
	_, err = Open()
	require.ErrorContains(t, err, "no file")
	_, err = Open(path + "x")
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFilesOfOtherRecordings(t *testing.T) {
	one, two := at(t), at(t)
	rotated(t, one, Options{MaxBytes: 50_000})
	rotated(t, two, Options{MaxBytes: 50_000})
	_, err := Open(one, partName(two, 2))
	require.ErrorIs(t, err, ErrParts)
	_, err = Open(one, partName(one, 3))
	require.ErrorIs(t, err, ErrParts)
	_, err = Open(one, one)
	require.ErrorIs(t, err, ErrParts)
	_, err = Open(partName(one, 2), partName(one, 3))
	require.NoError(t, err)
}
