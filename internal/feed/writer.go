package feed

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
)

// Writer writes a feed, compressed with gzip. What was written is complete in
// the file after Close.
type Writer struct {
	zip  *gzip.Writer
	out  *bufio.Writer
	file *os.File // nil when the caller owns the output
	line []byte
	err  error // the first error; it sticks
}

// Create makes a new feed file that only its owner may read (mode 0600). A file
// that is already there is not overwritten: the error is then fs.ErrExist.
func Create(path string) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	w := NewWriter(f)
	w.file = f
	return w, nil
}

// NewWriter writes a feed to out, which stays the caller's to close.
func NewWriter(out io.Writer) *Writer {
	const bufferSize = 64 << 10
	b := bufio.NewWriterSize(out, bufferSize)
	z, err := gzip.NewWriterLevel(b, gzip.BestSpeed)
	return &Writer{zip: z, out: b, err: err}
}

// Write writes one line. The payload is not kept. A payload with a line feed
// (ErrLineFeed) or one over the limit (ErrLineLong) is refused and the Writer goes
// on; after an error of the output every later call returns the same error.
func (w *Writer) Write(l Line) error {
	if w.err != nil {
		return w.err
	}
	if bytes.IndexByte(l.Payload, '\n') >= 0 {
		return ErrLineFeed
	}
	w.line = AppendLine(w.line[:0], l)
	if n := len(w.line) - 1; n > MaxLine {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrLineLong, n, MaxLine)
	}
	if _, err := w.zip.Write(w.line); err != nil {
		w.err = fmt.Errorf("feed: %w", err)
	}
	return w.err
}

// Close completes the compressed data, writes what is buffered and closes the
// file that Create made. A second Close returns fs.ErrClosed.
func (w *Writer) Close() error {
	if errors.Is(w.err, os.ErrClosed) {
		return w.err
	}
	errs := []error{w.err, w.zip.Close(), w.out.Flush()}
	if w.file != nil {
		errs = append(errs, w.file.Close())
	}
	w.err = fmt.Errorf("feed: %w", os.ErrClosed)
	return errors.Join(errs...)
}
