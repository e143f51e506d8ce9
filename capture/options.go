package capture

import (
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/clock"
)

// DefaultMinFree is the default of Options.MinFree in bytes.
const DefaultMinFree = 64 << 20

// Options are how a recorder writes. The zero value is useful: one file, not
// compressed, never synced, until the disk has 64 MiB left.
type Options struct {
	// Tape is what is recorded and how much memory is between the reactor and the
	// writer.
	Tape tape.Config
	// MaxBytes begins a new file when one has so many bytes, as they are on the disk;
	// it may get longer by what is written at once, 256 KiB at most, or the longest
	// record. 0: never.
	MaxBytes int64
	// MaxAge begins a new file so long after the last. 0: never.
	MaxAge time.Duration
	// MaxFiles is how many files there are at most: the oldest one of this recorder is
	// removed. 0: no limit.
	MaxFiles int
	// Compress writes zstd, at its fastest level. ".zst" is appended to the path
	// unless it is there. What is recorded is then written each second, or each MiB,
	// and what was not is lost with the process; not compressed it is 50 ms.
	Compress bool
	// Sync is when files are synced to the disk. Default SyncNever.
	Sync SyncPolicy
	// MinFree stops writing while the disk has fewer bytes for this user. Default
	// DefaultMinFree; negative: write until it is full.
	MinFree int64
	// Report is told of trouble, once each kind until it is over, and when it is: a
	// *Trouble. It is called on the writer's goroutine, which waits for it. nil: Stats
	// tells, and Close.
	Report func(error)

	disk  disk         // of tests
	clock clock.Clock  // of the writer: for ages and intervals
	wall  func() int64 // CLOCK_REALTIME minus CLOCK_MONOTONIC
}

// SyncPolicy says when a file is synced: what survives when the machine dies. When
// only the process dies nothing depends on it.
type SyncPolicy time.Duration

const (
	// SyncNever leaves it to the system.
	SyncNever SyncPolicy = 0
	// SyncFile syncs a file when it is done.
	SyncFile SyncPolicy = -1
)

// SyncEvery syncs each d at most, and when a file is done. d must be positive.
func SyncEvery(d time.Duration) SyncPolicy { return SyncPolicy(d) }

func (o *Options) check() error {
	switch {
	case o.MaxBytes < 0:
		return fmt.Errorf("capture: MaxBytes of %d is negative", o.MaxBytes)
	case o.MaxAge < 0:
		return fmt.Errorf("capture: MaxAge of %v is negative", o.MaxAge)
	case o.MaxFiles < 0:
		return fmt.Errorf("capture: MaxFiles of %d is negative", o.MaxFiles)
	case o.MaxFiles > 0 && o.MaxBytes == 0 && o.MaxAge == 0:
		return fmt.Errorf("capture: MaxFiles of %d needs MaxBytes or MaxAge", o.MaxFiles)
	case o.Sync < SyncFile:
		return fmt.Errorf("capture: SyncEvery(%v) is not positive", time.Duration(o.Sync))
	}
	if o.MinFree == 0 {
		o.MinFree = DefaultMinFree
	}
	if o.disk == nil {
		o.disk = system{}
	}
	if o.clock == nil {
		o.clock = clock.Monotonic{}
	}
	if o.wall == nil {
		o.wall = wallDistance
	}
	return nil
}
