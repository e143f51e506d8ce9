package pcapng

import (
	"errors"
	"fmt"
)

// What can be wrong with a file. Next returns them in an [*Error].
var (
	// ErrFormat: the input is neither pcapng nor pcap.
	ErrFormat = errors.New("pcapng: not a capture file")
	// ErrTruncated: the input ends inside of a block, as when its writer died.
	ErrTruncated = errors.New("pcapng: truncated")
	// ErrLength: a block's length is wrong, so that the next one cannot be found.
	ErrLength = errors.New("pcapng: wrong block length")
	// ErrBlock: what is inside of a block is wrong; Next may be called again and
	// goes on with the next block.
	ErrBlock = errors.New("pcapng: wrong block")
	// ErrLimit: a block is longer than the limit, see [Reader.SetMaxBlock], or a
	// section has more interfaces than are kept in memory: MaxInterfaces of them,
	// with together MaxOptions options and as many bytes as one block may have.
	ErrLimit = errors.New("pcapng: over the limit")
	// ErrVersion: the section's version is not known; Next may be called again and
	// goes on with the next section, as the draft demands. Of a classic pcap it comes
	// from NewReader.
	ErrVersion = errors.New("pcapng: unknown version")
)

// Error is what was found wrong, and where.
type Error struct {
	Err    error  // one of the above, or one that wraps what the input's Read returned
	Offset int64  // where the block begins, in bytes from the begin of the input
	Whole  int64  // the input is whole up to here, see [Reader.Whole]
	Detail string // what is wrong, with the values
}

func (e *Error) Error() string {
	if errors.Is(e.Err, ErrFormat) {
		return fmt.Sprintf("%v: %s", e.Err, e.Detail)
	}
	return fmt.Sprintf("%v: at byte %d: %s; whole up to byte %d", e.Err, e.Offset, e.Detail, e.Whole)
}

// Unwrap makes errors.Is find Err.
func (e *Error) Unwrap() error { return e.Err }

// passable reports whether Next can go on behind the block.
func passable(err error) bool { return errors.Is(err, ErrBlock) || errors.Is(err, ErrVersion) }
