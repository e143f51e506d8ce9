package idle

// Pause tells the core that it is in a spin loop, for loops of one's own that
// wait for memory: it leaves more of itself to the sibling thread and leaves the
// loop faster. It takes tens of nanoseconds on some processors and does nothing on
// others than amd64. Any goroutine may call it.
func Pause() { pause() }
