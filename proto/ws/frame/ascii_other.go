//go:build !amd64 || purego

package frame

// asciiPrefix returns how many bytes at the start of p are ASCII.
func asciiPrefix(p []byte) int { return asciiPrefixWords(p) }
