package cases

const hasTSC = true

// tsc reads the time stamp counter.
func tsc() uint64
