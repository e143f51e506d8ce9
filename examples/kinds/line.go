package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// MaxLine is the longest line, in bytes without its end.
const MaxLine = 4096

// ErrNotConnected answers WriteLine on a nil *LineConn.
var ErrNotConnected = errors.New("line: not connected")

// Line is a whole endpoint protocol: lines of text that end in LF or CRLF, over
// "tcp://host:port" or "tls://host:port".
type Line struct {
	Target string
	Stream stream.Options
	// OnLine is called with each line; line is a view, dead when it returns.
	OnLine func(c *LineConn, line []byte) error

	conn *LineConn
}

// Conn is the open connection, nil when there is none: what Dispatch hands out.
func (l *Line) Conn() *LineConn { return l.conn }

// EndpointName implements endpoint.Named.
func (l *Line) EndpointName() string { return l.Target }

// Connect implements endpoint.Protocol, on a connector goroutine.
func (l *Line) Connect(ctx context.Context, via *endpoint.Connector) (endpoint.Hot, error) {
	s, err := via.Dial(ctx, l.Target, &l.Stream)
	if err != nil {
		return nil, err
	}
	return &LineConn{line: l, stream: s}, nil
}

// LineConn is one connection, an endpoint.Hot. Everything but Discard runs on the
// reactor's goroutine.
type LineConn struct {
	line    *Line
	stream  stream.Stream
	at      endpoint.Attachment
	closing bool
	n       int               // bytes in buf: a line that is not complete
	buf     [MaxLine + 2]byte // with CRLF
}

// WriteLine sends p, which it does not keep, and a line feed, whole or not at all:
// stream.ErrBackPressured and stream.ErrTooLarge leave the connection as it was.
func (c *LineConn) WriteLine(p []byte) error {
	if c == nil {
		return ErrNotConnected
	}
	out := append(append(c.at.Scratch().Out[:0], p...), '\n')
	_, err := c.stream.Write(out)
	if c.stream.Queued() > 0 {
		c.at.WantWrite() // may be called from another endpoint's method
	}
	return err
}

// OnReady makes one read and hands on the lines that it completed.
func (c *LineConn) OnReady() (more bool, err error) {
	n, err := c.stream.Read(c.buf[c.n:])
	if err == io.EOF && c.n > 0 {
		return false, fmt.Errorf("line: %w: %d bytes of a line", io.ErrUnexpectedEOF, c.n)
	}
	if err != nil {
		return false, err
	}
	rest := c.buf[:c.n+n]
	for {
		line, after, whole := bytes.Cut(rest, []byte{'\n'})
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) > MaxLine {
			return false, fmt.Errorf("line: a line is longer than %d bytes", MaxLine)
		}
		if !whole {
			break
		}
		if err := c.line.OnLine(c, line); err != nil {
			return false, endpoint.ByUser(err)
		}
		rest = after
	}
	c.n = copy(c.buf[:], rest)
	return c.stream.Buffered(), nil
}

// OnWritable sends what is queued, and ends a connection that waited for that.
func (c *LineConn) OnWritable() error {
	if err := c.stream.Flush(); err != nil || !c.closing {
		return err
	}
	return io.EOF
}

// Close ends at once, or when what is queued has gone; the reactor sees to the deadline.
func (c *LineConn) Close(int64) error {
	if c.closing = c.stream.Queued() > 0; c.closing {
		return nil
	}
	return io.EOF
}

// OnAttach implements endpoint.Attacher: the reactor has taken over.
func (c *LineConn) OnAttach(at endpoint.Attachment) error {
	if b, ok := c.stream.(stream.Borrower); ok {
		b.Lend(at.Scratch())
	}
	c.at, c.line.conn = at, c
	return nil
}

// OnDetach implements endpoint.Detacher: the connection has ended.
func (c *LineConn) OnDetach() { c.line.conn = nil }

// Source implements endpoint.Hot.
func (c *LineConn) Source() stream.Source { return c.stream.Source() }

// OnTimer implements endpoint.Hot; no timer is ever set.
func (c *LineConn) OnTimer(int64) error { return nil }

// Queued implements endpoint.Queuer.
func (c *LineConn) Queued() int { return c.stream.Queued() }

// Discard implements endpoint.Discarder, on a housekeeping goroutine.
func (c *LineConn) Discard() { _ = c.stream.Close() }
