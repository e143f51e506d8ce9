//go:build !boomnet_poison

package ws

// poison is off: views that died keep their bytes until the memory is used again.
const poison = false
