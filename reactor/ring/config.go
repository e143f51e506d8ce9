package ring

import (
	"errors"
	"fmt"
	"math/bits"
)

// DefaultCapacity is the capacity of a [Ring] whose Config says none, in messages.
const DefaultCapacity = 1024

// MaxCapacity is the largest capacity, in messages or bytes.
const MaxCapacity = 1 << 30

// ErrCapacity is the error for a capacity out of range.
var ErrCapacity = errors.New("ring: capacity out of range")

// Config is how a ring is made. The zero value is useful.
type Config struct {
	// Capacity is how many messages of a Ring, or bytes with headers of a Bytes,
	// fit. It is rounded up to a power of two, MinBytes at least for a Bytes. 0 is
	// the default: DefaultCapacity or DefaultBytes.
	Capacity int

	// Wake, when set, is called by the producer's goroutine (or the one that calls
	// Close) after it published to a parked consumer: at most once a Park. It must
	// not block; it usually writes to an eventfd. It costs every publish a
	// sequentially consistent store, and a system call when the consumer is parked.
	// nil: the consumer looks by itself, so its sleeps must be bounded.
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
