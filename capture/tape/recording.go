package tape

import "io"

// Recording is what can be read from its beginning, more than once.
type Recording interface {
	// Open begins to read. Several readers may be open at a time.
	Open() (Source, error)
}

// Source hands out the records of a recording in the order of Seq. One goroutine at
// a time uses it.
type Source interface {
	// Next returns the next record, which is the caller's until the next call;
	// io.EOF after the last one.
	Next() (*Record, error)
	// Close frees what the source holds.
	Close() error
}

// Memory is a recording in memory. The zero value is empty and ready.
type Memory []Record

// Keep appends a copy of rec.
func (m *Memory) Keep(rec *Record) {
	own := *rec
	own.Text = append([]byte(nil), rec.Text...)
	own.Data = append([]byte(nil), rec.Data...)
	*m = append(*m, own)
}

// Open implements Recording. Records that are kept later are not seen.
func (m Memory) Open() (Source, error) { return &memorySource{left: m}, nil }

type memorySource struct {
	left Memory
	out  Record
}

func (s *memorySource) Next() (*Record, error) {
	if len(s.left) == 0 {
		return nil, io.EOF
	}
	s.out, s.left = s.left[0], s.left[1:]
	return &s.out, nil
}

func (s *memorySource) Close() error { return nil }
