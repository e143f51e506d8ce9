package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/stats"
)

// errorLog is what has gone wrong in one reactor.
type errorLog struct {
	block     *seenBlock
	forgotten int64               // distinct errors that made room for younger ones
	records   []stats.ErrorRecord // the one seen last first
}

// errorLogs are those that hold something, the one with the youngest error first.
func (s *sample) errorLogs() (logs []errorLog) {
	for _, b := range s.blocks {
		if l := b.errorLog(); len(l.records) > 0 {
			logs = append(logs, l)
		}
	}
	slices.SortStableFunc(logs, func(a, b errorLog) int { return b.records[0].Last.Compare(a.records[0].Last) })
	return logs
}

// errorLog is all that the error logs of a block hold.
func (b *seenBlock) errorLog() errorLog {
	l := errorLog{block: b}
	for _, c := range b.cells {
		if c.desc.Kind == stats.KindErrors {
			l.forgotten += c.now.Int
			l.records = append(l.records, c.now.Errors...)
		}
	}
	slices.SortStableFunc(l.records, func(a, b stats.ErrorRecord) int { return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Count, a.Count)) })
	return l
}

// count is how many errors there were, those forgotten left out.
func (l *errorLog) count() (n int64) {
	for _, r := range l.records {
		n += r.Count
	}
	return n
}

// drawErrorLogs draws the logs of several reactors.
func drawErrorLogs(c *term.Canvas, logs []errorLog, processes int, now time.Time) {
	if len(logs) == 0 {
		c.Put(term.Plain, " No errors in "+plural(processes, "process")+".").End()
	}
	for i := range logs {
		if i > 0 {
			c.End()
		}
		b := logs[i].block
		c.Put(term.Bold, " "+b.name).Put(term.Dim, fmt.Sprintf("  of %s (%d)", b.process.Name, b.process.PID))
		if b.process.Stale {
			c.Put(term.Yellow, ", which has ended")
		}
		c.End()
		logs[i].draw(c, now)
	}
}

// draw draws the records with their whole texts.
func (l *errorLog) draw(c *term.Canvas, now time.Time) {
	const counts, times, gap = 8, 12, 2
	const before = counts + 2*times + gap
	c.Right(term.Dim, counts, "count").Right(term.Dim, times, "last").Right(term.Dim, times, "first").Put(term.Dim, "  text").End()
	for _, r := range l.records {
		c.Right(term.Yellow, counts, term.Count(r.Count)).Right(term.Plain, times, ago(now.Sub(r.Last))).Right(term.Plain, times, ago(now.Sub(r.First)))
		for i, line := range wrap(r.Text, max(c.Width()-before, 20)) {
			if i > 0 {
				c.Left(term.Plain, before-gap, "")
			}
			c.Left(term.Plain, gap, "").Put(term.Plain, line).End()
		}
	}
	if l.forgotten > 0 {
		c.Right(term.Plain, counts, term.Count(l.forgotten)).Put(term.Dim, "  older texts are forgotten").End()
	}
}
