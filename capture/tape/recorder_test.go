package tape

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
)

func newRecorder(t testing.TB, cfg Config) *Recorder {
	if cfg.Ring == 0 {
		cfg.Ring = MinRing
	}
	r, err := New(cfg)
	require.NoError(t, err)
	return r
}

// drain takes all that there is.
func drain(r *Recorder) (m Memory) {
	r.Drain(1<<30, false, m.Keep)
	return m
}

// kindsOf are the kinds of records.
func kindsOf(m Memory) (all []Kind) {
	for i := range m {
		all = append(all, m[i].Kind)
	}
	return all
}

// inOrder checks that no number is left out and none is twice.
func inOrder(t testing.TB, m Memory, first uint64) {
	for i := range m {
		require.Equal(t, first+uint64(i), m[i].Seq, "record %d of %d, %v", i, len(m), m[i].Kind)
	}
}

func TestConfigsThatCannotBe(t *testing.T) {
	for want, cfg := range map[string]Config{
		"Ring of 4194303 bytes is not in 4194304..1073741824":    {Ring: MinRing - 1},
		"Ring of 1073741825 bytes is not in 4194304..1073741824": {Ring: 1<<30 + 1},
		"Setup of -1 bytes is negative":                          {Setup: -1},
		"Secrets are for BelowTLS":                               {Secrets: true},
	} {
		_, err := New(cfg)
		require.ErrorContains(t, err, want)
	}
	r := newRecorder(t, Config{Ring: MinRing + 1})
	_, size := r.Backlog()
	require.Equal(t, 2*MinRing, size, "rounded up")
}

func TestARecorderIsForOneReactor(t *testing.T) {
	r := newRecorder(t, Config{})
	_, err := r.Use("one", clock.Monotonic{}, nil)
	require.NoError(t, err)
	_, err = r.Use("two", clock.Monotonic{}, nil)
	require.ErrorIs(t, err, ErrInUse)
	_, err = r.Bare("three")
	require.ErrorIs(t, err, ErrInUse)
	require.Len(t, drain(r), 1)
	require.Equal(t, "one", r.Name())
}

// Turns in which nothing happens leave nothing; those that do are numbered without a
// gap, and their records say when they began and went on.
func TestTurnsAreCountedWhenSomethingHappens(t *testing.T) {
	r := newRecorder(t, Config{})
	for now := int64(1); now <= 100; now++ {
		r.Turn(now * 1000)
		if now%10 == 0 {
			r.Mark()
			r.Mark() // once
			r.Park(now*1000 + 7)
			r.Stop()
		}
	}
	m := drain(r)
	inOrder(t, m, 1)
	require.Len(t, m, 20)
	for i := range m {
		turn := uint64(i/2 + 1)
		begin := int64(turn) * 10_000
		want := Record{Kind: KindTurn, Seq: uint64(i + 1), At: begin, Turn: turn, Begin: begin}
		if i%2 == 1 {
			want.Kind, want.Parked = KindStop, begin+7
		}
		require.Equal(t, want, m[i])
	}
}

// told sums what the records say of losses: records, and by connection bytes received
// and sent.
func told(m Memory) (records int64, in, out map[uint32]int64) {
	in, out = make(map[uint32]int64), make(map[uint32]int64)
	for i := range m {
		switch rec := &m[i]; {
		case rec.Kind != KindMissing:
		case rec.Conn == 0:
			records += rec.Arg
		default:
			in[rec.Conn] += rec.Arg
			out[rec.Conn] += rec.Arg2
		}
	}
	return records, in, out
}

// carried sums the bytes of each connection that the records have.
func carried(m Memory) (in, out map[uint32]int64) {
	in, out = make(map[uint32]int64), make(map[uint32]int64)
	for i := range m {
		switch rec := &m[i]; rec.Kind {
		case KindRead:
			in[rec.Conn] += int64(len(rec.Data))
		case KindWrite, KindControl:
			out[rec.Conn] += int64(len(rec.Data))
		}
	}
	return in, out
}

