//go:build !linux

package reactor

// where is the calling thread and the CPU that it runs on; -1: not known.
func where() (thread, cpu int) { return -1, -1 }

// A reactor needs Linux: nothing here is ever called.

func onFirstThread() bool       { return false }
func nameThread(string)         {}
func setTimerSlack(int64) error { return nil }
