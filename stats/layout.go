package stats

import (
	"sync/atomic"
	"unsafe"
)

// The layout of a counters file, version 1. All numbers are words of the machine
// that writes it, aligned; sizes and offsets are in bytes.
//
//	0        fileHeader, one page
//	4096     extent │ extent │ … up to fileHeader.used
//
// An extent belongs to one Block or is free; its size never changes. A Block has
// a page (pageSize) for small cells, more when it is full, and an extent for each
// large cell:
//
//	extentHead │ record │ record │ … → free ← … │ cell │ cell
//
// Records say what the cells are: each is a recordHead, three strings, and zeroes
// up to a multiple of 8. The first record of a Block's first extent is the Block
// itself.
//
// # In which order things appear
//
// Who writes publishes an extent by making extentHead.stamp odd, after everything
// in it is there, and takes it back by making it even; the number never comes
// again, so it is the generation, too. In a live extent a record and its cell are
// complete before extentHead.records includes them. An extent is complete before
// fileHeader.used includes it, and the file is as long as that before. A reader
// that finds the same odd stamp before and after a look has seen one generation.
const (
	fileMagic     = "boomstat"
	layoutVersion = 1

	pageSize  = 4096
	smallCell = 512 // larger cells have an extent of their own

	maxString = 255 // of a name, unit or help; longer ones are cut
)

type fileHeader struct {
	magic   [8]byte // written last
	version uint32
	size    uint32 // of this header: pageSize
	pid     int64
	started int64 // wall clock, ns since 1970
	used    atomic.Uint64
	name    [1 + maxString]byte // its length, then the bytes
}

type extentHead struct {
	stamp   atomic.Uint64 // odd: live
	size    uint64        // of the extent, a multiple of Line
	block   atomic.Uint64 // whose it is: a number that is not used again
	records atomic.Uint64 // bytes of records that are complete
}

type recordHead struct {
	kind    Kind // 0: the Block itself
	strings [3]uint8
	ordinal uint32 // of the cell in its Block, from 0
	at      uint32 // where the cell lies in the extent
	size    uint32 // of the cell
}

const (
	extentHeadSize = int(unsafe.Sizeof(extentHead{}))
	recordHeadSize = int(unsafe.Sizeof(recordHead{}))
)

// recordSize is the size of a record with these strings.
func recordSize(s [3]string) int {
	return roundUp(recordHeadSize+len(s[0])+len(s[1])+len(s[2]), wordSize)
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// cellSize is the size of a cell; 0 for a kind that this version does not know.
func cellSize(k Kind) int {
	switch k {
	case KindCounter:
		return int(unsafe.Sizeof(Counter{}))
	case KindGauge:
		return int(unsafe.Sizeof(Gauge{}))
	case KindHistogram:
		return int(unsafe.Sizeof(Histogram{}))
	case KindText:
		return int(unsafe.Sizeof(Text{}))
	case KindErrors:
		return int(unsafe.Sizeof(Errors{}))
	}
	return 0
}
