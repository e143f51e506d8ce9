package jitter

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
)

// fakeSource is a source that is moved by hand. Each reading of the clock takes a
// nanosecond, looking takes as long as it says.
type fakeSource struct {
	clock    *clock.Manual
	counters Counters
	beneath  Beneath
	hidden   bool // no Beneath
	reads    int
	deep     int
}

const (
	readCost = 2 * time.Microsecond
	deepCost = 50 * time.Microsecond
)

func newFake() *fakeSource { return &fakeSource{clock: clock.NewManual(1000)} }

func (f *fakeSource) Now() int64 { return f.clock.Advance(1) }

func (f *fakeSource) Read(c *Counters) {
	f.reads++
	f.clock.Advance(readCost)
	*c = f.counters
}

func (f *fakeSource) ReadBeneath(b *Beneath) bool {
	f.deep++
	f.clock.Advance(deepCost)
	*b = f.beneath
	return !f.hidden
}

// watchFake is a detector at work.
func watchFake(f *fakeSource, warmUp time.Duration) *Detector {
	d := newDetector(f, 3*time.Microsecond, warmUp)
	d.start()
	return d
}

func TestCauses(t *testing.T) {
	for _, c := range []struct {
		name string
		move func(*fakeSource)
		want Cause
	}{
		{"collection", func(f *fakeSource) { f.counters.Voluntary++; f.counters.GCStops += 2 }, GCStop},
		{"collection that took the P", func(f *fakeSource) { f.counters.P = 3; f.counters.GCStops++ }, GCStop},
		{"collection that stopped others only", func(f *fakeSource) { f.counters.GCStops++; f.beneath.Interrupts++ }, Interrupt},
		{"stop for a profile", func(f *fakeSource) { f.counters.Voluntary++; f.counters.OtherStops++ }, OtherStop},
		{"Go's scheduler", func(f *fakeSource) { f.counters.Voluntary++ }, Switch},
		{"Go's scheduler, and another CPU", func(f *fakeSource) { f.counters.Voluntary++; f.counters.CPU = 1 }, Switch},
		{"another P", func(f *fakeSource) { f.counters.P = 1 }, ChangeOfP},
		{"another thread, for so long that the P was taken", func(f *fakeSource) { f.counters.P = 1; f.counters.Involuntary++ }, Preemption},
		{"another thread, then Go's scheduler", func(f *fakeSource) { f.counters.Voluntary++; f.counters.Involuntary++ }, Switch},
		{"another CPU", func(f *fakeSource) { f.counters.CPU = 1; f.counters.Involuntary++ }, Migration},
		{"another thread", func(f *fakeSource) { f.counters.Involuntary++; f.beneath.Interrupts++ }, Preemption},
		{"signal", func(f *fakeSource) { f.counters.Signals++ }, Signal},
		{"preemption by a signal", func(f *fakeSource) { f.counters.Signals++; f.counters.Voluntary++ }, Switch},
		{"page fault", func(f *fakeSource) { f.counters.Faults++ }, PageFault},
		{"timer", func(f *fakeSource) { f.beneath.Interrupts++ }, Interrupt},
		{"host", func(f *fakeSource) { f.beneath.Steal++ }, Interrupt},
		{"nothing", func(*fakeSource) {}, Unknown},
		{"nothing that can be seen", func(f *fakeSource) { f.hidden = true }, Unknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake()
			d := watchFake(f, 0)
			d.Step()
			c.move(f)
			f.clock.Advance(40 * time.Microsecond)
			d.Step()
			d.Step()
			r := d.report()
			if f.hidden {
				c.want = Interrupt // nothing says that there was none
			}
			require.Len(t, r.Causes, 1)
			require.Equal(t, CauseCount{c.want, c.want <= Signal, 1, 40001, 40001}, r.Causes[0])
			require.Equal(t, r.Causes[0], r.Of(c.want))
			goMade, others := r.GoMade(), r.Others()
			require.Equal(t, int64(1), goMade.Count+others.Count)
			require.Equal(t, c.want.GoMade(), goMade.Count == 1)
		})
	}
}

