//go:build !purego

package ring

const purego = false
