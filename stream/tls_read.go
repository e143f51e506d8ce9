package stream

import (
	"io"
	"syscall"
)

// Read implements [Stream]: one Read of the layer below, then every record
// that is complete is opened into p, until p is full. What p cannot take is
// kept, and Buffered says so.
func (t *TLS) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n := copy(p, t.aside)
	t.aside = t.aside[n:]
	if n = t.open(p, n); n > 0 {
		t.in.settle()
		return n, nil
	}
	if t.rerr != nil {
		return t.refuse()
	}
	k, err := t.lower.Read(t.raw())
	if k == 0 {
		return t.readFailed(err)
	}
	t.in.feed(t.raw()[:k])
	n = t.open(p, 0)
	t.in.settle()
	switch {
	case n > 0:
		return n, nil
	case t.rerr != nil:
		return t.refuse()
	}
	return 0, ErrWouldBlock // part of a record, or none with data in it
}

// open opens complete records into p[n:] and returns the new n. It stops when
// the next record may not fit; if it is the first one, it is opened aside and
// handed out in parts. An error found behind data is kept for the next Read.
//
// Each turn of the loop lends crypto/tls one record, all of which it takes: so
// the number of turns is bounded by what was read.
func (t *TLS) open(p []byte, n int) int {
	for n < len(p) && t.rerr == nil {
		size := t.in.next()
		if size == 0 {
			break
		}
		fits := size - recordHeader - minExpansion
		if len(p)-n >= fits {
			n += t.openOne(size, p[n:])
			continue
		}
		if n > 0 {
			break
		}
		if len(t.spill) < fits {
			t.spill = make([]byte, fits)
		}
		t.aside = t.spill[:t.openOne(size, t.spill)]
		n = copy(p, t.aside)
		t.aside = t.aside[n:]
	}
	return n
}

// openOne opens the next record, which is complete and size bytes long, and
// returns how much data it had: none for a ticket, a KeyUpdate, an alert, an
// empty record. crypto/tls answers by itself where the protocol demands it.
func (t *TLS) openOne(size int, p []byte) int {
	werr := t.werr
	t.in.lend(size)
	n, err := t.conn.Read(p)
	switch err {
	case nil, syscall.EAGAIN:
	case io.EOF:
		t.rerr = io.EOF // close_notify
	default:
		t.rerr = t.fail(err)
		if werr != nil {
			// A KeyUpdate that could not be answered leaves the keys out of
			// step: what looks like a bad record is the write side's failure.
			t.rerr = werr
		}
	}
	return n
}

// readFailed is called when the layer below had nothing and no record is left.
func (t *TLS) readFailed(err error) (int, error) {
	switch err {
	case ErrWouldBlock:
		return 0, err
	case io.EOF:
		t.rerr = t.fail(io.ErrUnexpectedEOF) // no close_notify
	case nil:
		t.rerr = errEmptyRead
	default:
		t.rerr = err
	}
	return t.refuse()
}

func (t *TLS) refuse() (int, error) {
	t.told = true
	return 0, t.rerr
}

// Buffered implements [Stream]. An error that was found behind data and not
// returned yet counts: the kernel may have nothing more to announce it with.
func (t *TLS) Buffered() bool {
	if t.rerr != nil {
		return !t.told || len(t.aside) > 0
	}
	return len(t.aside) > 0 || t.in.next() > 0 || t.lower.Buffered()
}
