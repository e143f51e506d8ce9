package stats_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/boomnet-go/boomnet/stats"
)

// One process publishes, another one reads. Here they are the same.
func Example() {
	dir, err := os.MkdirTemp("", "boomnet")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	file, err := stats.Create(stats.FileConfig{Dir: filepath.Join(dir, "counters"), Name: "feed handler"})
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	book := file.NewBlock("book", "btcusdt", "")
	defer book.Free()
	gaps := book.Counter("gaps", "gaps", "sequence numbers missed")
	levels := book.Gauge("levels", "levels", "price levels held")
	gaps.Add(2)
	levels.Set(40)

	view, err := stats.Attach(file.Path()) // AttachPID, elsewhere
	if err != nil {
		log.Fatal(err)
	}
	defer view.Close()
	blocks, err := view.Blocks()
	if err != nil {
		log.Fatal(err)
	}
	for _, b := range blocks {
		for _, c := range b.Cells {
			var v stats.Value
			if b.Name == "btcusdt" && c.Read(&v) == nil {
				fmt.Println(c.Desc().Name, v.Int)
			}
		}
	}
	// Output:
	// gaps 2
	// levels 40
}
