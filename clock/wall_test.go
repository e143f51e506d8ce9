package clock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// machine is a pair of clocks to be set and moved by hand.
type machine struct {
	mono, wall int64
	took       []int64 // how long each next reading takes; then 10 ns
	readings   int
}

func (m *machine) read() (before, wall, after int64) {
	took := int64(10)
	if len(m.took) > 0 {
		took, m.took = m.took[0], m.took[1:]
	}
	m.readings++
	before = m.mono
	m.advance(took)
	return before, m.wall - took/2, m.mono
}

func (m *machine) advance(d int64) { m.mono, m.wall = m.mono+d, m.wall+d }

func TestWallConverts(t *testing.T) {
	m := &machine{mono: 5_000, wall: 1_700_000_000_000_000_000, took: []int64{300, 4, 900}}
	distance := m.wall - m.mono
	w := Wall{read: m.read}
	require.Zero(t, w.Bound())
	require.EqualValues(t, 4_000, w.Monotonic(distance+4_000, m.mono))
	require.EqualValues(t, 2, w.Bound(), "half of the closest reading")
	require.Equal(t, wallReadings, m.readings)

	// Within the interval the sample serves.
	m.advance(wallInterval / 2)
	require.EqualValues(t, 9_000, w.Monotonic(distance+9_000, m.mono))
	require.Equal(t, wallReadings, m.readings)
	m.advance(wallInterval / 2)
	require.EqualValues(t, 9_000, w.Monotonic(distance+9_000, m.mono))
	require.Equal(t, 2*wallReadings, m.readings, "it was due")
}

func TestWallThatIsSet(t *testing.T) {
	m := &machine{mono: int64(time.Hour), wall: int64(2 * time.Hour)}
	w := Wall{read: m.read}
	at := func() int64 { // 0 if right
		now := m.mono
		return w.Monotonic(m.wall, now) - now
	}
	require.Zero(t, at())

	// Forward: the result lies in the future, which is noticed.
	m.wall += int64(time.Second)
	m.advance(wallRetry)
	require.InDelta(t, 0, at(), 100)

	// Back: it is a plausible time of the past, until the next sample.
	m.wall -= int64(time.Second)
	m.advance(wallInterval / 2)
	require.InDelta(t, -int64(time.Second), at(), 100)
	m.advance(wallInterval)
	require.InDelta(t, 0, at(), 100)

	// Another clock's times do not have it sample each time.
	before := m.readings
	for range 100 {
		w.Monotonic(m.wall+int64(37*time.Second), m.mono)
		m.advance(wallRetry / 100)
	}
	require.LessOrEqual(t, m.readings-before, 2*wallReadings)
}

// The machine's own clocks: what is converted lies between two readings.
func TestWallOfThisMachine(t *testing.T) {
	var w Wall
	tries := 0
	for range 1000 {
		before := Nano()
		wall := time.Now().UnixNano()
		after := Nano()
		got := w.Monotonic(wall, after)
		require.Positive(t, w.Bound())
		if bound := int64(w.Bound()); got < before-bound || got > after+bound {
			tries++ // the clock was set just now
			w = Wall{}
		}
	}
	require.LessOrEqual(t, tries, 1)
}

func TestWallDoesNotAllocate(t *testing.T) {
	var w Wall
	wall := time.Now().UnixNano()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		w.Monotonic(wall, Nano())
		w.sample()
	}))
}

func BenchmarkWallMonotonic(b *testing.B) {
	var w Wall
	wall, now := time.Now().UnixNano(), Nano()
	b.ReportAllocs()
	for b.Loop() {
		w.Monotonic(wall, now)
	}
}

func BenchmarkWallSample(b *testing.B) {
	var w Wall
	b.ReportAllocs()
	for b.Loop() {
		w.sample()
	}
}
