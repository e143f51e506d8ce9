package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
)

// progress shows how far the reading of files is, on a terminal: a bar, the rate and
// the time left. It shows nothing before progressAfter, so that what is quick does not
// flicker. On anything else it shows nothing at all.
//
//	[#############-------------------]  41 %  1.2 GB of 2.9 GB  410 MB/s  4 s left
type progress struct {
	w     io.Writer // nil: nothing is shown
	width int
	sizes []int64
	total int64
	began time.Time
	next  time.Time
	shown bool
}

const (
	progressAfter = 400 * time.Millisecond
	progressEvery = 100 * time.Millisecond
)

// newProgress is for reading files of these sizes, in bytes.
func newProgress(f *os.File, sizes []int64) *progress {
	p := &progress{sizes: sizes}
	for _, n := range sizes {
		p.total += n
	}
	if width, _, ok := term.Size(f); ok && os.Getenv("TERM") != "dumb" {
		p.w, p.width = f, width
	}
	p.restart()
	return p
}

// restart begins anew: the files are read once more.
func (p *progress) restart() {
	p.began = time.Now()
	if !p.shown {
		p.next = p.began.Add(progressAfter)
	}
}

// at says how many bytes of a file were read, and records in all. Of a compressed file
// offset is in what it holds: then it is shown without a bar.
func (p *progress) at(file int, offset int64, records int, now time.Time) {
	if p.w == nil || now.Before(p.next) {
		return
	}
	p.next, p.shown = now.Add(progressEvery), true
	done := offset
	for _, n := range p.sizes[:min(file, len(p.sizes))] {
		done += n
	}
	line := p.line(done, records, now.Sub(p.began))
	_, _ = fmt.Fprintf(p.w, "\r%s\x1b[K", term.Clip(line, p.width-1)) // a bar is no reason to fail
}

// line is what is shown after some time.
func (p *progress) line(done int64, records int, took time.Duration) string {
	rate := float64(done) / took.Seconds()
	if done > p.total {
		return fmt.Sprintf("%s records  %s  %s/s", term.Count(int64(records)), term.Bytes(done), term.Bytes(int64(rate)))
	}
	const bar = 32
	full := int(float64(done) / float64(max(p.total, 1)) * bar)
	left := time.Duration(float64(p.total-done) / max(rate, 1) * float64(time.Second))
	return fmt.Sprintf("[%s%s] %3d %%  %s of %s  %s/s  %s left", strings.Repeat("#", full), strings.Repeat("-", bar-full),
		100*done/max(p.total, 1), term.Bytes(done), term.Bytes(p.total), term.Bytes(int64(rate)), left.Round(time.Second))
}

// end takes the bar away.
func (p *progress) end() {
	if p.shown {
		_, _ = io.WriteString(p.w, "\r\x1b[K") // likewise
		p.shown = false
	}
}