// When the ring is full records are lost at once and counted: the reactor does not
// wait. As soon as there is room the recording says at that place how many records,
// and of each connection how many bytes each way.
func TestAFullRingLosesAndSaysSo(t *testing.T) {
	r := newRecorder(t, Config{})
	one := r.Connect(0, "one", 1, 0, endpoint.Seams{})
	two := r.Connect(1, "two", 1, 0, endpoint.Seams{})
	one.Attach()
	two.Attach()
	data := make([]byte, 100_000)
	put := func(c *Conn, kind Kind, n int) bool {
		before := r.Lost()
		c.write(&Record{Kind: kind, Data: data[:n]})
		return r.Lost() == before
	}
	wrote := 0
	for put(two, KindRead, len(data)) {
		wrote++
	}
	require.Greater(t, wrote, 35)
	for r.put(&Record{Kind: KindTurn}) { // now really full
	}
	lost, in, out, other := 1, 0, 0, 0
	for i := range 1000 {
		require.False(t, put(one, KindRead, 5000+i))
		require.False(t, put(one, KindWrite, 5000))
		require.False(t, put(two, KindControl, 70_000+i))
		require.False(t, put(two, KindRead, 70_000))
		require.False(t, put(one, KindClock, 0))
		lost, in, out, other = lost+5, in+5000+i, out+5000, other+70_000+i
	}
	require.EqualValues(t, lost, r.Lost())

	before := drain(r)
	inOrder(t, before, 1)
	missing, _, _ := told(before)
	require.Zero(t, missing)
	r.Stop() // of no connection: says how many records
	require.True(t, put(two, KindRead, 3))
	require.True(t, put(one, KindWrite, 4))
	require.True(t, put(one, KindWrite, 5))
	got := drain(r)
	inOrder(t, got, uint64(len(before)+1))
	require.Equal(t, []Kind{KindMissing, KindStop, KindMissing, KindRead, KindMissing, KindWrite, KindWrite}, kindsOf(got))
	require.Equal(t, []int64{int64(lost), 0}, []int64{got[0].Arg, int64(got[0].Conn)})
	require.Equal(t, []int64{70_000*1000 + 100_000, int64(other), 2}, []int64{got[2].Arg, got[2].Arg2, int64(got[2].Conn)})
	require.Equal(t, []int64{int64(in), int64(out), 1}, []int64{got[4].Arg, got[4].Arg2, int64(got[4].Conn)})
	require.Equal(t, []int64{3, 4, 5}, []int64{int64(len(got[3].Data)), int64(len(got[5].Data)), int64(len(got[6].Data))})
	require.EqualValues(t, lost, r.Lost())
}

// With a drainer that now and then takes a little nothing is lost that is not told,
// and told nothing that is not lost: at each place of the recording the bytes before
// it and those told of are what was carried.
func TestLossesAreExactWhileTheDrainerIsLate(t *testing.T) {
	r := newRecorder(t, Config{Setup: 300_000})
	hot, setup := r.Connect(0, "hot", 1, 0, endpoint.Seams{}), r.Connect(0, "setup", 2, 0, endpoint.Seams{})
	hot.Attach()
	rng := rand.New(rand.NewPCG(7, 8))
	data := make([]byte, 400_000)
	in, out := make(map[uint32]int64), make(map[uint32]int64)
	records := int64(2) // Connect
	var m Memory
	for range 20_000 {
		c, most := hot, 400_000
		if rng.IntN(2) == 0 {
			c, most = setup, 30_000
		}
		n := rng.IntN(1 + rng.IntN(most))
		records++
		switch rng.IntN(3) {
		case 0:
			c.write(&Record{Kind: KindRead, Data: data[:n]})
			in[c.num] += int64(n)
		case 1:
			c.write(&Record{Kind: KindControl, Data: data[:n]})
			out[c.num] += int64(n)
		case 2:
			c.write(&Record{Kind: KindClock})
		}
		if rng.IntN(100) == 0 {
			r.Drain(rng.IntN(60), false, func(rec *Record) {
				m = append(m, Record{Kind: rec.Kind, Seq: rec.Seq, Conn: rec.Conn, Arg: rec.Arg, Arg2: rec.Arg2, Data: data[:len(rec.Data)]})
			})
		}
	}
	m = append(m, drain(r)...)
	hot.write(&Record{Kind: KindClock})
	setup.write(&Record{Kind: KindClock})
	m = append(m, drain(r)...)
	inOrder(t, m, 1)
	missing, lostIn, lostOut := told(m)
	gotIn, gotOut := carried(m)
	require.Positive(t, missing)
	require.EqualValues(t, r.Lost(), missing)
	said := int64(0)
	for i := range m {
		if m[i].Kind != KindMissing {
			said++
		}
	}
	require.Equal(t, records+2, said+missing)
	for _, num := range []uint32{1, 2} {
		require.Positive(t, lostIn[num])
		require.Positive(t, lostOut[num])
		require.Equal(t, in[num], gotIn[num]+lostIn[num])
		require.Equal(t, out[num], gotOut[num]+lostOut[num])
	}
}

