//go:build race

package capture

// raced: the race detector is on. append then allocates what it need not.
const raced = true
