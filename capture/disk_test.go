package capture

import (
	"errors"
	"math"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// faulty is a disk that does what a test says.
type faulty struct {
	system
	mu    sync.Mutex
	room  int64         // so many bytes may still be written, then ENOSPC
	fail  error         // the next call of anything fails with it, once
	cut   error         // the next Truncate fails with it, once
	gate  chan struct{} // writes wait for it; nil: they do not
	avail int64         // what free says
	syncs int
	slow  func() // called before each write
}

func newFaulty() *faulty { return &faulty{room: math.MaxInt64, avail: math.MaxInt64} }

func (d *faulty) set(do func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	do()
}

func (d *faulty) once() error {
	err := d.fail
	d.fail = nil
	return err
}

func (d *faulty) create(path string) (file, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.once(); err != nil {
		return nil, err
	}
	f, err := d.system.create(path)
	if err != nil {
		return nil, err
	}
	return &faultyFile{f, d}, nil
}

func (d *faulty) free(string) (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.avail, nil
}

type faultyFile struct {
	file
	d *faulty
}

func (f *faultyFile) WriteAt(p []byte, at int64) (int, error) {
	d := f.d
	d.mu.Lock()
	gate, slow := d.gate, d.slow
	d.mu.Unlock()
	if slow != nil {
		slow()
	}
	if gate != nil {
		<-gate
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.once(); err != nil {
		n, _ := f.file.WriteAt(p[:len(p)/2], at)
		return n, err
	}
	if int64(len(p)) > d.room {
		n, _ := f.file.WriteAt(p[:d.room], at)
		d.room -= int64(n)
		return n, syscall.ENOSPC
	}
	d.room -= int64(len(p))
	return f.file.WriteAt(p, at)
}

func (f *faultyFile) Truncate(size int64) error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if err := f.d.cut; err != nil {
		f.d.cut = nil
		return err
	}
	return f.file.Truncate(size)
}

func (f *faultyFile) Sync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	f.d.syncs++
	return nil
}

// reports keeps what a recorder reports.
type reports []Trouble

func (r *reports) add(err error) {
	var t *Trouble
	if errors.As(err, &t) {
		*r = append(*r, *t)
	}
}

// accounts adds up what records say: bytes read and written, with those that are
// missing, and how many records there are, with those that are missing.
func accounts(m tape.Memory) (in, out, records int64) {
	for i := range m {
		r := &m[i]
		in1, out1 := bytesOf(r)
		if r.Kind == tape.KindMissing && r.Conn == 0 {
			records += r.Arg
			continue
		}
		in, out, records = in+in1, out+out1, records+1
	}
	return in, out, records
}

