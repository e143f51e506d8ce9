//go:build !linux

package syswait

func (c *Call) once() int { return 0 }
