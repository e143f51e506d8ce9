//go:build !(boomnet_wait && linux && amd64)

package syswait

import "time"

// Built says whether Wait waits.
const Built = false

// Usable reports whether the processor's time stamp counter can be waited by.
func Usable() bool { return false }

// counting is what only waiting needs.
type counting struct{}

func pin()   {}
func unpin() {}

func (w *Waiter) start() {}
func (w *Waiter) stop()  {}
func (w *Waiter) tick()  {}

func (w *Waiter) wait(c *Call, _ time.Duration) int { return c.once() }
