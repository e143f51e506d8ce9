package reactor

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// Tuning is what TuneProcess sets. The zero value changes nothing.
type Tuning struct {
	// Reactors is how many reactors with a busy idle strategy will run.
	// GOMAXPROCS becomes Reactors + Others + 1: one more than there are
	// goroutines that never give way, so that the garbage collector and the
	// connectors always find a processor.
	Reactors int
	// Others is how many cores the rest of the program may use. Default 1.
	Others int
	// MemoryLimit turns the garbage collector off until the process uses so
	// many bytes, by SetGCPercent(-1) and SetMemoryLimit: on a steady hot path
	// nothing is allocated and it never runs.
	MemoryLimit int64
}

// TuneProcess sets GOMAXPROCS and the garbage collector for the whole process.
// It stops the world: call it once, from main, before Run. Nothing else in this
// library touches these settings. It returns what it did, for a log;
// nothing is the empty string.
func TuneProcess(t Tuning) string {
	var said []string
	if t.Reactors > 0 {
		others := t.Others
		if others <= 0 {
			others = 1
		}
		n := t.Reactors + others + 1
		said = append(said, fmt.Sprintf("GOMAXPROCS %d → %d", runtime.GOMAXPROCS(n), n))
	}
	if t.MemoryLimit > 0 {
		debug.SetGCPercent(-1)
		debug.SetMemoryLimit(t.MemoryLimit)
		runtime.GC()
		said = append(said, fmt.Sprintf("garbage collector off below %d MiB", t.MemoryLimit>>20))
	}
	return strings.Join(said, ", ")
}
