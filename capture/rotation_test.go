package capture

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
)

func TestNames(t *testing.T) {
	for _, c := range [][3]string{
		{"feed.pcapng", "feed", ".pcapng"},
		{"a.b/feed.pcapng.zst", "a.b/feed", ".pcapng.zst"},
		{"feed.zst", "feed", ".zst"},
		{"feed.pcapng.gz", "feed", ".pcapng.gz"},
		{"feed", "feed", ""},
	} {
		stem, ext := splitName(c[0])
		require.Equal(t, c[1:], []string{stem, ext})
	}
	require.Equal(t, "feed.pcapng", partName("feed.pcapng", 1))
	require.Equal(t, "feed-000002.pcapng.zst", partName("feed.pcapng.zst", 2))
	require.Equal(t, "feed-1000000.pcapng", partName("feed.pcapng", 1_000_000))
}

func TestParts(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "feed.pcapng")
	_, err := Parts(path)
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, name := range []string{"feed-1000000.pcapng", "feed-000002.pcapng", "feed-999999.pcapng", "feed-2.pcapng",
		"feed-00000x.pcapng", "feed-000003.pcapng.zst", "feeder-000002.pcapng"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	want := []string{"feed-000002.pcapng", "feed-999999.pcapng", "feed-1000000.pcapng"}
	for _, first := range []bool{false, true} {
		if first {
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			want = append([]string{"feed.pcapng"}, want...)
		}
		found, err := Parts(path)
		require.NoError(t, err)
		require.Len(t, found, len(want))
		for i := range want {
			require.Equal(t, want[i], filepath.Base(found[i]))
		}
	}
}

// rotated is a recording of a few files in which connections and endpoints come and
// go.
func rotated(t *testing.T, path string, o Options) (want tape.Memory) {
	m := newManual(t, path, o)
	put := func(records ...tape.Record) {
		for _, r := range records {
			r.At = m.clock.Now()
			m.put(r)
			r.Seq = m.seq
			want.Keep(&r)
		}
		m.clock.Advance(10 * time.Millisecond)
		m.tick(true)
	}
	put(begin())
	put(tape.Record{Kind: tape.KindRegister, Slot: 1, Text: []byte("quotes")}, tape.Record{Kind: tape.KindRegister, Slot: 2, Text: []byte("gone")})
	put(session(1, tape.AboveTLS, "10.0.0.2:443")...)
	put(session(2, tape.Plain, "[2001:db8::1]:9000")...)
	put(session(3, tape.Plain, "10.0.0.4:80")...)
	for i := range 300 {
		put(frame(1, 300), frame(2, 50), tape.Record{Kind: tape.KindWrite, Conn: 2, Data: []byte("ping")})
		if i == 100 {
			put(tape.Record{Kind: tape.KindDeregister, Slot: 2}, tape.Record{Kind: tape.KindLost, Conn: 3, Text: []byte("peer closed")}, tape.Record{Kind: tape.KindClose, Conn: 3})
		}
	}
	put(tape.Record{Kind: tape.KindEnd})
	m.end()
	return want
}

func TestRotationBySize(t *testing.T) {
	path := at(t)
	want := rotated(t, path, Options{MaxBytes: 50_000})
	parts, err := Parts(path)
	require.NoError(t, err)
	require.Greater(t, len(parts), 3)
	for _, p := range parts {
		info, err := os.Stat(p)
		require.NoError(t, err)
		require.Less(t, info.Size(), int64(53_000))
		require.EqualValues(t, 0o600, info.Mode().Perm())
	}
	parts[0], parts[2] = parts[2], parts[0] // any order
	f, err := Open(parts...)
	require.NoError(t, err)
	require.Equal(t, want, readAll(t, f))
	for i, file := range f.Info().Files {
		require.Equal(t, i+1, file.Part)
	}
}

