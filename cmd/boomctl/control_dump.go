package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/reactor"
)

// writeDump writes a dump for a person: a paragraph for each reactor, in it two or
// three lines for each endpoint.
func writeDump(w io.Writer, d *control.Dump) error {
	var b strings.Builder
	fmt.Fprintf(&b, "process %d  %s  %s  GOMAXPROCS %d  %s  at %s\n", d.PID, oneLine(d.Program), d.Go, d.GOMAXPROCS,
		plural(d.Goroutines, "goroutine"), d.At.Format("15:04:05.000"))
	for _, r := range d.Reactors {
		b.WriteByte('\n')
		writeReactor(&b, r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeReactor(b *strings.Builder, r *reactor.Dump) {
	fmt.Fprintf(b, "reactor %s  %s  idle %s  selector %s", oneLine(r.Name), r.Config.CPU, r.Idle, r.Config.Selector)
	if r.Config.BusyPoll != "" {
		fmt.Fprintf(b, "  %s", r.Config.BusyPoll)
	}
	if r.Closing {
		b.WriteString("  CLOSING")
	}
	b.WriteByte('\n')
	if r.Stuck != nil {
		fmt.Fprintf(b, "  STUCK  %s\n", oneLine(r.Stuck.Text))
		for line := range strings.Lines(r.Stuck.Stack) {
			function, ours := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "\t")
			if ours {
				function = "    " + function
			}
			fmt.Fprintf(b, "    %s\n", oneLine(function))
		}
		fmt.Fprintf(b, "  mail %d of %d\n", r.MailWait, r.Config.Mailbox)
	} else {
		fmt.Fprintf(b, "  thread %d on CPU %d  turns %s  mail %d of %d  timers %d%s  ready %d  histograms since %s\n",
			r.Thread, r.CPU, term.Count(r.Counters["turns"]), r.MailWait, r.Config.Mailbox, r.Timers, in(", next", r.NextTimer), r.Ready, ago(r.HistogramsFor))
	}
	if len(r.Endpoints) == 0 {
		b.WriteString("  no endpoints\n")
	}
	for i := range r.Endpoints {
		writeEndpoint(b, &r.Endpoints[i])
	}
}

func writeEndpoint(b *strings.Builder, e *reactor.EndpointDump) {
	fmt.Fprintf(b, "  %-20s %-10s for %s%s%s  %s msg  %s  opened %d×  lost %d×", oneLine(e.Name), e.State, term.Duration(e.For),
		in(", next try", e.Retry), in(", renewal", e.Renewal), term.Count(e.Messages), term.Bytes(e.Bytes), e.Opens, e.Losses)
	if e.Losing > 0 {
		fmt.Fprintf(b, ", %d in a row", e.Losing)
		if e.MaxAttempts > 0 {
			fmt.Fprintf(b, " of %d", e.MaxAttempts)
		}
	}
	b.WriteByte('\n')
	for i := range e.Connections {
		writeConnection(b, &e.Connections[i])
	}
	if l := e.LastLoss; l != nil {
		when := ""
		if l.Ago > 0 {
			when = " " + ago(l.Ago)
		}
		fmt.Fprintf(b, "    └ last loss%s: %s", when, oneLine(l.Summary))
		if l.Unsent > 0 {
			fmt.Fprintf(b, " (%d bytes unsent)", l.Unsent)
		}
		b.WriteByte('\n')
	}
}

func writeConnection(b *strings.Builder, c *reactor.ConnectionDump) {
	fmt.Fprintf(b, "    └ connection %d %s  %s for %s", c.ID, c.Role, c.State, term.Duration(c.For))
	if c.Remote.IsValid() {
		fmt.Fprintf(b, "  %v → %v", c.Local, c.Remote)
	}
	if c.FD >= 0 {
		fmt.Fprintf(b, "  fd %d", c.FD)
	}
	if c.Queued > 0 {
		fmt.Fprintf(b, "  %s QUEUED", term.Bytes(int64(c.Queued)))
	}
	if c.State == "open" {
		fmt.Fprintf(b, "  last data %s", ago(c.Quiet))
	}
	b.WriteString(in("  deadline", c.Deadline) + in("  timer", c.Timer) + in("  stale check", c.Stale) + in("  read", c.Read))
	b.WriteByte('\n')
}

// in is when something is to come; nothing, when it is not.
func in(what string, d time.Duration) string {
	if d == 0 {
		return ""
	}
	return what + " in " + term.Duration(d)
}
