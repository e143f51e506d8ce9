package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/boomnet-go/boomnet/stream"
)

// MaxBody bounds the body of a response, in bytes.
const MaxBody = 16 << 20

// Client makes HTTP/1.1 requests one after the other, on one connection while
// the server keeps it open. One goroutine uses it.
type Client struct {
	Target string // "tcp://host:port" or "tls://host:port"
	Stream stream.Options
	Dials  int // connections made so far

	conn *blocking
	in   *bufio.Reader
}

// Do sends a request and reads the whole response, within ctx. After an error the
// connection is gone and the next Do makes another; whether the server has acted
// on the request is not known.
func (c *Client) Do(ctx context.Context, r *http.Request) (*http.Response, []byte, error) {
	if c.conn == nil {
		s, err := c.Stream.Dial(ctx, c.Target)
		if err != nil {
			return nil, nil, err // *stream.DialError: phase, address, cause
		}
		c.Dials++
		c.conn = &blocking{s: s}
		c.in = bufio.NewReader(c.conn)
	}
	c.conn.ctx = ctx
	response, body, err := c.exchange(r)
	if err != nil || response.Close || r.Close {
		err = errors.Join(err, c.Close())
	}
	return response, body, err
}

func (c *Client) exchange(r *http.Request) (*http.Response, []byte, error) {
	if err := r.Write(c.conn); err != nil {
		return nil, nil, err
	}
	response, err := http.ReadResponse(c.in, r) // lengths, chunks and trailers are its business
	for err == nil && response.StatusCode/100 == 1 && response.StatusCode != http.StatusSwitchingProtocols {
		response, err = http.ReadResponse(c.in, r) // 100 Continue and the like announce the answer
	}
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, MaxBody+1))
	if err == nil && len(body) > MaxBody {
		err = fmt.Errorf("body of more than %d bytes", MaxBody)
	}
	return response, body, err
}

// Close ends the connection.
func (c *Client) Close() error {
	if c.conn == nil {
		return nil
	}
	s := c.conn.s
	c.conn = nil
	return s.Close()
}

// blocking is a stream that waits, as ordinary Go code expects: for the set-up
// side, never for a reactor.
type blocking struct {
	ctx context.Context
	s   stream.Stream
}

// Read implements io.Reader.
func (b *blocking) Read(p []byte) (int, error) {
	for {
		n, err := b.s.Read(p)
		if err != stream.ErrWouldBlock {
			return n, err
		}
		if err := b.wait(false); err != nil {
			return 0, err
		}
	}
}

// Write implements io.Writer: all of p is with the kernel when it returns.
func (b *blocking) Write(p []byte) (int, error) {
	n, err := b.s.Write(p)
	for err == nil || err == stream.ErrWouldBlock {
		if err = b.s.Flush(); err == nil {
			return n, nil
		}
		if err == stream.ErrWouldBlock {
			if e := b.wait(true); e != nil {
				return 0, e
			}
		}
	}
	return 0, err
}

func (b *blocking) wait(write bool) error { return b.s.(stream.Waiter).Wait(b.ctx, write) }
