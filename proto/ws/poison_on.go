//go:build boomnet_poison

package ws

// poison is on: go test -tags boomnet_poison overwrites views when they die, so
// that code which reads one too late fails loudly.
const poison = true
