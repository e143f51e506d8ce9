package stats

import "sync/atomic"

// Counter is a number that counts what happened. One goroutine at a time writes
// it, any reads it; neither allocates. The zero value is a counter at 0 outside
// of any Block. A Counter must not be copied.
type Counter struct{ v atomic.Int64 }

// Add adds n. Only the owner may call it.
func (c *Counter) Add(n int64) { store(&c.v, c.v.Load()+n) }

// Store makes v the value: for an owner that counts in a variable of its own and
// publishes now and then. Only the owner may call it.
func (c *Counter) Store(v int64) { store(&c.v, v) }

// Value returns the value. Any goroutine may call it.
func (c *Counter) Value() int64 { return c.v.Load() }

// Gauge is a number that goes up and down. The rules of Counter hold.
type Gauge struct{ v atomic.Int64 }

// Set makes v the value. Only the owner may call it.
func (g *Gauge) Set(v int64) { store(&g.v, v) }

// Add adds n, which may be negative. Only the owner may call it.
func (g *Gauge) Add(n int64) { store(&g.v, g.v.Load()+n) }

// Value returns the value. Any goroutine may call it.
func (g *Gauge) Value() int64 { return g.v.Load() }
