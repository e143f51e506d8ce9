package main

import (
	"encoding/json"
	"io"
	"math"
)

// The objects that `boomctl demo --json` prints, one a line: one each second
// and one at the end, with "final": true. Numbers are those of the whole run so
// far, except messages_per_s, which is that of the last second until the final
// object has the mean.
type (
	snapshotJSON struct {
		ElapsedS float64       `json:"elapsed_s"`
		Final    bool          `json:"final"`
		Finished string        `json:"finished,omitempty"` // why, final only
		Exchange exchangeJSON  `json:"exchange"`
		Symbols  []symbolJSON  `json:"symbols"`
		Reactor  reactorJSON   `json:"reactor"`
		Latency  latenciesJSON `json:"latency_ns"`
	}
	exchangeJSON struct {
		URL    string `json:"url"`
		Source string `json:"source"`
		Faults string `json:"faults"`
	}
	symbolJSON struct {
		Symbol     string   `json:"symbol"`
		State      string   `json:"state"`
		Messages   int64    `json:"messages"`
		PerSecond  int64    `json:"messages_per_s"`
		Bytes      int64    `json:"bytes"`
		Reconnects int64    `json:"reconnects"`
		LastReason *string  `json:"last_reason"` // null: never lost
		LastPrice  *float64 `json:"last_price"`  // null: none yet
	}
	reactorJSON struct {
		CPU       string  `json:"cpu"`
		Placement string  `json:"placement"`
		Tuned     string  `json:"tuned"` // settings of the process that were changed
		Idle      string  `json:"idle"`
		Selector  string  `json:"selector"`
		Turns     int64   `json:"turns"`
		WorkTurns int64   `json:"work_turns"`
		WorkRatio float64 `json:"work_ratio"`
		Parks     int64   `json:"parks"`
	}
	latenciesJSON struct {
		Receive *latencyJSON `json:"receive_to_handler"` // null: no sample
		Send    *latencyJSON `json:"send_to_handler"`    // null: messages carry no time
	}
	latencyJSON struct {
		Count int64 `json:"count"`
		P50   int64 `json:"p50"`
		P99   int64 `json:"p99"`
		P999  int64 `json:"p999"`
		Max   int64 `json:"max"`
	}
)

// writeJSON writes s as one line.
func writeJSON(w io.Writer, s *snapshot) error {
	o := snapshotJSON{
		ElapsedS: round(s.elapsed.Seconds()),
		Final:    s.final,
		Finished: s.finished,
		Exchange: exchangeJSON{s.setup.url, s.setup.source, s.setup.faults},
		Symbols:  []symbolJSON{},
		Reactor: reactorJSON{
			CPU: s.setup.cpu, Placement: s.setup.where, Tuned: s.setup.tuned, Idle: s.setup.idle, Selector: s.setup.selector,
			Turns: s.reactor.Turns, WorkTurns: s.reactor.WorkTurns, WorkRatio: round(s.reactor.WorkRatio()), Parks: s.reactor.Parks,
		},
		Latency: latenciesJSON{s.receive.json(), s.send.json()},
	}
	for i := range s.symbols {
		row := &s.symbols[i]
		j := symbolJSON{
			Symbol: row.name, State: row.state.String(), Messages: row.messages, PerSecond: row.perSecond,
			Bytes: row.bytes, Reconnects: row.reconnects,
		}
		if row.reason != "" {
			j.LastReason = &row.reason
		}
		if row.price != 0 {
			price := float64(row.price) / priceUnit
			j.LastPrice = &price
		}
		o.Symbols = append(o.Symbols, j)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(o)
}

func (q quantiles) json() *latencyJSON {
	if q.count == 0 {
		return nil
	}
	return &latencyJSON{q.count, q.p50, q.p99, q.p999, q.max}
}

// round keeps three decimals.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }
