package idle

// pause tells the core that it is in a spin loop: it leaves more of itself to
// the sibling thread and leaves the loop faster.
func pause()
