package main

import (
	"strings"

	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// barWidth is how long the bar of the most frequent values is, in columns.
const barWidth = 40

// drawBars draws how many values lie between one power of two and the next.
func drawBars(c *term.Canvas, h *stats.Snapshot) {
	bins := powersOfTwo(h)
	most := int64(1)
	for _, b := range bins {
		most = max(most, b.count)
	}
	for i, b := range bins {
		if i > 0 && i+1 < len(bins) && bins[i-1].count == 0 && b.count == 0 && bins[i+1].count == 0 {
			if i == 1 || bins[i-2].count != 0 { // once, for all in the midst of empty ones
				c.Right(term.Dim, 12, "…").End()
			}
			continue
		}
		length := int(float64(b.count) / float64(most) * barWidth)
		c.Right(term.Dim, 12, "< "+nanos(b.below)).Right(term.Plain, 14, term.Count(b.count)).
			Put(term.Plain, " ").Put(term.Cyan, strings.Repeat("█", length))
		if length == 0 && b.count > 0 {
			c.Put(term.Cyan, "▏")
		}
		c.End()
	}
}

// bin counts values below a bound, and not below that of the bin before.
type bin struct{ below, count int64 }

// powersOfTwo counts by powers of two, from the smallest value to the largest.
func powersOfTwo(h *stats.Snapshot) (bins []bin) {
	h.Each(func(low, _, count int64) {
		below := int64(1)
		for below <= low {
			below *= 2
		}
		for len(bins) > 0 && bins[len(bins)-1].below < below/2 {
			bins = append(bins, bin{below: bins[len(bins)-1].below * 2})
		}
		if len(bins) == 0 || bins[len(bins)-1].below < below {
			bins = append(bins, bin{below: below})
		}
		bins[len(bins)-1].count += count
	})
	return bins
}
