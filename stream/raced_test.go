//go:build race

package stream

// raced: the race detector is on. sync.Pool then loses things on purpose.
const raced = true