// Counters that are hidden from the start are no evidence that nothing happened.
func TestWithoutProc(t *testing.T) {
	f := newFake()
	f.hidden = true
	d := watchFake(f, 0)
	for range 3 {
		f.clock.Advance(10 * time.Microsecond)
		d.Step()
	}
	require.Equal(t, int64(3), d.report().Of(Interrupt).Count)
	require.Equal(t, 1, f.deep, "not asked again")
}

// What moves while nothing is missing is forgotten after a millisecond: it is not
// the cause of a later gap.
func TestOldCountersAreNotBlamed(t *testing.T) {
	f := newFake()
	d := watchFake(f, 0)
	f.counters.Voluntary++ // a switch too short to be a gap
	f.counters.GCStops++
	for range 1200 {
		f.clock.Advance(time.Microsecond)
		d.Step()
	}
	require.Equal(t, int64(1), d.report().Unseen)
	f.beneath.Interrupts++
	f.clock.Advance(5 * time.Microsecond)
	d.Step()
	require.Equal(t, []CauseCount{{Interrupt, false, 1, 5001, 5001}}, d.report().Causes)

	f.counters.P = 1 // while it waits, and over before it is due
	for range 3 {
		due := d.last + int64(time.Millisecond)
		f.clock.Advance(time.Millisecond)
		d.Wake(due)
	}
	require.Equal(t, int64(2), d.report().Unseen)
	f.counters.Voluntary += 3
	f.clock.Advance(time.Millisecond)
	d.Step() // this one is a gap
	require.Equal(t, int64(2), d.report().Unseen)
	require.Equal(t, int64(1), d.report().Of(Switch).Count)
}

// Looking is neither a gap nor part of the time watched.
func TestLookingIsNotCounted(t *testing.T) {
	f := newFake()
	d := watchFake(f, 0)
	begun := d.begin
	for range 5000 {
		f.clock.Advance(time.Microsecond)
		d.Step()
	}
	r := d.report()
	require.Empty(t, r.Causes)
	require.Equal(t, int64(5000), r.Steps)
	looks := int64(f.reads - 1)
	require.GreaterOrEqual(t, looks, int64(4))
	require.Equal(t, looks*int64(readCost+1), r.Looking)
	require.Equal(t, d.last-begun, r.Watched+r.Looking)
	require.Equal(t, 5000*int64(time.Microsecond+1), r.Watched)

	f.clock.Advance(8 * time.Microsecond) // a gap, whose look takes 54 µs and more
	d.Step()
	d.Step()
	r = d.report()
	require.Len(t, r.Causes, 1)
	require.Equal(t, int64(8001), r.Causes[0].Total)
}

// Reading what is beneath takes a tenth of the time at most.
func TestBeneathIsReadSeldom(t *testing.T) {
	f := newFake()
	d := watchFake(f, 0)
	const gaps = 1000
	for range gaps {
		f.clock.Advance(10 * time.Microsecond)
		d.Step()
	}
	passed := time.Duration(d.last - d.begin)
	require.LessOrEqual(t, time.Duration(f.deep-2)*deepCost, passed/beneathShare)
	require.Greater(t, f.deep, 5)
	r := d.report()
	require.Equal(t, int64(gaps), r.Of(Unknown).Count+r.Of(Interrupt).Count)
	require.Equal(t, int64(f.deep-1), r.Of(Unknown).Count, "only a look can say that nothing was counted")
}

func TestWarmUp(t *testing.T) {
	f := newFake()
	d := watchFake(f, 10*time.Millisecond)
	for range 100 {
		f.clock.Advance(10 * time.Microsecond)
		d.Step()
	}
	for d.last < d.begin {
		d.Step()
	}
	require.Empty(t, d.report().Causes)
	require.Zero(t, d.report().Looking)
	f.clock.Advance(10 * time.Microsecond)
	at := d.last - d.begin
	d.Step()
	r := d.report()
	require.Equal(t, []Gap{{At: at, Length: 10001, Cause: Unknown}}, r.Longest)
}

