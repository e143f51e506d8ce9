package main

// What the reactors tell each other: values without pointers, filled in place in
// the rings.

// Trade is a trade as the strategy wants it, whatever the venue writes.
type Trade struct {
	Symbol int32 // place in symbols
	Price  int64 // in units of 10^-8
	Time   int64 // CLOCK_MONOTONIC, ns: when it was read
}

// Order is what the strategy wants.
type Order struct {
	ID, Price int64
	Symbol    int32
	Time      int64 // of the trade that it answers
}

// Ack says what became of an order.
type Ack struct {
	ID   int64
	Sent bool // else refused, and nothing was sent
}
