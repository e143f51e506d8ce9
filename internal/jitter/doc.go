// Package jitter finds the moments at which a loop that never sleeps did not run,
// and says what took them: the Go runtime, another thread, an interrupt or the host.
//
// A [Detector] sits in the loop and reads the clock over and over. Two readings
// further apart than a threshold are a gap. Only then it looks at the counters of
// the thread, the runtime and the CPU, and what has moved since its last look is
// the cause, see [Cause]. Looking takes microseconds: it is not counted as part of
// the loop, and the clock starts anew after it. So that what moved belongs to the
// gap and not to the time before, the cheap counters are read once in a
// millisecond as well.
//
// [Run] puts a Detector into one of two loops:
//
//   - plain: a bare loop of Go code on a locked thread. Every gap over the
//     threshold is seen.
//   - reactor: the turn of a real reactor with one endpoint, which works for a
//     share of the time and asks to be called again after Config.Wait. While the
//     endpoint works every gap is seen. While the reactor waits a gap is seen by
//     its end: the endpoint is called later than it asked. It then looks shorter
//     than it was by up to Wait, so a gap shorter than threshold + Wait may stay
//     unseen; Report.Unseen counts the switches of those. A busy share of 100 never
//     waits.
//
// Wait is a choice: as short as its default it shows nearly every gap, and keeps a
// reactor with nothing to do at its turn for a tenth of the time; a millisecond
// leaves it in its wait, as a silent socket does, and Unseen says what that misses.
//
// [ReadFloor] reads what a loop in C saw on the same machine: what that sees too
// is not Go's doing.
package jitter
