//go:build !amd64

package idle

func pause() {}
