package endpoint

import "fmt"

// State is where an endpoint's connection stands.
type State uint8

// The states, in order. Backoff, Failed and Closed are the endpoint's, between
// and after its connections.
const (
	Idle       State = iota // registered, nothing begun
	Resolving               // asking for addresses
	Connecting              // TCP handshakes, and what a proxy wants
	Securing                // TLS handshake
	Upgrading               // the protocol's own opening handshake
	Open                    // data flows
	Closing                 // an orderly end is under way
	Backoff                 // waiting to try again
	Failed                  // given up; nothing happens until it is registered anew
	Closed                  // deregistered, or the reactor has closed

	// User is no state: it is the phase of a loss that the endpoint's own code
	// caused, by an error it returned or by a panic.
	User
)

var stateNames = [...]string{"idle", "resolving", "connecting", "securing", "upgrading", "open", "closing", "backoff", "failed", "closed", "user"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state %d", uint8(s))
}

// InSetup reports whether s is one of the states that lead to Open.
func (s State) InSetup() bool { return s >= Resolving && s <= Upgrading }