// What nothing follows is said at the end: bytes of a connection when it is freed,
// records by the reactor's end.
func TestLossesAreSaidAtTheEnd(t *testing.T) {
	r := newRecorder(t, Config{})
	_, err := r.Use("r", clock.Monotonic{}, nil)
	require.NoError(t, err)
	c := r.Connect(0, "one", 1, 0, endpoint.Seams{})
	c.Attach()
	data := make([]byte, 500_000)
	for r.Lost() == 0 {
		c.write(&Record{Kind: KindRead, Data: data})
	}
	c.Detach()
	c.write(&Record{Kind: KindClose})
	r.End()
	c.write(&Record{Kind: KindClose}) // of a set-up that was left behind
	require.True(t, r.Ended())
	m := drain(r)
	inOrder(t, m, 1)
	last := m[len(m)-4:]
	require.Equal(t, []Kind{KindMissing, KindClose, KindMissing, KindEnd}, kindsOf(last))
	require.Equal(t, []int64{500_000, 1}, []int64{last[0].Arg, int64(last[0].Conn)})
	require.Equal(t, []int64{1, 0}, []int64{last[2].Arg, int64(last[2].Conn)})
}

// The side of the set-ups is bounded as well; how the recording begins and ends is
// not subject to it.
func TestSetupsAreBounded(t *testing.T) {
	const bound = 100_000
	r := newRecorder(t, Config{Setup: bound})
	_, err := r.Use("r", clock.Monotonic{}, nil)
	require.NoError(t, err)
	c := r.Connect(0, "one", 1, 0, endpoint.Seams{})
	data := make([]byte, 999)
	const tries = 500
	sent := int64(0)
	for i := range tries {
		c.write(&Record{Kind: KindRead, Data: data[:900+i%2]})
		sent += int64(900 + i%2)
	}
	require.LessOrEqual(t, len(r.setup), bound+HeaderSize+lengthSize)
	require.Greater(t, len(r.setup), bound-2*HeaderSize)
	m := drain(r)
	c.write(&Record{Kind: KindWrite, Data: []byte("x")})
	r.End()
	m = append(m, drain(r)...)
	inOrder(t, m, 1)
	require.Equal(t, []Kind{KindMissing, KindMissing, KindWrite, KindEnd}, kindsOf(m[len(m)-4:]))
	missing, in, _ := told(m)
	got, _ := carried(m)
	require.EqualValues(t, r.Lost(), missing)
	require.Equal(t, sent, in[1]+got[1])
	require.Greater(t, got[1], int64(bound*8/10))

	tiny := newRecorder(t, Config{Setup: 1})
	_, err = tiny.Use("r", clock.Monotonic{}, nil)
	require.NoError(t, err)
	tiny.End()
	require.Equal(t, []Kind{KindBegin, KindEnd}, kindsOf(drain(tiny)))
}

// One goroutine for the reactor and eight for set-ups record as fast as they can: the
// drainer hands out each record once, by its number, and those of each goroutine in
// the order in which it made them.
func TestRecordsComeOutInTheOrderInWhichTheyHappened(t *testing.T) {
	const setups, each = 8, 4000
	r := newRecorder(t, Config{Setup: 4 << 20})
	hot := r.Connect(0, "hot", 1, 0, endpoint.Seams{})
	hot.Attach()
	var all sync.WaitGroup
	var done atomic.Bool
	payload := make([]byte, 3000)
	all.Go(func() {
		for i := range int64(4 * each) {
			r.Turn(i)
			hot.write(&Record{Kind: KindRead, Arg: i, Data: payload[:i%3000]})
			if b, size := r.Backlog(); b > size/2 {
				runtime.Gosched()
			}
		}
	})
	for s := range setups {
		c := &Conn{rec: r, num: uint32(s + 2)}
		all.Go(func() {
			for i := range int64(each) {
				c.write(&Record{Kind: KindRead, Arg: i, Data: payload[:i%100]})
				if i%64 == 0 {
					time.Sleep(time.Microsecond)
				}
			}
		})
	}
	go func() {
		all.Wait()
		done.Store(true)
	}()
	next := make(map[uint32]int64)
	seq, records, lost := uint64(1), 0, int64(0)
	check := func(rec *Record) {
		require.Equal(t, seq, rec.Seq)
		seq++
		switch rec.Kind {
		case KindMissing:
			if rec.Conn == 0 {
				lost += rec.Arg
			}
		case KindRead:
			records++
			require.GreaterOrEqual(t, rec.Arg, next[rec.Conn], "conn %d", rec.Conn)
			next[rec.Conn] = rec.Arg + 1
			if rec.Conn == 1 {
				require.Len(t, rec.Data, int(rec.Arg%3000))
				require.Equal(t, rec.Arg, rec.Begin)
			} else {
				require.Len(t, rec.Data, int(rec.Arg%100))
			}
		}
	}
	for last := false; !last; {
		last = done.Load()
		for r.Drain(100, false, check) == 100 {
		}
		runtime.Gosched()
	}
	if r.missing > 0 { // nothing came after them
		lost += r.missing
	}
	if r.absent > 0 {
		lost += r.absent
	}
	require.EqualValues(t, r.Lost(), lost)
	require.Equal(t, (setups+4)*each, records+int(lost))
	require.Equal(t, r.seq.Load(), seq-1)
}

