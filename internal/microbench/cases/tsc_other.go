//go:build !amd64

package cases

const hasTSC = false

func tsc() uint64 { return 0 }
