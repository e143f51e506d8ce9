//go:build !linux

package reactor

// A reactor needs Linux: nothing here is ever called.

func onFirstThread() bool       { return false }
func nameThread(string)         {}
func setTimerSlack(int64) error { return nil }
