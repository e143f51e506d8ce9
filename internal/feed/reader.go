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

// Reader reads a feed line by line. It holds one line at a time in memory.
type Reader struct {
	in    *bufio.Reader
	file  *os.File // nil when the caller owns the input
	long  []byte   // a line longer than the buffer of in
	line  int
	limit int
}

// Open opens a feed file, plain or gzip. Close gives it back.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("feed: %w", err)
	}
	r, err := NewReader(f)
	if err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	r.file = f
	return r, nil
}

// NewReader reads a feed from in, which stays the caller's to close.
func NewReader(in io.Reader) (*Reader, error) {
	const bufferSize = 64 << 10
	b := bufio.NewReaderSize(in, bufferSize)
	if magic, _ := b.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) { // RFC 1952, section 2.3.1
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("feed: gzip header: %w", err)
		}
		b = bufio.NewReaderSize(z, bufferSize)
	}
	return &Reader{in: b, limit: MaxLine}, nil
}

// Next returns the next line; its payload is only valid until the next call.
// io.EOF says that the feed has ended where a line ended (the last line needs
// no line feed). Every other error is a *LineError and repeats the number of the
// line; what follows a bad line may still be read by calling Next again,
// except after ErrLineLong and errors of the input. Empty lines are skipped.
func (r *Reader) Next() (Line, error) {
	for {
		raw, err := r.read()
		if err != nil {
			return Line{}, err
		}
		if len(raw) == 0 {
			continue
		}
		l, err := ParseLine(raw)
		if err != nil {
			return Line{}, &LineError{Line: r.line, Err: err}
		}
		return l, nil
	}
}

// read returns the next line without its line feed.
func (r *Reader) read() ([]byte, error) {
	r.long = r.long[:0]
	r.line++
	for {
		part, err := r.in.ReadSlice('\n')
		if len(r.long)+len(part) > r.limit+1 { // the line feed is not counted
			return nil, &LineError{Line: r.line, Err: fmt.Errorf("%w: over %d bytes", ErrLineLong, r.limit)}
		}
		whole := part
		if len(r.long) > 0 || err == bufio.ErrBufferFull {
			r.long = append(r.long, part...)
			whole = r.long
		}
		switch {
		case err == nil:
			return whole[:len(whole)-1], nil
		case err == bufio.ErrBufferFull:
			continue
		case err == io.EOF && len(whole) > r.limit:
			return nil, &LineError{Line: r.line, Err: fmt.Errorf("%w: over %d bytes", ErrLineLong, r.limit)}
		case err == io.EOF && len(whole) > 0:
			return whole, nil
		case err == io.EOF:
			return nil, io.EOF
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil, &LineError{Line: r.line, Err: ErrTruncated}
		default:
			return nil, &LineError{Line: r.line, Err: fmt.Errorf("feed: %w", err)}
		}
	}
}

// Close closes the file that Open opened.
func (r *Reader) Close() error {
	if r.file == nil {
		return nil
	}
	return r.file.Close()
}

// Info is what is known of a feed that was read to its end.
type Info struct {
	Messages    int
	Bytes       int64 // of payload
	Largest     int   // payload in bytes
	First, Last int64 // times of the first and the last line, in nanoseconds since 1970
}

// Scan reads the file at path from its first to its last line, so that errors in
// it are known before anybody is served from it. Errors name the file and the line.
func Scan(path string) (Info, error) {
	var info Info
	r, err := Open(path)
	if err != nil {
		return info, err
	}
	defer func() { _ = r.Close() }()
	for {
		l, err := r.Next()
		if err == io.EOF {
			return info, nil
		}
		if err != nil {
			return info, fmt.Errorf("%s: %w", path, err)
		}
		if info.Messages == 0 {
			info.First = l.Time
		}
		info.Messages++
		info.Bytes += int64(len(l.Payload))
		info.Largest = max(info.Largest, len(l.Payload))
		info.Last = l.Time
	}
}
