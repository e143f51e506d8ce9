package jitter

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxFloor bounds what is read of the loop in C, in bytes.
const maxFloor = 64 << 20

// ReadFloor reads what a loop outside of Go has printed about the gaps that it saw:
// one line for each and what it counted with getrusage(RUSAGE_THREAD) over the gap,
//
//	gap AT NS VOLUNTARY INVOLUNTARY FAULTS MIGRATED
//
// and, in any order, these, all in nanoseconds but the steps:
//
//	threshold NS
//	watched NS
//	looking NS
//	steps N
//
// AT counts from the start of the watch, MIGRATED is 1 when the CPU was another
// one afterwards. The causes are found as for a loop in Go; as there is no runtime
// a voluntary switch is never Go's, but counted as Switch all the same.
func ReadFloor(r io.Reader) (*Report, error) {
	var t tally
	values := map[string]int64{}
	lines := bufio.NewScanner(io.LimitReader(r, maxFloor))
	for n := 1; lines.Scan(); n++ {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		want := 1
		if name == "gap" {
			want = 6
		}
		fields := strings.Fields(rest)
		if len(fields) != want {
			return nil, fmt.Errorf("jitter: floor: line %d: %.40q has %d values, want %d", n, lines.Text(), len(fields), want)
		}
		var v [6]int64
		for i, f := range fields {
			var err error
			if v[i], err = strconv.ParseInt(f, 10, 64); err != nil || v[i] < 0 {
				return nil, fmt.Errorf("jitter: floor: line %d: %.40q is not a count", n, f)
			}
		}
		switch name {
		case "gap":
			after := Counters{Voluntary: v[2], Involuntary: v[3], Faults: v[4], CPU: int(v[5])}
			t.add(Gap{At: v[0], Length: v[1], Cause: classify(&Counters{}, &after), CPU: -1})
		case "threshold", "watched", "looking", "steps":
			values[name] = v[0]
		default:
			return nil, fmt.Errorf("jitter: floor: line %d: %.40q is none of gap, threshold, watched, looking, steps", n, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("jitter: floor: %w", err)
	}
	for _, name := range []string{"threshold", "watched", "looking", "steps"} {
		if _, ok := values[name]; !ok {
			return nil, fmt.Errorf("jitter: floor: there is no line %q", name)
		}
	}
	f := t.report(values["threshold"])
	f.Loop, f.CPU, f.Busy = LoopC, -1, 100
	f.Watched, f.Looking, f.Steps = values["watched"], values["looking"], values["steps"]
	return f, nil
}
