package control

import (
	"fmt"
	"strings"
	"time"
)

// Event is a request, and what came of it.
type Event struct {
	Time time.Time
	// UID and PID of who asked, as the kernel says; PID is in this process's
	// namespace, 0 when it is not in there.
	UID, PID int
	// Command is the name of that process, as /proc had it; empty when it was gone.
	Command string

	// Do is idle, reset, drop or dump; connect for somebody who was not let in;
	// empty for what was not understood.
	Do                      string
	Reactor, Endpoint, Idle string // as asked for

	Reactors []string // where it was done
	Dropped  int      // endpoints that lost their connection
	Err      error    // nil: it was done
}

// Who is the one who asked: uid 1000, pid 4321 (boomctl).
func (e Event) Who() string { return who(e.UID, e.PID, e.Command) }

func who(uid, pid int, command string) string {
	s := fmt.Sprintf("uid %d, pid %d", uid, pid)
	if command != "" {
		s += fmt.Sprintf(" (%s)", command)
	}
	return s
}

// String is a line for a log.
func (e Event) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "control: %s: ", e.Who())
	if e.Do == "" {
		b.WriteString("a request")
	} else {
		b.WriteString(e.Do)
	}
	for _, word := range []struct{ label, value string }{
		{"reactor", e.Reactor}, {"endpoint", e.Endpoint}, {"strategy", e.Idle},
	} {
		if word.value != "" {
			fmt.Fprintf(&b, " %s %q", word.label, word.value)
		}
	}
	if e.Do == doDrop && e.Dropped > 0 {
		fmt.Fprintf(&b, ": %d dropped", e.Dropped)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": refused: %v", e.Err)
	}
	return b.String()
}
