//go:build !linux

package microbench

func threadTime(int) int64 { return 0 }
func threadID() int        { return 0 }
func stays(int) error      { return nil }
