package ring

import "fmt"

// Result is the answer to a producer. It is a value and no error: it costs nothing
// to make, and being refused is everyday.
type Result uint8

const (
	Accepted      Result = iota // taken; the consumer will see it
	BackPressured               // full: nothing was taken, try later, or drop and count
	Closed                      // closed by either side: nothing will be taken again
	TooLarge                    // over the MaxMessage of a Bytes: it will never be taken
)

// String returns the name of r.
func (r Result) String() string {
	switch r {
	case Accepted:
		return "Accepted"
	case BackPressured:
		return "BackPressured"
	case Closed:
		return "Closed"
	case TooLarge:
		return "TooLarge"
	}
	return fmt.Sprintf("Result(%d)", uint8(r))
}
