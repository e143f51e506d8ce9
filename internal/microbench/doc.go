// Package microbench measures operations of nanoseconds to milliseconds on the
// CPUs they run on, and says how much of a figure is chance.
//
// A [Case] is a function that is handed a [B], as one of package testing is, with
// a time to spend and CPUs to spend it on:
//
//	Case{Name: "clock.nanotime", What: "…", Run: func(b *B) error {
//		b.Batches(func(n int) {
//			for range n {
//				Sink += uint64(clock.Nano())
//			}
//		})
//		return nil
//	}}
//
// # Samples
//
// [B.Batches] is for what is too short to be timed alone: a sample is the time of a
// batch of some ten microseconds, divided by the number of operations in it.
// [B.Each] is for what is timed one by one; a sample is what the function returns.
// Both throw away what comes in the first tenth of their time.
//
// # Rounds
//
// A [Runner] measures every case on every CPU in [Rounds] rounds: all cases once,
// all cases again. Machines drift, by frequency, by temperature, by what their
// neighbours do, so samples taken one after the other are more alike than those a
// few seconds later. Each round starts anew: a thread, its sockets, its memory. A
// [Result] has the figures of all samples, and the median of each round; its spread
// is how far these are apart.
//
// # Disturbance
//
// A thread is pinned and its mask is read back, before and after. If its CPU was
// shared or taken away meanwhile, if there was no CPU for the other side, if the
// clock is a slow one, a [Mark] says so; the figure stays.
//
// # Comparing
//
// [Compare] lays the rounds of two runs beside each other. Only if every round of one
// is above every round of the other, and the medians differ by [Threshold] or
// more, is the difference called one. If rounds were draws from one urn, 7 and 7 of
// them would lie so once in 1716 times. What differs between two runs as a whole,
// a neighbour who came in between, no single pair of runs can tell: run both twice.
package microbench
