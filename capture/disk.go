package capture

import (
	"os"
	"time"

	"github.com/boomnet-go/boomnet/clock"
)

// disk is where files are; tests have one that fills up and breaks.
type disk interface {
	create(path string) (file, error) // new, 0600
	remove(path string) error
	free(path string) (bytes int64, err error) // for this user, where path is; -1: not known
}

// file is one of its files.
type file interface {
	WriteAt(p []byte, at int64) (int, error)
	Truncate(size int64) error
	Sync() error
	Close() error
}

// system is the disk of the system.
type system struct{}

func (system) create(path string) (file, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err // no file in an interface that is not nil
	}
	_ = lock(f) // some file systems have none
	return f, nil
}

func (system) remove(path string) error { return os.Remove(path) }

func (system) free(path string) (int64, error) { return freeBytes(path) }

// wallDistance is CLOCK_REALTIME minus CLOCK_MONOTONIC. Of a few tries the one counts
// that was not interrupted.
func wallDistance() int64 {
	var distance int64
	shortest := int64(1<<63 - 1)
	for range 5 {
		before := clock.Nano()
		wall := time.Now().UnixNano()
		took := clock.Nano() - before
		if took < shortest {
			shortest, distance = took, wall-before-took/2
		}
		if took < 1000 {
			break
		}
	}
	return distance
}
