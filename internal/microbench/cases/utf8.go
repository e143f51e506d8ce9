package cases

import (
	"strings"

	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// utf8s are the cost of checking the text that comes.
func utf8s() []microbench.Case {
	return []microbench.Case{
		{Name: "utf8.ascii-200B", What: "frame.ValidUTF8 of 200 bytes of ASCII, as nearly all feeds send", Run: batches(validity(strings.Repeat("a", 200)))},
		{Name: "utf8.ascii-4KiB", What: "frame.ValidUTF8 of 4096 bytes of ASCII", Run: batches(validity(strings.Repeat("a", 4096)))},
		{Name: "utf8.mixed-200B", What: "frame.ValidUTF8 of 200 bytes with letters of one to four bytes", Run: batches(validity(strings.Repeat("aä€😀", 20)))},
	}
}

func validity(text string) func(n int) {
	p := []byte(text)
	return func(n int) {
		valid := 0
		for range n {
			if frame.ValidUTF8(p) {
				valid++
			}
		}
		if valid != n {
			panic("cases: the text is valid UTF-8")
		}
		microbench.Sink += uint64(valid)
	}
}