// A loop that waits sees a gap by coming back late.
func TestWake(t *testing.T) {
	f := newFake()
	d := watchFake(f, 0)
	for _, late := range []time.Duration{-time.Microsecond, 0, 2 * time.Microsecond} {
		due := d.last + 5000
		f.clock.Advance(5*time.Microsecond + late)
		require.Equal(t, due+int64(late)+1, d.Wake(due))
	}
	require.Empty(t, d.report().Causes)
	due := d.last + 5000
	f.clock.Advance(30 * time.Microsecond)
	d.Wake(due)
	require.Equal(t, []CauseCount{{Unknown, false, 1, 25001, 25001}}, d.report().Causes)
	before := f.reads
	for range 1000 {
		due := d.last + 5000
		f.clock.Advance(5 * time.Microsecond)
		d.Wake(due)
	}
	require.Greater(t, f.reads, before+3, "counters are kept fresh by a loop that only waits, too")
}

func TestHistogramAndLongest(t *testing.T) {
	var y tally
	for i, g := range []Gap{
		{Length: 3500, Cause: Switch},
		{Length: 4999, Cause: Interrupt},
		{Length: 5000, Cause: Interrupt},
		{Length: 45_000, Cause: GCStop},
		{Length: 2_000_000_000, Cause: Preemption},
		{Length: 45_000, Cause: ChangeOfP},
	} {
		g.At = int64(i)
		y.add(g)
	}
	r := y.report(3000)
	require.Equal(t, Bucket{From: 3000, To: 5000, Go: 1, Others: 1}, r.Histogram[0])
	require.Equal(t, Bucket{From: 5000, To: 10000, Others: 1}, r.Histogram[1])
	require.Equal(t, Bucket{From: 20000, To: 50000, Go: 2}, r.Histogram[3])
	require.Equal(t, Bucket{From: 100_000_000, Others: 1}, r.Histogram[len(r.Histogram)-1])
	require.Equal(t, int64(2_000_000_000), r.Longest[0].Length)
	require.Equal(t, []int64{4, 3, 5}, []int64{r.Longest[0].At, r.Longest[1].At, r.Longest[2].At}, "of equal ones the first comes first")

	// The threshold bounds the first bucket, and empty ends are left out.
	var z tally
	z.add(Gap{Length: 7500})
	require.Equal(t, []Bucket{{From: 7000, To: 10000, Go: 1}}, z.report(7000).Histogram)

	var many tally
	for i := range int64(1000) {
		many.add(Gap{Length: 1 + i*7919%1000, At: i})
	}
	for i, g := range many.report(1).Longest {
		require.Equal(t, int64(1000-i), g.Length)
	}
	many.add(Gap{Length: math.MaxInt64 - 1})
	require.Equal(t, int64(math.MaxInt64-1), many.report(1).Longest[0].Length)
}

func TestCauseInJSON(t *testing.T) {
	for _, c := range Causes() {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		var again Cause
		require.NoError(t, json.Unmarshal(text, &again))
		require.Equal(t, c, again)
	}
	var c Cause
	require.ErrorContains(t, json.Unmarshal([]byte(`"sunspots"`), &c), `unknown cause "sunspots"`)
	require.Equal(t, "cause 77", Cause(77).String())
}

func TestDetectorDoesNotAllocate(t *testing.T) {
	f := newFake()
	d := watchFake(f, 0)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		d.Step()
		f.clock.Advance(time.Millisecond)
		d.Step()
		d.Wake(d.last - 5000)
	}))
}

func TestPerSecond(t *testing.T) {
	require.InDelta(t, 25, (&Report{Watched: int64(2 * time.Second)}).PerSecond(50), 1e-9)
	require.Zero(t, new(Report).PerSecond(50))
}
