//go:build !linux

package stats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// Counters files are for Linux; elsewhere all Blocks are on the heap.

type (
	backing struct{}
	source  struct{}
)

func unsupported(what string) error {
	return fmt.Errorf("stats: %s needs Linux, and this is %s: %w", what, runtime.GOOS, errors.ErrUnsupported)
}

// Dir is where the counters files of this user's processes would be.
func Dir() string {
	if dir := os.Getenv("BOOMNET_DIR"); dir != "" {
		return dir
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("boomnet-%d", os.Getuid()))
}

// MakeDir answers an error that wraps errors.ErrUnsupported.
func MakeDir(string) error { return unsupported("MakeDir") }

// Create answers an error that wraps errors.ErrUnsupported.
func Create(FileConfig) (*File, error) { return nil, unsupported("Create") }

// List answers an error that wraps errors.ErrUnsupported.
func List(string) ([]Process, error) { return nil, unsupported("List") }

// Attach answers an error that wraps errors.ErrUnsupported.
func Attach(string) (*View, error) { return nil, unsupported("Attach") }

// AttachPID answers an error that wraps errors.ErrUnsupported.
func AttachPID(string, int) (*View, error) { return nil, unsupported("AttachPID") }

// Close does nothing.
func (f *File) Close() error { return nil }

func (f *File) retire()                 {}
func (f *File) grow(from, to int) error { return errors.ErrUnsupported }

// Close does nothing.
func (v *View) Close() error { return nil }

func (v *View) cover(uint64) error { return errors.ErrUnsupported }

func (source) stale() bool { return true }
