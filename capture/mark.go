package capture

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// What is for machines stands in custom options of packets and in custom blocks, of
// the enterprise number that RFC 5612 sets aside for examples: there is none of our
// own. Others may use it too, so all of it begins with a magic:
//
//	"boom", version, kind, 0, 0                                   prefixSize bytes
//
//	options  '+'  seq uint64                    the packet's payload is data of this record, which goes on
//	         'r'  record without data           … and here it ends
//	         's'  seq uint64                    of secrets: they are this record's data
//	         'b'                                as the block: records before that of the packet
//	blocks   'p'  length uint32, JSON           a partHead: which file of which recording this is
//	         'b'  distance int64, count uint32, length uint32, entries
//	                                            records; the wall time of each is its At + distance;
//	                                            an entry is its length uint32, with bit 31 if it is
//	                                            restated, and the record
//	         'd'  seq uint64, length uint32, data    as '+', for data of no packet
//
// Numbers are little-endian. A record whose header says that it has data, and that
// has none, has what came before it under its seq.
const (
	pen     = 32473
	magic   = "boom"
	version = 1

	markMore    = '+'
	markRecord  = 'r'
	markSecrets = 's'
	blockPart   = 'p'
	blockBatch  = 'b'
	blockData   = 'd'

	prefixSize    = len(magic) + 4
	batchHead     = prefixSize + 16
	restatedEntry = 1 << 31

	// maxMark is the longest record without data that fits into an option.
	maxMark = pcapng.MaxOption - 4 - prefixSize
	// maxInline is the most data of a record that stays with it in a batch.
	maxInline = 256 << 10
	// maxPiece is the most data in a block of them.
	maxPiece = 1 << 20
	// maxRecord is the most data that a record can have: an eighth of the largest
	// ring, and a write that was cut into pieces of that.
	maxRecord = 1 << 27
)

func appendPrefix(dst []byte, kind byte) []byte {
	return append(append(dst, magic...), version, kind, 0, 0)
}

// appendMark appends the value of a custom option that stands for a record's number.
func appendMark(dst []byte, kind byte, seq uint64) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, pen)
	dst = appendPrefix(dst, kind)
	return binary.LittleEndian.AppendUint64(dst, seq)
}

// appendRecordMark appends the value of the option with which a record ends.
func appendRecordMark(dst []byte, r *tape.Record) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, pen)
	dst = appendPrefix(dst, markRecord)
	return r.Append(dst, false)
}

// markSize is the length of r without its data.
func markSize(r *tape.Record) int { return tape.HeaderSize + len(r.Text) + len(r.Err.Text) }

var errVersion = errors.New("made by a later version")

// parsePrefix reads the prefix; ok is false where b is somebody else's.
func parsePrefix(b []byte) (kind byte, rest []byte, ok bool, err error) {
	if len(b) < prefixSize || string(b[:len(magic)]) != magic {
		return 0, nil, false, nil
	}
	if v := b[len(magic)]; v != version {
		return 0, nil, false, fmt.Errorf("%w: %d, this one reads %d", errVersion, v, version)
	}
	return b[len(magic)+1], b[prefixSize:], true, nil
}

// parseSeq reads what appendMark wrote behind the prefix.
func parseSeq(b []byte) (uint64, error) {
	if len(b) != 8 {
		return 0, fmt.Errorf("a record's number of %d bytes, not 8", len(b))
	}
	return binary.LittleEndian.Uint64(b), nil
}

// partHead says which file of which recording it stands in.
type partHead struct {
	Recording string `json:"recording"` // a random name that all its files have
	Part      int    `json:"part"`      // 1, 2, 3, …
	Created   int64  `json:"created"`   // by the wall, in nanoseconds since 1970
	// Distance is the wall's time minus the recorder's clock, when the file began.
	Distance int64 `json:"distance"`
}
