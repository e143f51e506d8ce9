package capture

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/clock"
)

// feeder is what a reactor is to a recorder.
type feeder struct {
	t    testing.TB
	tape *tape.Recorder
	n    int
}

func newFeeder(t testing.TB, r *Recorder) *feeder {
	t.Helper()
	_, err := r.Tape().Use("feed", clock.Monotonic{}, nil)
	require.NoError(t, err)
	return &feeder{t: t, tape: r.Tape()}
}

// message records a message of n bytes in a turn of its own.
func (f *feeder) message(n int) {
	f.n++
	f.tape.Turn(clock.Nano())
	b := make([]byte, n)
	copy(b, fmt.Sprint(f.n))
	f.tape.Message("orders", b)
}

func (f *feeder) end() { f.tape.End() }

func TestRecorder(t *testing.T) {
	path := at(t)
	r, err := Create(path, Options{})
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	before := time.Now()
	feed := newFeeder(t, r)
	for range 1000 {
		feed.message(100)
	}
	feed.end()
	<-r.done // the reactor's end is the file's
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())

	f := openAll(t, path)
	got := readAll(t, f)
	require.Len(t, got, 1002)
	require.Equal(t, tape.KindBegin, got[0].Kind)
	require.Equal(t, tape.KindEnd, got[1001].Kind)
	for i := range got {
		require.EqualValues(t, i+1, got[i].Seq)
	}
	i := f.Info()
	require.Equal(t, "feed", i.Reactor)
	require.Contains(t, i.Software, Software)
	require.WithinRange(t, i.Start, before.Add(-time.Second), time.Now().Add(time.Second))
	stats := r.Stats()
	require.EqualValues(t, 1002, stats.Records)
	require.EqualValues(t, 1, stats.Files)
	require.EqualValues(t, i.Files[0].Size, stats.Bytes)
	require.Equal(t, path, stats.File)
}

func TestRecorderOfNothing(t *testing.T) {
	path := at(t)
	r, err := Create(path, Options{})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Empty(t, readAll(t, openAll(t, path)))
}

// Close does not wait for a reactor that goes on.
func TestCloseBeforeTheReactor(t *testing.T) {
	path := at(t)
	r, err := Create(path, Options{})
	require.NoError(t, err)
	feed := newFeeder(t, r)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				feed.message(100)
			}
		}
	}()
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, r.Close())
	close(stop)
	<-stopped
	require.NotEmpty(t, readAll(t, openAll(t, path)))
}

func TestCreateErrors(t *testing.T) {
	dir := t.TempDir()
	taken := filepath.Join(dir, "taken.pcapng")
	require.NoError(t, os.WriteFile(taken, nil, 0o600))
	_, err := Create(taken, Options{})
	require.ErrorIs(t, err, os.ErrExist)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old-000002.pcapng"), nil, 0o600))
	_, err = Create(filepath.Join(dir, "old.pcapng"), Options{MaxBytes: 1000})
	require.ErrorContains(t, err, "old-000002.pcapng exists")
	_, err = Create(filepath.Join(dir, "none", "x.pcapng"), Options{})
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, o := range []Options{
		{MaxBytes: -1}, {MaxAge: -1}, {MaxFiles: -1}, {MaxFiles: 2}, {Sync: SyncEvery(-2)}, {Tape: tape.Config{Ring: 1}},
	} {
		_, err = Create(filepath.Join(dir, "new.pcapng"), o)
		require.ErrorContains(t, err, "of ")
	}
	require.NoFileExists(t, filepath.Join(dir, "new.pcapng"))
}

// The writer's steady state allocates nothing: reads and writes of any size, and
// records that have no packet.
func TestAllocsWriter(t *testing.T) {
	if raced {
		t.Skip("the race detector allocates")
	}
	m := newManual(t, at(t), Options{disk: discard{}, MinFree: -1})
	m.put(begin())
	m.put(session(1, tape.AboveTLS, "10.0.0.2:443")...)
	records := []tape.Record{
		frame(1, 200), frame(1, 60_000), {Kind: tape.KindRead, Conn: 1, Data: make([]byte, 200_000)},
		{Kind: tape.KindWrite, Conn: 1, Data: make([]byte, 300)},
		{Kind: tape.KindTurn}, {Kind: tape.KindMessage, Text: []byte("orders"), Data: make([]byte, 64)},
		{Kind: tape.KindClock, Conn: 1, Arg: 7}, {Kind: tape.KindFlush, Conn: 1},
	}
	next := func() {
		for i := range records {
			m.seq++
			records[i].Seq = m.seq
			m.take(&records[i])
		}
		m.clock.Advance(1e6)
		m.tick(false)
	}
	for range 1000 {
		next()
	}
	require.Zero(t, testing.AllocsPerRun(1000, next))
	m.end()
}

// discard is a disk that keeps nothing.
type discard struct{ system }

func (discard) create(string) (file, error) { return discardFile{}, nil }

type discardFile struct{}

func (discardFile) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (discardFile) Truncate(int64) error                   { return nil }
func (discardFile) Sync() error                            { return nil }
func (discardFile) Close() error                           { return nil }

func BenchmarkWriter(b *testing.B) {
	for _, size := range []int{200, 2000, 60_000} {
		for _, compress := range []bool{false, true} {
			b.Run(fmt.Sprintf("read=%d/zstd=%v", size, compress), func(b *testing.B) {
				r, err := create("x", Options{disk: discard{}, MinFree: -1, Compress: compress})
				require.NoError(b, err)
				close(r.done)
				e := newEncoder()
				for _, rec := range append([]tape.Record{begin()}, session(1, tape.AboveTLS, "10.0.0.2:443")...) {
					r.lastSeq = 0
					rec.Seq = 1
					r.take(&rec)
					e.record(&rec)
				}
				rec := frame(1, size)
				b.SetBytes(int64(len(rec.Data)))
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					rec.Seq = uint64(i + 2)
					r.take(&rec)
				}
			})
		}
	}
}
