package endpoint

import "time"

// Machine is the state of one connection: a pure state machine, moved by its
// reactor, that knows its deadlines and nothing of sockets.
//
//	          Start        Enter         Enter        Enter         Opened        Close
//	Idle ────────→ Resolving ─→ Connecting ─→ Securing ─→ Upgrading ─────→ Open ────→ Closing
//	                   └─────────────┴────────────┴───────────┴─────────────┴────────────┴──→ Closed (End)
//
// A protocol that skips states (a literal address, no TLS) simply does not
// enter them; it never goes back.
type Machine struct {
	policy *Policy
	state  State
	since  int64 // when state began
	opened int64 // when Open began
	data   int64 // when data last arrived; 0: never
}

// NewMachine returns a machine in state Idle. policy has its defaults filled in
// and must not change.
func NewMachine(policy *Policy) Machine { return Machine{policy: policy} }

// State is where the connection stands.
func (m *Machine) State() State { return m.state }

// Since is when that state began.
func (m *Machine) Since() int64 { return m.since }

// Start begins the set-up.
func (m *Machine) Start(now int64) { m.state, m.since = Resolving, now }

// Enter moves on within the set-up and reports whether that changed anything.
func (m *Machine) Enter(s State, now int64) bool {
	if !m.state.InSetup() || !s.InSetup() || s <= m.state {
		return false
	}
	m.state, m.since = s, now
	return true
}

// Opened ends the set-up.
func (m *Machine) Opened(now int64) { m.state, m.since, m.opened = Open, now, now }

// OpenedAt is when that was; 0: never.
func (m *Machine) OpenedAt() int64 { return m.opened }

// Data says that data arrived.
func (m *Machine) Data(now int64) { m.data = now }

// LastData is when data last arrived, or else when the connection opened.
func (m *Machine) LastData() int64 { return max(m.data, m.opened) }

// Close begins an orderly end.
func (m *Machine) Close(now int64) { m.state, m.since = Closing, now }

// End is the end, however it came.
func (m *Machine) End(now int64) { m.state, m.since = Closed, now }

// Healthy reports whether the connection has been open, and brought data, for
// the policy's minimum time.
func (m *Machine) Healthy() bool {
	return m.opened != 0 && m.data != 0 && m.data-m.opened >= int64(m.policy.HealthyAfter)
}

// Deadline is when the present state must be over; 0: never.
func (m *Machine) Deadline() int64 {
	if d := m.policy.Timeout(m.state); d > 0 {
		return m.since + int64(d)
	}
	return 0
}

// Overdue returns the error of a state that has lasted too long, or nil.
func (m *Machine) Overdue(now int64) error {
	at := m.Deadline()
	if at == 0 || now < at {
		return nil
	}
	if m.state == Closing {
		return ErrCloseDeadline
	}
	return &DeadlineError{State: m.state, After: time.Duration(at - m.since)}
}
