package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/term"
)

// writeLines writes what a log wants of s: a line for each endpoint and one for
// the reactor.
func writeLines(w io.Writer, s *snapshot) error {
	var b strings.Builder
	for i := range s.symbols {
		row := &s.symbols[i]
		fmt.Fprintf(&b, "%7s s  %-10s %-10s %12s msg %9s/s %9s  reconnects %-4d price %s\n",
			seconds(s.elapsed), row.name, row.state, term.Count(row.messages), term.Count(row.perSecond),
			term.Bytes(row.bytes), row.reconnects, priceText(row.price))
	}
	fmt.Fprintf(&b, "%7s s  %-10s %-10s %12s turns, %.1f %% with work; receive → handler %s, send → handler %s\n",
		seconds(s.elapsed), "reactor", s.setup.cpu, term.Count(s.reactor.Turns), 100*s.reactor.WorkRatio(),
		s.receive.brief(), s.send.brief())
	_, err := io.WriteString(w, b.String())
	return err
}

// brief is the median and the 99th percentile: "p50 12.3 µs p99 45.6 µs".
func (q quantiles) brief() string {
	if q.count == 0 {
		return "–"
	}
	return "p50 " + term.Duration(time.Duration(q.p50)) + " p99 " + term.Duration(time.Duration(q.p99))
}

// writeEvent writes a line about a loss, and about a recovery that is complete;
// the steps between are in the latter.
func writeEvent(w io.Writer, elapsed time.Duration, e endpoint.Event, v *recovery) error {
	var what string
	switch {
	case v == nil:
		return nil
	case e.Loss != nil && e.State == endpoint.Backoff:
		what = "LOST       " + v.loss + "; trying again in " + term.Duration(v.backoff)
	case e.Loss != nil:
		what = "FAILED     " + v.loss
	case v.took > 0 && v.loss != "":
		what = "RECOVERED  " + v.path()
	case v.took > 0:
		what = "OPEN       " + v.path()
	default:
		return nil
	}
	_, err := fmt.Fprintf(w, "%7s s  %-10s %s\n", seconds(elapsed), e.Name, what)
	return err
}
