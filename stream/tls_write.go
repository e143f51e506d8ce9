package stream

import (
	"fmt"
	"io"
)

// Write implements [Stream]. The records of p are sealed into one buffer and
// handed down in one Write. A message that is longer than one record needs a
// buffer: Scratch.Raw, or one made for it when it is longer than that.
func (t *TLS) Write(p []byte) (int, error) { return t.write(p, false) }

// WriteControl implements [Stream].
func (t *TLS) WriteControl(p []byte) (int, error) { return t.write(p, true) }

func (t *TLS) write(p []byte, control bool) (int, error) {
	if t.werr != nil || len(p) == 0 {
		return 0, t.werr
	}
	size := sealedSize(len(p), t.overhead)
	// A sealed record cannot be taken back: the peer counts them. So whether
	// there is room is settled before.
	if err := t.admit(size, control); err != nil {
		return 0, err
	}
	t.batching = true
	if t.batch = t.raw()[:0]; size > cap(t.batch) {
		t.batch = make([]byte, 0, size)
	}
	_, err := t.conn.Write(p)
	if err == nil {
		err = t.emit(t.batch, control)
	}
	t.batching, t.batch = false, nil
	if err != nil {
		return 0, t.writeFailed(err)
	}
	return len(p), nil
}

// admit tells whether size bytes of records can be taken now.
func (t *TLS) admit(size int, control bool) error {
	fits := func() bool {
		return len(t.owed) == 0 && size <= t.lower.Room() ||
			control && size <= ControlReserve-len(t.owed)
	}
	if fits() {
		return nil
	}
	if err := t.Flush(); err != nil && err != ErrWouldBlock {
		return err
	}
	switch {
	case fits():
		return nil
	case size-t.lower.Queued() > t.lower.Room():
		return ErrTooLarge
	}
	return ErrBackPressured
}

// sealed is what crypto/tls writes after the handshake: the records of a
// message, which are collected, or something of its own (an alert, the answer
// to a KeyUpdate), which goes down as a control message.
//
// What crypto/tls writes must be taken: an error here would end the connection.
// There is room for about fifty such answers above the queue's bound; a peer
// that asks for more without reading any of them is beyond help.
func (t *TLS) sealed(b []byte) (int, error) {
	if t.batching {
		t.batch = append(t.batch, b...)
		return len(b), nil
	}
	if size := len(t.owed) + len(b); size > 2*ControlReserve {
		return 0, t.writeFailed(fmt.Errorf("%d bytes of answers that the peer does not read, at most %d allowed", size, 2*ControlReserve))
	}
	if err := t.emit(b, true); err != nil {
		return 0, t.writeFailed(err)
	}
	return len(b), nil
}

// emit hands records down. Those that the layer below refuses are owed: they
// go before anything else.
func (t *TLS) emit(b []byte, control bool) error {
	if len(t.owed) > 0 {
		t.owed = append(t.owed, b...)
		return t.pay()
	}
	var n int
	var err error
	if control {
		n, err = t.lower.WriteControl(b)
	} else {
		n, err = t.lower.Write(b)
	}
	switch {
	case err == ErrBackPressured || err == ErrWouldBlock || err == ErrTooLarge:
		t.owed = append(t.owed, b...)
	case err != nil:
		return err
	case n != len(b):
		return io.ErrShortWrite
	}
	return nil
}

// pay offers what is owed to the layer below.
func (t *TLS) pay() error {
	if len(t.owed) == 0 {
		return nil
	}
	switch n, err := t.lower.WriteControl(t.owed); {
	case err == ErrBackPressured || err == ErrWouldBlock || err == ErrTooLarge:
	case err != nil:
		return err
	case n != len(t.owed):
		return io.ErrShortWrite
	case cap(t.owed) > 2*ControlReserve:
		t.owed = nil
	default:
		t.owed = t.owed[:0]
	}
	return nil
}

// writeFailed makes an error of the write side final. crypto/tls sees it as it
// is: wrapped, so that nothing about it looks temporary.
func (t *TLS) writeFailed(err error) error {
	t.werr = t.fail(err)
	return t.werr
}

// Flush implements [Stream].
func (t *TLS) Flush() error {
	if t.werr != nil {
		return t.werr
	}
	err := t.lower.Flush()
	if len(t.owed) > 0 && (err == nil || err == ErrWouldBlock) {
		if err = t.pay(); err == nil && t.Queued() > 0 {
			err = ErrWouldBlock
		}
	}
	if err != nil && err != ErrWouldBlock {
		return t.writeFailed(err)
	}
	return err
}

// Queued implements [Stream].
func (t *TLS) Queued() int { return t.lower.Queued() + len(t.owed) }

// Room implements [Stream].
func (t *TLS) Room() int {
	if t.werr != nil || len(t.owed) > 0 {
		return 0
	}
	return plainRoom(t.lower.Room(), t.overhead)
}
