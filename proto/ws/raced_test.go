//go:build race

package ws

// raced: the race detector is on. sync.Pool then loses things on purpose.
const raced = true
