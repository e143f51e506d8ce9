package prometheus

import (
	"math"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/stats"
)

// The rule by which a cell gets its name. Exceptions: a cell "state" of the unit
// state is a state set, and since, a moment, becomes Unix time.

// unit is how values of a unit are written: its word at the end of the name, and by
// what a value is divided.
type unit struct {
	word string
	per  float64
}

var units = map[string]unit{
	"ns":    {"seconds", 1e9},
	"us":    {"seconds", 1e6},
	"µs":    {"seconds", 1e6},
	"ms":    {"seconds", 1e3},
	"s":     {"seconds", 1},
	"bytes": {"bytes", 1},
}

// unitOf returns how a unit is written. A fraction, 1e-8 of a price, is multiplied
// out; others stay as they are.
func unitOf(name string) unit {
	if u, ok := units[name]; ok {
		return u
	}
	if f, err := strconv.ParseFloat(name, 64); err == nil && f > 1e-18 && f < 1 {
		return unit{"", math.Round(1 / f)}
	}
	return unit{"", 1}
}

// baseName is a cell's name up to what its kind adds. The unit's word is moved to the
// end: bytes_sent becomes sent_bytes.
func baseName(kind, name, unit string) string {
	words := []string{"boomnet", word(kind)}
	u := unitOf(unit).word
	for w := range strings.SplitSeq(word(name), "_") {
		if w != u && w != "" {
			words = append(words, w)
		}
	}
	if u != "" {
		words = append(words, u)
	}
	return strings.Join(words, "_")
}

// word is s as a part of a metric's name: letters, digits and _, others become _.
func word(s string) string {
	if s == "" {
		return "block"
	}
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, s)
}

// isState reports whether a cell holds an endpoint.State.
func isState(d *stats.Desc) bool {
	return d.Kind == stats.KindGauge && d.Name == "state" && d.Unit == "state"
}

// isSince reports whether a cell holds the moment of its block's state, CLOCK_MONOTONIC.
func isSince(kind string, d *stats.Desc) bool {
	return kind == stats.EndpointBlock && d.Kind == stats.KindGauge && d.Name == "since" && d.Unit == "ns"
}

// states are the names of endpoint.State, in order. Importing it would bring in all
// that endpoints need; a test compares.
var states = [...]string{"idle", "resolving", "connecting", "securing", "upgrading", "open", "closing", "backoff", "failed", "closed"}

// labels are those of a block: whose it is.
func labels(process, pid, kind, name, parent string) string {
	var b []byte
	b = appendLabel(b, "process", process)
	b = appendLabel(b, "pid", pid)
	switch kind {
	case stats.ProcessBlock:
	case stats.ReactorBlock:
		b = appendLabel(b, "reactor", name)
	case stats.EndpointBlock, stats.RingBlock:
		b = appendLabel(b, "reactor", parent)
		b = appendLabel(b, kind, name)
	default:
		b = appendLabel(b, "name", name)
		if parent != "" {
			b = appendLabel(b, "parent", parent)
		}
	}
	return string(b)
}
