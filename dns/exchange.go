package dns

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"time"
)

// Transport is how a server was asked.
type Transport string

// Transports.
const (
	UDP Transport = "udp"
	TCP Transport = "tcp"
)

// maxStrays is how many datagrams that are no answer a query bears: somebody is
// guessing then, and TCP cannot be guessed into (RFC 5452, section 9).
const maxStrays = 16

// ask puts q to a server, once, and waits for its answer until ctx ends. This is
// where the network is; all above it works on answers.
//
//	query ─→ UDP ─┬→ answer
//	              ├→ truncated, too large, or maxStrays strays ─→ TCP ─→ answer
//	              └→ wrong id, question or source: not seen; the wait goes on
func ask(ctx context.Context, server netip.AddrPort, q question, tcp, edns bool) (*answer, Transport, error) {
	transport := UDP
	if tcp {
		transport = TCP
	}
	var random [2]byte
	_, _ = rand.Read(random[:]) // never fails
	id := binary.BigEndian.Uint16(random[:])
	query, err := q.pack(id, edns)
	if err != nil {
		return nil, transport, err
	}
	var msg []byte
	if !tcp {
		if msg, err = askUDP(ctx, server, q, query, id, edns); errors.Is(err, errOverTCP) {
			transport = TCP
		}
	}
	if transport == TCP {
		msg, err = askTCP(ctx, server, q, query, id)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, transport, err
	}
	a, err := q.parse(msg)
	return a, transport, err
}

// errOverTCP: the answer is to be had over TCP only.
var errOverTCP = errors.New("over TCP")

// dial connects a socket that ends with ctx. The kernel chooses its port: for
// UDP at random, and lets nothing through that comes from elsewhere.
func dial(ctx context.Context, network string, server netip.AddrPort) (c net.Conn, done func() error, err error) {
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(false)
	if c, err = d.DialContext(ctx, network, server.String()); err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(0, 1)) }) // refused when c is closed by then
	return c, func() error { stop(); return c.Close() }, nil
}

func askUDP(ctx context.Context, server netip.AddrPort, q question, query []byte, id uint16, edns bool) (msg []byte, err error) {
	c, done, err := dial(ctx, "udp", server)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	if _, err := c.Write(query); err != nil {
		return nil, err
	}
	limit := plainUDP
	if edns {
		limit = maxUDP
	}
	buf := make([]byte, limit+1)
	for strays := 0; strays < maxStrays; strays++ {
		n, err := c.Read(buf)
		if err != nil {
			return nil, err
		}
		h, ok := q.answers(buf[:n], id)
		switch {
		case !ok:
			continue
		case h.Truncated || n > limit:
			return nil, errOverTCP
		}
		return buf[:n], nil
	}
	return nil, errOverTCP
}

// askTCP: two bytes of length, then the message (RFC 7766, section 8). They are
// at most 64 KiB, so the length may be believed.
func askTCP(ctx context.Context, server netip.AddrPort, q question, query []byte, id uint16) (msg []byte, err error) {
	c, done, err := dial(ctx, "tcp", server)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, done()) }()
	framed := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(query)), uint16(len(query)))
	if _, err := c.Write(append(framed, query...)); err != nil { // one write: one segment
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, fmt.Errorf("no length: %w", err)
	}
	msg = make([]byte, binary.BigEndian.Uint16(size[:]))
	if n, err := io.ReadFull(c, msg); err != nil {
		return nil, fmt.Errorf("%d of %d bytes: %w", n, len(msg), err)
	}
	if _, ok := q.answers(msg, id); !ok {
		return nil, fmt.Errorf("%w: not to what was asked", ErrMalformed)
	}
	return msg, nil
}
