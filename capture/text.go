package capture

import (
	"crypto/tls"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
)

// What stands in comments, for people.

// maxComment is the longest comment in bytes.
const maxComment = 4096

// cutText is at most n bytes of s, whole runes.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// Software is how files name their writer, in shb_userappl.
const Software = "boomnet"

func softwareOptions() []pcapng.Option {
	name := Software
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == "github.com/boomnet-go/boomnet" && m.Version != "" {
				name += " " + m.Version
			}
		}
	}
	return []pcapng.Option{
		pcapng.Text(pcapng.OptHardware, runtime.GOARCH),
		pcapng.Text(pcapng.OptOS, runtime.GOOS),
		pcapng.Text(pcapng.OptUserAppl, name),
	}
}

// whose names a connection.
func whose(f *flow) string {
	if f.name == "" {
		return fmt.Sprintf("connection %d", f.num)
	}
	return fmt.Sprintf("%s, connection %d", f.name, f.num)
}

// dialedText is all that is known about a connection that stands.
func dialedText(f *flow) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", whose(f))
	if f.connect != nil && f.connect.Arg != 0 {
		fmt.Fprintf(&b, " (id %d)", f.connect.Arg)
	}
	fmt.Fprintf(&b, ": %s", f.target)
	if f.resolved != "" {
		fmt.Fprintf(&b, "\nresolved: %s", f.resolved)
	}
	switch {
	case f.made:
		b.WriteString("\naddresses are made up: the stream has told none")
	case f.port != f.remote.Port():
		fmt.Fprintf(&b, "\nport %d stands for %d: this is what was inside of TLS", f.remote.Port(), f.port)
	}
	if f.peer.Layer != "" {
		fmt.Fprintf(&b, "\nrecorded: %s", f.peer.Layer)
	}
	if f.peer.Version != 0 {
		fmt.Fprintf(&b, "\n%s, %s", tls.VersionName(f.peer.Version), tls.CipherSuiteName(f.peer.Suite))
		if f.peer.Resumed {
			b.WriteString(", resumed")
		}
		if f.peer.ALPN != "" {
			fmt.Fprintf(&b, ", ALPN %s", f.peer.ALPN)
		}
		if f.peer.ServerName != "" {
			fmt.Fprintf(&b, ", server name %s", f.peer.ServerName)
		}
	}
	return b.String()
}

// failedText is why a dial came to nothing.
func failedText(f *flow, r *tape.Record) string {
	text := fmt.Sprintf("%s: dialing %s: %v\naddresses are made up", whose(f), r.Text, r.Err.Err())
	if f.resolved != "" {
		text += "\nresolved: " + f.resolved
	}
	return text
}

func restatedText(f *flow) string { return "restated from an earlier file: " + dialedText(f) }

func unknownText(f *flow) string {
	return whose(f) + ": its begin was not recorded; addresses are made up"
}

// callText is what is to be said of a read or write, "" if nothing.
func callText(r *tape.Record) string {
	if r.Err.Class == tape.OK {
		return ""
	}
	why := r.Err.Err()
	if r.Kind == tape.KindRead {
		return fmt.Sprintf("read: %v", why)
	}
	return fmt.Sprintf("%v of %d bytes was refused: %v; %d queued", r.Kind, r.Arg2, why, r.Arg)
}

// eventText is what is to be said of an event, "" if nothing.
func eventText(r *tape.Record) string {
	switch r.Kind {
	case tape.KindMissing:
		return fmt.Sprintf("%d bytes received and %d sent are missing here: they could not be recorded", r.Arg, r.Arg2)
	case tape.KindState:
		return fmt.Sprintf("state %v", endpoint.State(uint8(r.Arg)))
	case tape.KindOutcome, tape.KindFlush, tape.KindWait:
		if r.Err.Class == tape.OK {
			return ""
		}
		what := map[tape.Kind]string{tape.KindOutcome: "set-up", tape.KindFlush: "flush", tape.KindWait: "wait"}[r.Kind]
		return fmt.Sprintf("%s: %v", what, r.Err.Err())
	}
	return ""
}

// endText is why a connection has ended.
func endText(r *tape.Record) string {
	if r.Kind == tape.KindLost && len(r.Text) > 0 {
		return fmt.Sprintf("lost: %s", strings.ToValidUTF8(string(r.Text), "\uFFFD"))
	}
	return "closed"
}

// resolvedText is what a resolver has answered.
func resolvedText(r *tape.Record) string {
	if r.Err.Class != tape.OK {
		return fmt.Sprintf("%s: %v", r.Text, r.Err.Err())
	}
	return fmt.Sprintf("%s is %s", r.Text, r.Data)
}