// outages makes a recorder lose what it gets while do has broken the disk, and checks
// that the file says so and is whole at any time.
func outages(t *testing.T, o Options, do, undo func(*faulty), want error) {
	path := at(t)
	d := newFaulty()
	var told reports
	o.disk, o.Report = d, told.add
	m := newManual(t, path, o)
	if o.Compress {
		path += zstdSuffix
	}
	var in, out, count int64
	put := func(r tape.Record) {
		r.At = 1000 + m.clock.Now()
		m.put(r)
		a, b := bytesOf(&r)
		in, out, count = in+a, out+b, count+1
	}
	turn := func() {
		m.clock.Advance(2 * time.Second)
		m.tick(true)
	}
	whole := func() { // what is there can be read, whatever the disk has done
		t.Helper()
		f, err := Open(path)
		require.NoError(t, err)
		_, err = readSome(f)
		require.NoError(t, err)
	}
	put(begin())
	for _, r := range session(1, tape.AboveTLS, "10.0.0.2:443") {
		put(r)
	}
	for range 100 {
		put(frame(1, 500))
	}
	turn()
	whole()

	do(d)
	put(frame(1, 500)) // kept until there is room
	turn()
	require.ErrorIs(t, m.Stats().Err, want)
	require.Len(t, told, 1)
	require.ErrorIs(t, &told[0], want)
	whole()
	for _, r := range session(2, tape.Plain, "10.0.0.3:80") { // begins meanwhile, and stands
		put(r)
	}
	for range 100 {
		put(frame(1, 700))
		put(frame(2, 10))
		put(tape.Record{Kind: tape.KindWrite, Conn: 2, Data: []byte("ping")})
	}
	turn()
	turn()
	require.Len(t, told, 1, "told once")
	whole()
	lost := m.Stats().Full
	require.EqualValues(t, 307, lost.Records)
	require.Greater(t, lost.Bytes, uint64(100*714))

	undo(d)
	turn()
	require.NoError(t, m.Stats().Err)
	require.Len(t, told, 2)
	require.True(t, told[1].Over)
	require.Equal(t, lost, Loss{told[1].Records, told[1].Bytes})
	for range 10 {
		put(frame(1, 100))
		put(frame(2, 100))
	}
	m.end()

	got := readAll(t, openAll(t, path))
	var gotIn, gotOut, gotCount = accounts(got)
	require.Equal(t, in, gotIn, "received")
	require.Equal(t, out, gotOut, "sent")
	missing := 0
	for i := range got {
		r := &got[i]
		if r.Kind == tape.KindMissing && r.Conn != 0 {
			missing++
		}
		if i > 0 {
			require.Greater(t, r.Seq, got[i-1].Seq)
		}
	}
	require.Equal(t, 2, missing)
	require.Equal(t, count, gotCount, "records")
	kinds := make(map[tape.Kind]int)
	for i := range got {
		kinds[got[i].Kind]++
	}
	require.Equal(t, 2, kinds[tape.KindConnect], "the one that began meanwhile is restated")
	require.Equal(t, 2, kinds[tape.KindDialed])
}

func TestDiskFull(t *testing.T) {
	for _, compress := range []bool{false, true} {
		for _, room := range []int64{0, 1, 50, 90} { // in the middle of a block
			outages(t, Options{Compress: compress},
				func(d *faulty) { d.set(func() { d.room = room }) },
				func(d *faulty) { d.set(func() { d.room = math.MaxInt64 }) }, syscall.ENOSPC)
		}
	}
}

func TestMinFree(t *testing.T) {
	outages(t, Options{MinFree: 1000},
		func(d *faulty) { d.set(func() { d.avail = 999 }) },
		func(d *faulty) { d.set(func() { d.avail = 1000 }) }, ErrFree)
}

// A disk that fails once costs nothing: what it did not take is tried again.
func TestDiskErrorOnce(t *testing.T) {
	for _, cutFails := range []bool{false, true} {
		path := at(t)
		d := newFaulty()
		var told reports
		m := newManual(t, path, Options{disk: d, Report: told.add})
		m.put(begin())
		m.put(session(1, tape.Plain, "10.0.0.2:80")...)
		m.clock.Advance(time.Second)
		m.tick(true)
		m.put(frame(1, 5000))
		d.fail = syscall.EIO
		if cutFails {
			d.cut = syscall.EIO // and half a block stays behind until the next try
		}
		m.clock.Advance(time.Second)
		m.tick(true)
		require.ErrorIs(t, m.Stats().Err, syscall.EIO)
		f, err := Open(path)
		require.NoError(t, err)
		if _, err = readSome(f); cutFails {
			require.ErrorIs(t, err, ErrTruncated)
		} else {
			require.NoError(t, err)
		}
		m.clock.Advance(time.Second)
		m.tick(true)
		require.NoError(t, m.Stats().Err)
		m.end()
		require.Len(t, told, 2)
		require.Zero(t, told[1].Records)
		got := readAll(t, openAll(t, path))
		require.Len(t, got, 9)
		require.Len(t, got[8].Data, 5004)
	}
}

