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
	r, raw := &t.tls.in, t.tls.raw()
	n, err := t.below().Read(raw)
	switch err {
	case nil:
		r.feed(raw[:n])
		r.settle()
		return nil
	case io.EOF, errEmptyRead:
		return err // crypto/tls compares io.EOF
	}
	return &lowerError{err}
}

var errEmptyRead = errors.New("stream: the layer below read nothing and told no error")

// below is the layer below during the handshake.
func (t *transport) below() blocking { return blocking{t.ctx, t.tls.lower} }

func (t *transport) Write(b []byte) (int, error) {
	if t.ctx == nil {
		return t.tls.sealed(b)
	}
	n, err := t.below().Write(b)
	if err != nil {
		err = &lowerError{err}
	}
	return n, err
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