// Each file opens alone, and begins with what stands.
func TestEachFileOpensAlone(t *testing.T) {
	path := at(t)
	want := rotated(t, path, Options{MaxBytes: 50_000})
	parts, err := Parts(path)
	require.NoError(t, err)
	var together tape.Memory
	for i, p := range parts {
		f, err := Open(p)
		require.NoError(t, err)
		require.Equal(t, "feed", f.Info().Reactor)
		got := readAll(t, f)
		require.Equal(t, want[0], got[0], "the begin")
		names := make(map[string]int)
		for k := range got {
			switch got[k].Kind {
			case tape.KindConnect, tape.KindDialed:
				names[string(got[k].Kind.String())]++
			case tape.KindRegister:
				names[string(got[k].Text)]++
			}
		}
		require.Equal(t, 1, names["quotes"])
		if last := i == len(parts)-1; last {
			require.Equal(t, 2, names["connect"])
			require.Equal(t, 2, names["dialed"])
			require.Zero(t, names["gone"])
		}
		for k := range got { // what is not restated is all there is
			if len(together) == 0 || got[k].Seq > together[len(together)-1].Seq {
				together = append(together, got[k])
			}
		}
	}
	require.Equal(t, want, together)
}

func TestRotationByAge(t *testing.T) {
	path := at(t)
	want := rotated(t, path, Options{MaxAge: time.Second})
	f := openAll(t, path)
	require.Equal(t, want, readAll(t, f))
	files := f.Info().Files
	require.GreaterOrEqual(t, len(files), 3)
	for i := range files[1:] {
		d := files[i+1].Start.Sub(files[i].Start)
		require.GreaterOrEqual(t, d, time.Second)
		require.Less(t, d, 1100*time.Millisecond)
	}
}

func TestMaxFiles(t *testing.T) {
	path := at(t)
	want := rotated(t, path, Options{MaxBytes: 20_000, MaxFiles: 3})
	parts, err := Parts(path)
	require.NoError(t, err)
	require.Len(t, parts, 3)
	require.NoFileExists(t, path)
	got := readAll(t, openAll(t, path))
	require.Equal(t, want[0], got[0])
	require.Equal(t, want[len(want)-100:], got[len(got)-100:])
}

// A name that somebody else has taken meanwhile is passed over, and nothing of theirs
// is touched.
func TestTakenName(t *testing.T) {
	path := at(t)
	m := newManual(t, path, Options{MaxBytes: 1000})
	m.put(begin())
	require.NoError(t, os.WriteFile(partName(path, 2), []byte("theirs"), 0o600))
	for range 10 {
		m.put(frame(1, 1000))
	}
	m.end()
	theirs, err := os.ReadFile(partName(path, 2))
	require.NoError(t, err)
	require.Equal(t, "theirs", string(theirs))
	_, err = Open(path, partName(path, 3))
	require.NoError(t, err)
}

// Times follow the wall clock when it is set forward, and never go back in a file.
func TestWallClockIsSet(t *testing.T) {
	path := at(t)
	const start = int64(1_700_000_000e9)
	wall := start
	m := newManual(t, path, Options{MaxBytes: 1 << 20, wall: func() int64 { return wall }})
	b := begin()
	b.Arg = start + 77 // the recorder's clock is not the machine's
	m.put(b)
	put := func() {
		m.clock.Advance(2 * time.Second)
		m.tick(true)
		r := frame(1, 10)
		r.At = m.clock.Now()
		m.put(r)
	}
	put()
	wall += 500_000 // noise
	put()
	wall += int64(time.Hour)
	put()
	wall -= int64(2 * time.Hour)
	put()
	put()
	m.rotateNow()
	put()
	m.end()

	var times []time.Duration // from what the recorder's clock says
	r, err := openAll(t, path).Read()
	require.NoError(t, err)
	defer r.Close()
	for {
		rec, err := r.Next()
		if err != nil {
			break
		}
		if rec.Kind == tape.KindRead {
			times = append(times, r.Wall().Sub(time.Unix(0, rec.At+start+77)).Round(10*time.Millisecond))
		}
	}
	require.Equal(t, []time.Duration{0, 0, time.Hour, time.Hour, time.Hour, -time.Hour}, times)
	require.Equal(t, 2, countComments(t, "the wall clock was set ", path))
}

// rotateNow ends the file.
func (m *manual) rotateNow() {
	m.flush(true)
	m.rotate()
}
