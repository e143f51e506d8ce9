package stats

import (
	"cmp"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

// Bounds of an Errors.
const (
	// MaxErrors is how many different errors are kept. When there is one more,
	// it takes the place of the one that was not seen for longest.
	MaxErrors = 48
	// MaxErrorText is the most that is kept of an error's text, in bytes.
	MaxErrorText = 200
)

// ErrorRecord is one distinct error: how often it happened, when first and last.
type ErrorRecord struct {
	Text        string
	Count       int64
	First, Last time.Time
}

// Errors is a distinct-error log: errors with the same text are one record with a
// count, so that it stays short however often things go wrong. The rules of
// Counter hold.
type Errors struct {
	forgotten atomic.Int64
	records   [MaxErrors]errorRecord
}

// errorRecord is a place for a record; one with a count of 0 is free. turn is
// that of Text.
type errorRecord struct {
	turn        atomic.Uint64
	count       atomic.Int64
	first, last atomic.Int64 // wall clock, ns since 1970
	size        atomic.Uint64
	words       [MaxErrorText / wordSize]atomic.Uint64
}

// Add counts an error that happened at the time at. Only the owner may call it.
// It does not allocate; it takes less than a microsecond or two.
func (e *Errors) Add(at time.Time, text string) {
	text = cut(text, MaxErrorText)
	now := at.UnixNano()
	oldest := &e.records[0]
	for i := range e.records {
		r := &e.records[i]
		switch {
		case r.count.Load() == 0: // and so are all behind it
			r.begin(now, text)
			return
		case r.is(text):
			r.turn.Add(1)
			r.last.Store(now)
			r.count.Add(1)
			r.turn.Add(1)
			return
		case r.last.Load() < oldest.last.Load():
			oldest = r
		}
	}
	e.forgotten.Store(e.forgotten.Load() + 1)
	oldest.begin(now, text)
}

// Reset empties the log. Only the owner may call it.
func (e *Errors) Reset() {
	for i := range e.records {
		r := &e.records[i]
		r.turn.Add(1)
		r.count.Store(0)
		r.turn.Add(1)
	}
	e.forgotten.Store(0)
}

// Forgotten is how many records had to make room for younger ones. Any goroutine
// may call it.
func (e *Errors) Forgotten() int64 { return e.forgotten.Load() }

// Records returns the errors, the one seen last first. Any goroutine may call it;
// it allocates. Texts are fit for a terminal, as those of Text.Value.
func (e *Errors) Records() []ErrorRecord { return e.AppendRecords(nil) }

// AppendRecords appends to list what Records returns.
func (e *Errors) AppendRecords(list []ErrorRecord) []ErrorRecord {
	start := len(list)
	for i := range e.records {
		if r, ok := e.records[i].read(); ok {
			list = append(list, r)
		}
	}
	slices.SortStableFunc(list[start:], func(a, b ErrorRecord) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Text, b.Text))
	})
	return list
}

// begin makes r the record of a new error.
func (r *errorRecord) begin(now int64, text string) {
	r.turn.Add(1)
	r.first.Store(now)
	r.last.Store(now)
	r.size.Store(uint64(len(text)))
	storeBytes(r.words[:], text)
	r.count.Store(1)
	r.turn.Add(1)
}

// is reports whether r is the record of text. The owner's.
func (r *errorRecord) is(text string) bool {
	if r.size.Load() != uint64(len(text)) {
		return false
	}
	for i := 0; len(text) > 0; i++ {
		w := r.words[i].Load()
		n := min(len(text), wordSize)
		for j := range n {
			if byte(w>>(8*j)) != text[j] {
				return false
			}
		}
		text = text[n:]
	}
	return true
}

func (r *errorRecord) read() (ErrorRecord, bool) {
	var buf [MaxErrorText]byte
	for range readTries {
		turn := r.turn.Load()
		count, first, last, n := r.count.Load(), r.first.Load(), r.last.Load(), min(r.size.Load(), MaxErrorText)
		if count != 0 {
			loadBytes(buf[:], r.words[:])
		}
		if turn&1 == 0 && r.turn.Load() == turn {
			return ErrorRecord{Text: printable(string(buf[:n])), Count: count, First: time.Unix(0, first), Last: time.Unix(0, last)}, count > 0
		}
		runtime.Gosched()
	}
	return ErrorRecord{}, false
}
