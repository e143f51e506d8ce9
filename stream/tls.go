package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// TLS is a [Stream] that speaks TLS 1.2 or 1.3 over another Stream. [Secure]
// makes it; from then on one goroutine at a time uses it, without blocking.
//
//	Read                                            Write
//	  ↑ plaintext, straight into p                    ↓
//	crypto/tls ← one complete record at a time      crypto/tls: records of 16 KiB
//	  ↑ records                                       ↓ one buffer
//	Scratch.Raw ← one large Read below              one Write below
//
// Records are opened and sealed by crypto/tls, which costs one allocation and
// one copy a record. It is asked for a record only when all of it has arrived,
// so a stream may stop at every byte and go on later.
//
// An orderly end (close_notify) is io.EOF; a connection that ends without one
// is io.ErrUnexpectedEOF, as it may have been cut by somebody else. After any
// error of Read, and after an error of Write other than [ErrBackPressured] and
// [ErrTooLarge], that direction stays in error.
//
// Room, Write and WriteControl reckon with the size that a message has once it
// is sealed: 22 bytes more a record in TLS 1.3, at most 85 in TLS 1.2.
type TLS struct {
	lower    Stream
	conn     *tls.Conn
	wire     transport
	overhead int // of one record, at most

	in      records
	aside   []byte // plaintext of one record for which p was too small: what is left
	spill   []byte // memory of aside
	scratch *Scratch
	rerr    error // final
	told    bool  // rerr was returned

	batch    []byte // where the records of one message are collected
	batching bool
	owed     []byte // sealed, and refused by the layer below: goes first
	werr     error  // final
	closed   bool
}

var (
	_ Stream    = (*TLS)(nil)
	_ Waiter    = (*TLS)(nil)
	_ Detacher  = (*TLS)(nil)
	_ Borrower  = (*TLS)(nil)
	_ Addressed = (*TLS)(nil)
	_ Secured   = (*TLS)(nil)
)

// Secure makes the TLS handshake over lower, as the client, and blocks until
// it is done or ctx has ended. lower must be a [Waiter]. host is the default of
// ServerName: a name, or an IP address. On success the TLS stream owns lower;
// on failure lower stays with the caller, useless for anything but Close.
//
// config is cloned, never changed; nil is as the zero value. Its KeyLogWriter
// is still called. Differences to crypto/tls: TLS 1.2 is the least version
// whatever MinVersion says, renegotiation is refused, and records are always
// as large as they may be.
//
// A ClientSessionCache lets later connections resume the session. In TLS 1.3
// the server's tickets come after the handshake: Read puts them there. The cache
// knows a session by ServerName alone: configs with different client
// certificates must not share one.
func Secure(ctx context.Context, lower Stream, config *tls.Config, host string) (*TLS, error) {
	if _, ok := lower.(Waiter); !ok {
		return nil, fmt.Errorf("stream: tls handshake: the layer below, %T, cannot wait", lower)
	}
	t := &TLS{lower: lower}
	t.wire = transport{tls: t, ctx: ctx}
	t.conn = tls.Client(&t.wire, clientConfig(config, host))
	err := t.conn.HandshakeContext(ctx)
	t.wire.ctx = nil
	if err != nil {
		return nil, handshakeError(ctx, err)
	}
	t.overhead = maxOverhead
	if t.conn.ConnectionState().Version >= tls.VersionTLS13 {
		t.overhead = overhead13
	}
	return t, nil
}

func clientConfig(user *tls.Config, host string) *tls.Config {
	config := user.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		name, _, _ := strings.Cut(host, "%") // an IPv6 zone is no part of the name
		config.ServerName = strings.TrimSuffix(name, ".")
	}
	if config.KeyLogWriter != nil {
		config.KeyLogWriter = keyLog{config.KeyLogWriter}
	}
	config.MinVersion = max(config.MinVersion, tls.VersionTLS12)
	config.Renegotiation = tls.RenegotiateNever
	config.DynamicRecordSizingDisabled = true
	return config
}

func handshakeError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the peer closed the connection during the handshake: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// ConnectionState tells what was negotiated and what the peer's certificates
// are. It allocates.
func (t *TLS) ConnectionState() tls.ConnectionState { return t.conn.ConnectionState() }

// Lend implements [Borrower]: Raw of s is used within Read and Write, and holds
// nothing between them. The layer below borrows none of it: a second TLS there
// would need Raw at the same time.
func (t *TLS) Lend(s *Scratch) { t.scratch = s }

// raw is where bytes of the network are read to.
func (t *TLS) raw() []byte {
	if t.scratch == nil || len(t.scratch.Raw) == 0 {
		t.scratch = &Scratch{Raw: make([]byte, ScratchRaw)}
	}
	return t.scratch.Raw
}

// Source implements [Stream]: that of the layer below.
func (t *TLS) Source() Source { return t.lower.Source() }

// Wait implements [Waiter]. Waiting to read ends at once when something is
// buffered. That bytes have come does not mean that a whole record has: Read
// may still answer ErrWouldBlock.
func (t *TLS) Wait(ctx context.Context, write bool) error {
	switch {
	case t.closed:
		return net.ErrClosed
	case !write && t.Buffered():
		return nil
	}
	return t.lower.(Waiter).Wait(ctx, write)
}

// Detach implements [Detacher].
func (t *TLS) Detach() error {
	if d, ok := t.lower.(Detacher); ok {
		return d.Detach()
	}
	return nil
}

// Unwatch implements [Unwatcher].
func (t *TLS) Unwatch() error {
	if u, ok := t.lower.(Unwatcher); ok {
		return u.Unwatch()
	}
	return nil
}

// LocalAddr implements [Addressed].
func (t *TLS) LocalAddr() netip.AddrPort {
	if a, ok := t.lower.(Addressed); ok {
		return a.LocalAddr()
	}
	return netip.AddrPort{}
}

// RemoteAddr implements [Addressed].
func (t *TLS) RemoteAddr() netip.AddrPort {
	if a, ok := t.lower.(Addressed); ok {
		return a.RemoteAddr()
	}
	return netip.AddrPort{}
}

// Close implements [Stream]. The close_notify alert is sent if it can be sent
// at once. A second Close does nothing.
func (t *TLS) Close() error {
	if t.closed {
		return nil
	}
	t.closed = true
	if t.werr == nil {
		// Best effort: what fails here is closed below anyway.
		_ = t.conn.CloseWrite()
		_ = t.Flush()
	}
	err := t.lower.Close()
	t.rerr, t.werr, t.told = net.ErrClosed, net.ErrClosed, true
	t.in, t.aside, t.spill, t.scratch = records{}, nil, nil, nil
	return err
}

// fail makes an error final for one direction, with the peer's name.
func (t *TLS) fail(err error) error {
	if a := t.RemoteAddr(); a.IsValid() {
		return fmt.Errorf("stream: tls with %s: %w", a, err)
	}
	return fmt.Errorf("stream: tls: %w", err)
}
