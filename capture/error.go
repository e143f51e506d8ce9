package capture

import (
	"errors"
	"fmt"
)

var (
	// ErrTruncated: a file ends before its last record does, as when its writer was
	// killed. All before is good; [File.Lenient] takes it as the end, [Repair] cuts it.
	ErrTruncated = errors.New("capture: truncated")
	// ErrForeign: a capture file without records of boomnet, as tcpdump makes them:
	// package packets reads these.
	ErrForeign = errors.New("capture: not a recording of boomnet")
	// ErrCorrupt: a block or a record is not as this package writes them.
	ErrCorrupt = errors.New("capture: corrupt")
	// ErrParts: files that are opened together do not make up one recording.
	ErrParts = errors.New("capture: the files do not belong together")
	// ErrFree: writing has stopped because the disk has less room than MinFree.
	ErrFree = errors.New("capture: the disk is as good as full")
	// ErrSlow: the disk takes long.
	ErrSlow = errors.New("capture: the disk is slow")
	// ErrBehind: the writer was not fast enough, and records were lost in the ring.
	ErrBehind = errors.New("capture: records were lost for want of room")
)

// Error says where a file is wrong.
type Error struct {
	Err    error // one of the above, or what reading returned
	Path   string
	Offset int64 // in the file, where it is compressed in what it holds: where the block begins
	Detail string
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("%v: %s: at byte %d", e.Err, e.Path, e.Offset)
	}
	return fmt.Sprintf("%v: %s: at byte %d: %s", e.Err, e.Path, e.Offset, e.Detail)
}

// Unwrap makes errors.Is find Err.
func (e *Error) Unwrap() error { return e.Err }

// Trouble is what a recorder reports, see [Options].
type Trouble struct {
	Err  error  // ErrFree, ErrSlow, ErrBehind, or what the system said
	Path string // of the file
	// Over says that the trouble has ended. What it has cost so far:
	Over           bool
	Records, Bytes uint64
}

func (t *Trouble) Error() string {
	if t.Over {
		return fmt.Sprintf("over: %v; %d records with %d bytes were lost", t.Err, t.Records, t.Bytes)
	}
	return t.Err.Error()
}

// Unwrap makes errors.Is find Err.
func (t *Trouble) Unwrap() error { return t.Err }
