package ring_test

import (
	"fmt"

	"github.com/boomnet-go/boomnet/reactor/ring"
)

// One side claims, fills and publishes; the other one peeks and releases, here in
// a batch of at most 16.
func Example() {
	type quote struct{ Price, Size int64 }
	r, err := ring.New[quote](ring.Config{Capacity: 2})
	if err != nil {
		panic(err)
	}
	for i := range int64(3) {
		q, res := r.Claim()
		if res != ring.Accepted {
			fmt.Println("quote", i, res)
			continue
		}
		q.Price, q.Size = 100+i, 5
		r.Publish()
	}
	r.Drain(16, func(q *quote) { fmt.Println(q.Price, q.Size) })
	// Output:
	// quote 2 BackPressured
	// 100 5
	// 101 5
}
