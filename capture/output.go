package capture

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/zstd"
)

// output is the files of a recorder, one after the other. What is written is whole
// blocks, and either all of them are in the file or none: what a write that failed
// has left behind is cut off.
type output struct {
	disk     disk
	path     string // of the first file
	maxFiles int
	zstd     *zstd.Encoder // nil: as it is
	frame    []byte

	file    file // nil: the next write makes one
	name    string
	part    int
	size    int64
	torn    bool // there may be something behind size
	written int64
	kept    []string // names of the files that are there
}

func newOutput(d disk, path string, compress bool, maxFiles int) (*output, error) {
	w := &output{disk: d, path: path, maxFiles: maxFiles}
	if compress {
		var err error
		// One frame for each write, so that all that was written can be read.
		w.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("capture: %w", err)
		}
	}
	return w, nil
}

// open makes the next file. A number that is taken, by whomever, is passed over, but
// for the first.
func (w *output) open() error {
	for {
		name := partName(w.path, w.part+1)
		f, err := w.disk.create(name)
		if errors.Is(err, fs.ErrExist) && w.part > 0 {
			w.part++
			continue
		}
		if err != nil {
			return err
		}
		w.file, w.name, w.size, w.torn = f, name, 0, false
		w.part++
		w.kept = append(w.kept, name)
		return nil
	}
}

// write appends whole blocks.
func (w *output) write(blocks []byte) error {
	if w.file == nil {
		if err := w.open(); err != nil {
			return err
		}
	}
	if err := w.mend(); err != nil {
		return err
	}
	if w.zstd != nil {
		w.frame = w.zstd.EncodeAll(blocks, w.frame[:0])
		blocks = w.frame
	}
	n, err := w.file.WriteAt(blocks, w.size)
	if err == nil && n < len(blocks) {
		err = io.ErrShortWrite
	}
	if err != nil {
		w.torn = true
		_ = w.mend() // else it is tried again before the next write
		return err
	}
	w.size += int64(n)
	w.written += int64(n)
	return nil
}

// mend cuts off what a write that failed has left.
func (w *output) mend() error {
	if !w.torn {
		return nil
	}
	if err := w.file.Truncate(w.size); err != nil {
		return err
	}
	w.torn = false
	return nil
}

// close ends the file. The oldest goes when there are too many.
func (w *output) close(sync bool) error {
	if w.file == nil {
		return nil
	}
	err := w.mend()
	if sync {
		err = errors.Join(err, w.file.Sync())
	}
	err = errors.Join(err, w.file.Close())
	w.file = nil
	return err
}

// prune removes the oldest files, so that with the next there are no more than
// maxFiles.
func (w *output) prune() error {
	var failed error
	for w.maxFiles > 0 && len(w.kept) >= w.maxFiles {
		if err := w.disk.remove(w.kept[0]); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
		w.kept = w.kept[1:]
	}
	return failed
}
