package main

import (
	"bytes"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/stats"
)

// maxAge is the largest latency that is believed, in nanoseconds: a field T that
// lies further back is some other clock's.
const maxAge = int64(10 * time.Second)

// latency collects what --latency reports: ping round trips, how old messages are
// that say when they were sent, and how long reads took from the kernel to here.
type latency struct {
	pings    stats.Histogram
	messages stats.Histogram
	reads    stats.Histogram
}

// read takes how long ago the kernel received what was read, in nanoseconds.
func (l *latency) read(ns int64) { l.reads.Record(ns) }

// ping takes a round trip in nanoseconds.
func (l *latency) ping(ns int64) { l.pings.Record(ns) }

// message takes a text message that was received at the time at, if it has a T.
func (l *latency) message(p []byte, at int64) {
	if sent, ok := sentAt(p); ok && at >= sent && at-sent <= maxAge {
		l.messages.Record(at - sent)
	}
}

func (l *latency) report(say *notes) {
	samples := int64(0)
	for _, h := range []struct {
		name string
		*stats.Snapshot
	}{{"ping round trip", l.pings.Snapshot()}, {"send to receive", l.messages.Snapshot()}, {"wire to handler", l.reads.Snapshot()}} {
		if h.Count() == 0 {
			continue
		}
		samples += h.Count()
		say.always("%s: %d samples, p50 %v, p99 %v, max %v", h.name, h.Count(),
			time.Duration(h.ValueAtQuantile(0.50)), time.Duration(h.ValueAtQuantile(0.99)), time.Duration(h.Max()))
	}
	if samples == 0 {
		say.always("latency: no samples")
	}
}

var fieldT = []byte(`"T"`)

// sentAt finds the first JSON field T that is a whole number. It does not parse
// p: an unescaped "T" before a colon can only be a key. It does not allocate.
func sentAt(p []byte) (ns int64, ok bool) {
	for {
		i := bytes.Index(p, fieldT)
		if i < 0 {
			return 0, false
		}
		escaped := i > 0 && p[i-1] == '\\'
		p = skipSpace(p[i+len(fieldT):])
		if escaped || len(p) == 0 || p[0] != ':' {
			continue
		}
		p = skipSpace(p[1:])
		n := 0
		for n < len(p) && p[n] >= '0' && p[n] <= '9' {
			n++
		}
		if n == 0 || n > 19 || n < len(p) && (p[n] == '.' || p[n]|0x20 == 'e') {
			continue
		}
		if ns, err := strconv.ParseInt(string(p[:n]), 10, 64); err == nil {
			return ns, true
		}
	}
}

func skipSpace(p []byte) []byte { return bytes.TrimLeft(p, " \t\r\n") }
