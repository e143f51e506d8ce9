//go:build race

package system

// raced says that the race detector is on: everything takes ten times as long.
const raced = true
