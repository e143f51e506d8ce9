package stream

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// transport is the net.Conn below crypto/tls. It shapes both directions:
//
//	               handshake                        afterwards
//	Read     rest of the current record,      the one record on loan,
//	         waits for more                   then syscall.EAGAIN
//	Write    waits until the kernel has it    never waits, never fails for
//	                                          want of room: see TLS.emit
//
// As no record is handed out ahead of time, crypto/tls holds nothing beyond
// the record that it works on. EAGAIN must be exactly that value: crypto/tls
// asks the error itself whether it is temporary, and takes every other error
// for final.
type transport struct {
	tls *TLS
	ctx context.Context // of the handshake; nil afterwards
}

func (t *transport) Read(b []byte) (int, error) {
	r := &t.tls.in
	for r.loan == 0 || len(r.front()) == 0 {
		if t.ctx == nil {
			return 0, syscall.EAGAIN
		}
		if r.loan == 0 {
			if size := recordSize(r.front()); size > 0 {
				r.lend(size)
				continue
			}
		}
		if err := t.fill(); err != nil {
			return 0, err
		}
	}
	return r.take(b), nil
}

// fill reads from the layer below until something came.
func (t *transport) fill() error {
	lower, r := t.tls.lower, &t.tls.in
	for {
		n, err := lower.Read(t.tls.raw())
		if n > 0 {
			r.feed(t.tls.raw()[:n])
			r.settle()
			return nil
		}
		switch {
		case err == ErrWouldBlock:
			if err := t.wait(false); err != nil {
				return err
			}
		case err == io.EOF:
			return io.EOF // crypto/tls compares it
		case err == nil:
			return errEmptyRead
		default:
			return &lowerError{err}
		}
	}
}

var errEmptyRead = errors.New("stream: the layer below read nothing and told no error")

func (t *transport) wait(write bool) error {
	if err := t.tls.lower.(Waiter).Wait(t.ctx, write); err != nil {
		return &lowerError{err}
	}
	return nil
}

func (t *transport) Write(b []byte) (int, error) {
	if t.ctx == nil {
		return t.tls.sealed(b)
	}
	for rest := b; len(rest) > 0; {
		n, err := t.tls.lower.Write(rest[:min(len(rest), max(1, t.tls.lower.Room()))])
		rest = rest[n:]
		if err == nil {
			err = t.tls.lower.Flush()
		}
		switch err {
		case nil:
		case ErrWouldBlock, ErrBackPressured:
			if err := t.drain(); err != nil {
				return len(b) - len(rest), err
			}
		default:
			return len(b) - len(rest), &lowerError{err}
		}
	}
	return len(b), nil
}

// drain waits until the kernel has taken all that is queued below.
func (t *transport) drain() error {
	for {
		if err := t.wait(true); err != nil {
			return err
		}
		switch err := t.tls.lower.Flush(); err {
		case nil:
			return nil
		case ErrWouldBlock:
		default:
			return &lowerError{err}
		}
	}
}

// lowerError hides from crypto/tls what an error of the layer below says about
// being temporary: ETIMEDOUT says so, and is final.
type lowerError struct{ err error }

func (e *lowerError) Error() string { return e.err.Error() }
func (e *lowerError) Unwrap() error { return e.err }

// Close does nothing: who owns the TLS stream closes the layer below. During
// the handshake crypto/tls calls it from another goroutine when ctx ends, which
// the waiting goroutine notices by itself.
func (t *transport) Close() error { return nil }

// The rest of net.Conn is never asked for anything of substance.

func (t *transport) LocalAddr() net.Addr              { return transportAddr{} }
func (t *transport) RemoteAddr() net.Addr             { return transportAddr{} }
func (t *transport) SetDeadline(time.Time) error      { return nil }
func (t *transport) SetReadDeadline(time.Time) error  { return nil }
func (t *transport) SetWriteDeadline(time.Time) error { return nil }

type transportAddr struct{}

func (transportAddr) Network() string { return "stream" }
func (transportAddr) String() string  { return "stream" }
