// Package tape is what a recording of a reactor consists of, and the two sides of
// it: the Recorder, which writes down what comes in, and the Player, which lets it
// come in again. Files are the business of package capture above it.
//
// All that an endpoint on a reactor can observe comes in by a few ways. Each is a
// [Record], in the order in which it happened:
//
//	time        a turn of the reactor and what its clock said; other readings of a
//	            connection's clock
//	bytes       reads, writes, flushes and their results
//	set-up      phases, addresses, TLS parameters, errors, on a goroutine of its own
//	mail        endpoints that begin and end, set-ups that report, the end of it all
//	messages    of links and inboxes, if their type has no pointers
//	randomness  a seed for each connection and one for the reactor
//
// Timers need no record: when they fire follows from the times. A reactor that is
// given the same records does the same.
//
// # Cost
//
// The reactor's goroutine copies each record into a ring, [ring.Bytes], and does
// nothing else: no lock, no allocation, no system call, no wake-up. Another
// goroutine drains it. When the ring is full the record is lost, which is counted
// and said in the recording at that place; the reactor never waits. Set-up happens
// elsewhere and goes through a mutex.
package tape
