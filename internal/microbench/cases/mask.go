package cases

import (
	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// masks are the cost of masking what a client sends.
func masks() []microbench.Case {
	return []microbench.Case{
		{Name: "mask.200B", What: "frame.MaskCopy of 200 bytes, as every message sent is", Run: batches(maskCopies(200))},
		{Name: "mask.4KiB", What: "frame.MaskCopy of 4096 bytes", Run: batches(maskCopies(4096))},
	}
}

func maskCopies(size int) func(n int) {
	src, dst := make([]byte, size), make([]byte, size)
	return func(n int) {
		for i := range n {
			frame.MaskCopy(dst, src, [4]byte{1, 2, 3, byte(i)}, 0)
		}
		microbench.Sink += uint64(dst[size-1])
	}
}
