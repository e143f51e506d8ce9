package ring

import (
	"errors"
	"fmt"
	"math/bits"
)

// DefaultCapacity is the capacity of a ring whose Config says none: messages of a
// [Ring], and 64 times as many bytes of a [Bytes].
const DefaultCapacity = 1024

// MaxCapacity is the largest capacity, messages or bytes.
const MaxCapacity = 1 << 30

// ErrCapacity is the error for a capacity out of range.
var ErrCapacity = errors.New("ring: capacity out of range")

// Config is how a ring is made. The zero value is useful.
type Config struct {
	// Capacity is how many messages (of a Ring) or bytes with headers (of a Bytes,
	// at least [MinBytes]) fit. It is rounded up to a power of two. 0 is the default.
	Capacity int

	// Wake, when set, is called by the producer's goroutine (or the one that calls
	// Close) after it published to a parked consumer: at most once a Park. It must
	// not block; it usually writes to an eventfd. It costs every publish a
	// sequentially consistent store, and a system call when the consumer is parked.
	// nil: the consumer looks by itself.
	Wake func()
}

func (c Config) capacity(least, usual int) (int, error) {
	switch {
	case c.Capacity == 0:
		return usual, nil
	case c.Capacity < 0 || c.Capacity > MaxCapacity:
		return 0, fmt.Errorf("%w: %d is not in 0..%d", ErrCapacity, c.Capacity, MaxCapacity)
	}
	return max(least, 1<<bits.Len(uint(c.Capacity-1))), nil
}

// Stats are counts since the ring was made.
type Stats struct {
	Offered   uint64 // messages published, and refusals
	Refused   uint64 // claims and offers that were BackPressured or Closed
	HighWater uint64 // largest backlog that a side saw when it looked at the other's index: messages, or bytes of a Bytes
}
