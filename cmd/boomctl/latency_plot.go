package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
)

// The plot: latency, logarithmic, over the percentile, on the scale that gives each
// further nine the same width.
const (
	plotWidth, plotHeight                  = 860, 480
	plotLeft, plotRight, plotTop, plotDown = 84, 24, 56, 52
)

// writeSVG draws the plot.
func (r *latencyReport) writeSVG(w io.Writer) error {
	_, err := io.WriteString(w, r.svg())
	return err
}

// nines is how far right a quantile is: 0 for 0, 1 for 0.9, 2 for 0.99.
func nines(q float64) float64 { return -math.Log10(1 - q) }

func (r *latencyReport) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="13">`+"\n", plotWidth, plotHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", plotWidth, plotHeight)
	title := fmt.Sprintf("%s of %s, %s (%d)", r.histogram, r.name, r.process, r.pid)
	fmt.Fprintf(&b, `<text x="%d" y="24" font-size="16" fill="#111">%s</text>`+"\n", plotLeft, html.EscapeString(title))
	fmt.Fprintf(&b, `<text x="%d" y="42" fill="#666">%s values, %s</text>`+"\n", plotLeft, term.Count(r.total.Count()),
		html.EscapeString(r.from.Format("2006-01-02 15:04:05")+" to "+r.to.Format("15:04:05")))
	count := r.total.Count()
	if count == 0 {
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#666">no values</text></svg>`+"\n", plotWidth/2, plotHeight/2)
		return b.String()
	}
	most := max(nines(1-1/float64(count+1)), 1) // where the largest value is
	low := math.Floor(math.Log10(float64(max(r.total.Min(), 1))))
	high := max(math.Ceil(math.Log10(float64(max(r.total.Max(), 1)))), low+1)
	x := func(n float64) float64 { return plotLeft + (plotWidth-plotLeft-plotRight)*min(n/most, 1) }
	y := func(v int64) float64 {
		share := (math.Log10(float64(max(v, 1))) - low) / (high - low)
		return plotHeight - plotDown - (plotHeight-plotTop-plotDown)*share
	}
	for n := 0; float64(n) <= most; n++ {
		label := "0"
		if n > 0 {
			label = fmt.Sprintf("%.*f %%", max(n-2, 0), 100*(1-math.Pow(10, -float64(n))))
		}
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle" fill="#444">%s</text>`+"\n",
			x(float64(n)), plotTop, x(float64(n)), plotHeight-plotDown, x(float64(n)), plotHeight-plotDown+18, label)
	}
	for d := low; d <= high; d++ {
		v := int64(math.Pow(10, d))
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end" fill="#444">%s</text>`+"\n",
			plotLeft, y(v), plotWidth-plotRight, y(v), plotLeft-8, y(v)+4, decade(v))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle" fill="#444">percentile</text>`+"\n", (plotLeft+plotWidth-plotRight)/2, plotHeight-10)
	b.WriteString(`<polyline fill="none" stroke="#0a7" stroke-width="2" points="`)
	var seen int64
	r.total.Each(func(_, top, n int64) {
		from := nines(float64(seen) / float64(count+1))
		seen += n
		to := nines(float64(seen) / float64(count+1))
		v := min(top, r.total.Max())
		fmt.Fprintf(&b, "%.1f,%.1f %.1f,%.1f ", x(from), y(v), x(to), y(v))
	})
	b.WriteString(`"/>` + "\n</svg>\n")
	return b.String()
}

// decade is a power of ten nanoseconds.
func decade(ns int64) string {
	return strings.NewReplacer(".00 ", " ", ".0 ", " ").Replace(term.Duration(time.Duration(ns)))
}

// writeHTML writes a page with the plot and the table.
func (r *latencyReport) writeHTML(w io.Writer) error {
	c := term.NewCanvas(100, false)
	r.draw(c)
	_, err := fmt.Fprintf(w, "<!doctype html>\n<meta charset=\"utf-8\">\n<title>%s</title>\n<div style=\"max-width:%dpx;margin:auto\">\n%s<pre>%s</pre>\n</div>\n",
		html.EscapeString(r.histogram+" of "+r.name), plotWidth, r.svg(), html.EscapeString(c.String()))
	return err
}
