package jitter

import (
	"math"
	"time"
)

// source is where a Detector reads; tests make up their own.
type source interface {
	// Now is in nanoseconds and never goes back.
	Now() int64
	Read(*Counters)
	// ReadBeneath reports false when the kernel does not tell.
	ReadBeneath(*Beneath) bool
}

// Times of a Detector, in nanoseconds.
const (
	// refreshInterval is how old the cheap counters get.
	refreshInterval = int64(time.Millisecond)
	// beneathShare bounds the time spent on Beneath to one part in so many.
	beneathShare = 10
)

// Detector finds gaps. From start on it belongs to the goroutine of the loop that
// it watches. Nothing of it allocates, blocks or makes a system call of which the
// runtime knows: where a reactor pins its P none of that is allowed.
type Detector struct {
	src       source
	threshold int64
	warmUp    int64

	last    int64    // the last reading of the loop's
	refresh int64    // when to read the cheap counters again
	begin   int64    // gaps before are not counted: the loop warms up
	before  Counters // of the last look
	after   Counters // of a gap; here, so that it is not allocated

	beneath      Beneath
	beneathKnown bool
	beneathAfter int64 // no sooner than this again

	steps, looking int64
	unseen         int64 // see Report.Unseen
	tally          tally
}

// newDetector makes a Detector, on any goroutine; warmUp is for how long gaps are
// not counted at the beginning.
func newDetector(src source, threshold, warmUp time.Duration) *Detector {
	return &Detector{src: src, threshold: int64(threshold), warmUp: int64(warmUp)}
}

// start begins to watch, on the goroutine of the loop. It returns the time.
func (d *Detector) start() (now int64) {
	d.beneathKnown = d.src.ReadBeneath(&d.beneath)
	d.src.Read(&d.before)
	d.last = d.src.Now()
	d.begin = d.last + d.warmUp
	d.refresh = d.last + refreshInterval
	return d.last
}

// Step is called over and over by a loop that runs: the time since the last call
// is a gap if it is over the threshold. It returns the time.
func (d *Detector) Step() (now int64) {
	d.steps++
	now = d.src.Now()
	if now-d.last > d.threshold {
		return d.gap(now, now-d.last)
	}
	if now >= d.refresh {
		return d.freshen(now)
	}
	d.last = now
	return now
}

// Wake is called by a loop that has waited until due: what it comes later is a gap
// if it is over the threshold. It returns the time.
func (d *Detector) Wake(due int64) (now int64) {
	d.steps++
	now = d.src.Now()
	if now-due > d.threshold {
		return d.gap(now, now-due)
	}
	if now >= d.refresh {
		return d.freshen(now)
	}
	d.last = now
	return now
}

// gap finds the cause of a gap and counts it.
func (d *Detector) gap(now, length int64) int64 {
	d.src.Read(&d.after)
	cause := classify(&d.before, &d.after)
	if cause == Interrupt && d.beneathKnown && now >= d.beneathAfter {
		start, earlier := d.src.Now(), d.beneath
		d.beneathKnown = d.src.ReadBeneath(&d.beneath)
		end := d.src.Now()
		d.beneathAfter = end + beneathShare*(end-start)
		if d.beneathKnown && !d.beneath.since(earlier) {
			cause = Unknown
		}
	}
	if now-length >= d.begin {
		d.tally.add(Gap{At: now - length - d.begin, Length: length, Cause: cause, CPU: d.after.CPU})
	}
	return d.look(now)
}

// freshen looks when there was no gap. A switch that has moved the counters all the
// same was over before the loop would have gone on.
func (d *Detector) freshen(now int64) int64 {
	switches, p := d.before.Voluntary, d.before.P
	d.look(now)
	if now >= d.begin {
		if moved := d.before.Voluntary - switches; moved > 0 {
			d.unseen += moved
		} else if d.before.P != p {
			d.unseen++
		}
	}
	return d.last
}

// look reads the cheap counters. The time since now is no part of the loop's.
func (d *Detector) look(now int64) int64 {
	d.src.Read(&d.before)
	d.last = d.src.Now()
	d.refresh = d.last + refreshInterval
	if now >= d.begin {
		d.looking += d.last - now
	}
	return d.last
}

// watched is for how long the loop was watched, without the time of looking.
func (d *Detector) watched() int64 { return max(d.last-d.begin-d.looking, 0) }

// longestKept is how many gaps are kept one by one.
const longestKept = 10

// Gap is one of them.
type Gap struct {
	At     int64 `json:"at_ns"` // since the start of the watch
	Length int64 `json:"ns"`
	Cause  Cause `json:"cause"`
	CPU    int   `json:"cpu"` // after it
}

// tally counts gaps.
type tally struct {
	count, total, longest [causes]int64
	buckets               [len(bounds)][causes]int64
	kept                  [longestKept]Gap // the longest first
	n                     int              // how many of kept
}

// bounds are where the buckets of the histogram begin, in nanoseconds; each ends
// where the next one begins.
var bounds = [...]int64{
	0, 1e3, 2e3, 3e3, 5e3, 10e3, 20e3, 50e3, 100e3, 200e3, 500e3,
	1e6, 2e6, 5e6, 10e6, 20e6, 50e6, 100e6, math.MaxInt64,
}

func (t *tally) add(g Gap) {
	t.count[g.Cause]++
	t.total[g.Cause] += g.Length
	t.longest[g.Cause] = max(t.longest[g.Cause], g.Length)
	b := 0
	for g.Length >= bounds[b+1] {
		b++
	}
	t.buckets[b][g.Cause]++
	if t.n < longestKept {
		t.n++
	} else if g.Length <= t.kept[t.n-1].Length {
		return
	}
	i := t.n - 1
	for ; i > 0 && t.kept[i-1].Length < g.Length; i-- {
		t.kept[i] = t.kept[i-1]
	}
	t.kept[i] = g
}
