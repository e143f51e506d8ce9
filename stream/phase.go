package stream

import "fmt"

// Phase is the part of a set-up that is under way.
type Phase uint8

// The phases of a set-up, in order.
const (
	Resolving  Phase = iota + 1 // asking the resolver for addresses
	Connecting                  // TCP handshakes, and what a proxy wants
	Securing                    // TLS handshake
)

func (p Phase) String() string {
	switch p {
	case Resolving:
		return "resolving"
	case Connecting:
		return "connecting"
	case Securing:
		return "securing"
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// DialError is a set-up that failed: where, with whom, and why.
// errors.Is and errors.As reach Err.
type DialError struct {
	Phase Phase // in which it failed
	// Target is what Dial was asked for, "tls://example.com:443".
	Target string
	// Addr is the address of the attempt, with a proxy that of the proxy. It is empty while resolving, and when
	// several addresses were tried: Err then names each with its own cause.
	Addr string
	Err  error
}

func (e *DialError) Error() string {
	s := "stream: " + e.Phase.String() + " " + e.Target
	if e.Addr != "" {
		s += " (" + e.Addr + ")"
	}
	return s + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *DialError) Unwrap() error { return e.Err }
