package stream

import "math"

// Unqueued is for streams of your own that queue and buffer nothing: a replay,
// a recording, a pipe in a test. Embed it, and write Read, Write, WriteControl,
// Source and Close. Write must then take everything or fail; when it answers
// [ErrBackPressured] it must have taken nothing.
type Unqueued struct{}

// Flush implements Stream: there is nothing to flush.
func (Unqueued) Flush() error { return nil }

// Queued implements Stream: 0.
func (Unqueued) Queued() int { return 0 }

// Room implements Stream: as long as you like.
func (Unqueued) Room() int { return math.MaxInt }

// Buffered implements Stream: nothing ever is.
func (Unqueued) Buffered() bool { return false }