// When the disk is still broken in the end, Close says so, and the file is whole.
func TestDiskBrokenAtTheEnd(t *testing.T) {
	path := at(t)
	d := newFaulty()
	m := newManual(t, path, Options{disk: d})
	m.put(begin())
	m.clock.Advance(2 * time.Second)
	m.tick(true)
	d.room = 10
	m.put(session(1, tape.Plain, "10.0.0.2:80")...)
	m.clock.Advance(2 * time.Second)
	m.tick(true)
	m.put(frame(1, 100))
	err := m.finish()
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, "1 records with 104 bytes")
	require.Len(t, readAll(t, openAll(t, path)), 1)
}

// A next file that cannot be made is waited for like any other trouble.
func TestNextFileFails(t *testing.T) {
	path := at(t)
	d := newFaulty()
	m := newManual(t, path, Options{disk: d, MaxBytes: 3000})
	m.put(begin())
	m.put(session(1, tape.Plain, "10.0.0.2:80")...)
	m.put(frame(1, 3000))
	require.Equal(t, 1, m.Stats().Files)
	d.fail = syscall.EMFILE
	m.put(frame(1, 3000))
	require.ErrorIs(t, m.Stats().Err, syscall.EMFILE)
	m.put(frame(1, 100))
	m.clock.Advance(2 * time.Second)
	m.tick(true)
	require.NoError(t, m.Stats().Err)
	m.put(frame(1, 200))
	m.end()
	in, _, _ := accounts(readAll(t, openAll(t, path)))
	require.EqualValues(t, len(session(1, "", "[::]:1")[4].Data)+2*3004+104+204, in)
}

// A disk that hangs holds up the writer, and nobody else: the ring counts.
func TestDiskHangs(t *testing.T) {
	path := at(t)
	d := newFaulty()
	gate := make(chan struct{})
	d.gate = gate
	var mu sync.Mutex
	var told reports
	r, err := Create(path, Options{disk: d, Tape: tape.Config{Ring: tape.MinRing}, Report: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told.add(err)
	}})
	require.NoError(t, err)
	feed := newFeeder(t, r)
	for range 3000 { // 6 MB into a ring of 4
		feed.message(2000)
	}
	require.NotZero(t, r.tape.Lost())
	close(gate)
	feed.end()
	require.NoError(t, r.Close())
	got := readAll(t, openAll(t, path))
	var lost int64
	messages := 0
	for i := range got {
		switch got[i].Kind {
		case tape.KindMissing:
			lost += got[i].Arg
		case tape.KindMessage:
			messages++
		}
	}
	require.EqualValues(t, 3000, messages+int(lost)+int(r.tape.Lost())-int(lost))
	mu.Lock()
	defer mu.Unlock()
	require.True(t, len(told) > 0 && errors.Is(&told[0], ErrBehind), "%v", told)
	require.EqualValues(t, r.tape.Lost(), r.Stats().Ring)
}

func TestSlowDiskIsReported(t *testing.T) {
	path := at(t)
	d := newFaulty()
	var told reports
	m := newManual(t, path, Options{disk: d, Report: told.add})
	d.slow = func() { m.clock.Advance(3 * time.Second) }
	m.put(begin())
	for range 3 {
		m.put(tape.Record{Kind: tape.KindTurn})
		m.clock.Advance(2 * time.Second)
		m.tick(true)
	}
	require.Len(t, told, 1)
	require.ErrorIs(t, &told[0], ErrSlow)
	d.slow = nil
	m.put(tape.Record{Kind: tape.KindTurn})
	m.clock.Advance(2 * time.Second)
	m.tick(true)
	m.end()
	require.Len(t, told, 2)
	require.True(t, told[1].Over)
}

func TestSync(t *testing.T) {
	for policy, want := range map[SyncPolicy]int{SyncNever: 0, SyncFile: 1, SyncEvery(time.Second): 4} {
		d := newFaulty()
		m := newManual(t, at(t), Options{disk: d, Sync: policy})
		m.put(begin())
		for range 3 {
			m.put(tape.Record{Kind: tape.KindTurn})
			m.clock.Advance(1100 * time.Millisecond)
			m.tick(true)
		}
		m.end()
		require.Equal(t, want, d.syncs)
	}
}