// A record that was numbered and never published holds the drainer up, as its number
// is the next; at the very end what lies behind it still comes out.
func TestAProducerThatDiedDoesNotHoldUpTheEnd(t *testing.T) {
	r := newRecorder(t, Config{})
	note := func(arg int64, aside bool) {
		rec := &Record{Kind: KindClock, Arg: arg}
		if aside {
			r.aside(rec)
		} else {
			r.hot(rec)
		}
	}
	note(1, false)
	r.seq.Add(1) // between taking a number and publishing it
	note(2, true)
	note(3, false)
	r.seq.Add(1)
	note(4, false)
	note(5, true)
	var args []int64
	keep := func(rec *Record) { args = append(args, rec.Arg) }
	require.Equal(t, 1, r.Drain(10, false, keep))
	require.Zero(t, r.Drain(10, false, keep), "more may come")
	require.Equal(t, 2, r.Drain(2, true, keep))
	require.Equal(t, 2, r.Drain(10, true, keep))
	require.Zero(t, r.Drain(10, true, keep))
	require.Equal(t, []int64{1, 2, 3, 4, 5}, args)
}

func TestDrainStopsAtItsLimit(t *testing.T) {
	r := newRecorder(t, Config{})
	for i := range 10 {
		if i%3 == 0 {
			r.aside(&Record{Kind: KindEnter})
		} else {
			r.hot(&Record{Kind: KindStop})
		}
	}
	var m Memory
	require.Equal(t, 4, r.Drain(4, false, m.Keep))
	require.Equal(t, 6, r.Drain(100, false, m.Keep))
	require.Zero(t, r.Drain(0, false, m.Keep))
	inOrder(t, m, 1)
}

// Memory that many set-ups needed at once is not kept for ever.
func TestMemoryOfSetupsIsGivenBack(t *testing.T) {
	r := newRecorder(t, Config{})
	big := make([]byte, 300_000)
	for range 3 {
		for range 10 {
			r.aside(&Record{Kind: KindRead, Data: big})
		}
		require.Len(t, drain(r), 10)
	}
	require.Zero(t, r.Lost())
	for range 3 {
		r.aside(&Record{Kind: KindEnter})
		require.Len(t, drain(r), 1)
	}
	require.LessOrEqual(t, cap(r.setup)+cap(r.taken), 2*keepSetup)
}

// Messages, long ways among them, cost the reactor no allocation; one that no record
// can hold is lost and counted.
func TestMessagesAreRecorded(t *testing.T) {
	r := newRecorder(t, Config{})
	way := fmt.Sprintf("link from %040d to %040d for a.Type", 1, 2)
	message := []byte("message")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r.Turn(5)
		r.Message(way, message)
		r.Endpoint(KindCall, 3, way, 0)
	}))
	m := drain(r)
	require.Equal(t, []string{way, "message"}, []string{string(m[0].Text), string(m[0].Data)})
	require.Equal(t, []string{way, "3"}, []string{string(m[1].Text), fmt.Sprint(m[1].Slot)})
	r.Message(way, make([]byte, MinRing/8))
	r.Message(way, message)
	m = drain(r)
	require.Equal(t, []Kind{KindMissing, KindMessage}, kindsOf(m))
	require.EqualValues(t, 1, m[0].Arg)
}

// Begin says what the others are relative to.
func TestTheBeginningSaysHowTheClocksDiffer(t *testing.T) {
	r := newRecorder(t, Config{})
	c := clock.NewManual(12345)
	seed, err := r.Use("name", c, nil)
	require.NoError(t, err)
	m := drain(r)
	require.Len(t, m, 1)
	require.Equal(t, KindBegin, m[0].Kind)
	require.Equal(t, Setup, m[0].Flags)
	require.Equal(t, "name", string(m[0].Text))
	require.Equal(t, seed[:], m[0].Data)
	require.NotEqual(t, [32]byte{}, seed)
	require.EqualValues(t, 12345, m[0].At)
	require.InDelta(t, float64(time.Now().UnixNano()), float64(m[0].Arg+12345), float64(10*time.Minute))
}
