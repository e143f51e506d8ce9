package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stream"
)

const (
	// largest is the largest message of the suite, 16 MiB, and a little.
	largest = 17 << 20
	// caseTimeout is far above what the slowest case takes.
	caseTimeout = 3 * time.Minute
)

// client takes the cases of one fuzzing server.
type client struct {
	url   string // ws://127.0.0.1:9001
	agent string
	o     ws.Options
}

// newClient makes a client; ca is a file of certificates to trust, in PEM, or "".
func newClient(rawURL, agent, ca string) (*client, error) {
	c := &client{url: rawURL, agent: url.QueryEscape(agent)}
	c.o.MaxMessage = largest
	c.o.Compression = &ws.Compression{Threshold: 1}
	c.o.Stream.QueueBound = 2 * largest
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", ca)
		}
		c.o.Stream.TLS = &tls.Config{RootCAs: roots}
	}
	return c, nil
}

// run asks for the number of cases, takes each, and has the report written. How a
// case ends is the server's to judge; an error is a server that cannot be reached
// or does not answer.
func (c *client) run(ctx context.Context) error {
	var count string
	if err := c.visit(ctx, "/getCaseCount", func(_ *ws.Conn, m ws.Message) error {
		count = string(m.Payload)
		return nil
	}); err != nil {
		return err
	}
	n, err := strconv.Atoi(count)
	if err != nil {
		return fmt.Errorf("getCaseCount: %w", err)
	}
	for i := 1; i <= n; i++ {
		path := fmt.Sprintf("/runCase?case=%d&agent=%s", i, c.agent)
		if err := c.visit(ctx, path, func(conn *ws.Conn, m ws.Message) error { return write(ctx, conn, m) }); err != nil {
			return err
		}
	}
	return c.visit(ctx, "/updateReports?agent="+c.agent, nil)
}

// visit opens path and calls got for each message until the connection ends.
func (c *client) visit(ctx context.Context, path string, got func(*ws.Conn, ws.Message) error) error {
	ctx, cancel := context.WithTimeout(ctx, caseTimeout)
	defer cancel()
	conn, err := ws.Dial(ctx, c.url+path, &c.o)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() { _ = conn.Discard() }()
	for conn.Err() == nil {
		if _, err := conn.Fill(); err == stream.ErrWouldBlock {
			if err := conn.Wait(ctx); err != nil && conn.Err() == nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
		for m, ok := conn.Next(); ok; m, ok = conn.Next() {
			if err := got(conn, m); err != nil && conn.Err() == nil && !errors.Is(err, ws.ErrClosing) {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return linger(ctx, conn)
}

// write sends m, and waits for room as long as there is none.
func write(ctx context.Context, c *ws.Conn, m ws.Message) error {
	for {
		err := c.Write(m.Op, m.Payload)
		if err != stream.ErrBackPressured {
			return err
		}
		if err := flush(ctx, c); err != nil {
			return err
		}
	}
}

// linger sends what is left, our close frame, and waits for the server to close
// the stream first, RFC 6455, section 7.1.1.
func linger(ctx context.Context, c *ws.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, ws.DefaultCloseTimeout)
	defer cancel()
	if err := flush(ctx, c); err != nil {
		return nil // the server was gone before: it has its verdict
	}
	var rest [4 << 10]byte
	for w := c.Stream().(stream.Waiter); ; {
		_, err := c.Stream().Read(rest[:])
		if err == stream.ErrWouldBlock {
			err = w.Wait(ctx, false)
		}
		if err != nil {
			return nil
		}
	}
}

// flush waits until the kernel has taken everything.
func flush(ctx context.Context, c *ws.Conn) error {
	for w := c.Stream().(stream.Waiter); ; {
		err := c.Flush()
		if err != stream.ErrWouldBlock {
			return err
		}
		if err := w.Wait(ctx, true); err != nil {
			return err
		}
	}
}
