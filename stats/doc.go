// Package stats counts what a reactor does and how long it takes, while others
// look on.
//
// A [Block] is a named group of cells, "reactor-0" say, written by one goroutine:
//
//	b := stats.NewBlock("reactor-0")
//	reads := b.Counter("reads", "calls", "network reads")
//	depth := b.Gauge("queue", "bytes", "bytes that the kernel has not taken")
//	delay := b.Histogram("receive_to_handler", "ns", "from the network read to the handler")
//
//	reads.Add(1)                  // the owner: a few nanoseconds, no allocation
//	delay.Record(now - received)
//
//	b.Each(func(d stats.Desc, v stats.Value) { … })   // anybody, at any time
//
// # For other processes
//
// [Create] makes the counters file of this process, in memory; Blocks of
// [File.NewBlock] lie in it and count no differently. Others find it with [List],
// read it with [Attach], and neither side needs the other's help:
//
//	owner                                    reader
//	Create ──► PID.stats, 0600, locked ◄──── List, Attach
//	NewBlock, Counter, … ─► extents    ◄──── View.Blocks: what is there
//	c.Add(1) ─────────────► a cell     ◄──── CellView.Read: loads
//	Free ─────────────────► stamp + 1  ◄──── ErrFreed
//	the process ends ─────► lock gone  ◄──── Process.Stale
//
// A reader trusts nothing that it finds in a file. layout.go has the layout.
//
// # One writer, any reader
//
// Each cell has exactly one writer at a time, the goroutine that owns its Block.
// So an addition is a load and a store of the owner's own value, without the
// locked read-modify-write that a shared counter needs, and without waiting for
// anyone. Readers load atomically from any goroutine. They see each cell whole,
// but not all cells at the same instant. A second writer at the same time would
// lose counts silently.
//
// # Memory
//
// A cell is the memory itself: a *Counter points at its eight bytes and nothing
// else. Cells of one Block lie close together; cells of different Blocks never
// share a pair of cache lines ([Line] bytes: processors fetch lines in pairs),
// so reactors do not slow each other down by counting. Zero bytes are a valid
// cell of every kind, and a cell needs no pointer, so that a Block may as well lie
// in the mapping that other processes read.
package stats
