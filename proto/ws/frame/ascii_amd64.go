//go:build !purego

package frame

// asciiPrefix is asciiPrefixWords with the vectors that every amd64 has (SSE2), 64
// bytes a step. It reads nothing outside of p.
//
//go:noescape
func asciiPrefix(p []byte) int
