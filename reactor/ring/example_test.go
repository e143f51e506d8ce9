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

// Messages of any length: encode in place, commit what it became.
func ExampleBytes() {
	const trade = 1
	b, err := ring.NewBytes(ring.Config{Capacity: 4096})
	if err != nil {
		panic(err)
	}
	if p, res := b.TryClaim(64, trade); res == ring.Accepted {
		b.Commit(copy(p, "btcusdt 64000.5"))
	}
	fmt.Println(b.Offer(trade, make([]byte, b.MaxMessage()+1)))
	b.Drain(16, func(kind int32, p []byte) { fmt.Println(kind, string(p)) })
	// Output:
	// TooLarge
	// 1 btcusdt 64000.5
}
