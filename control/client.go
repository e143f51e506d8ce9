package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/boomnet-go/boomnet/reactor/idle"
)

// Client is a connection to the control socket of a process. Any goroutine may call
// its methods; requests go out one at a time. What the process refuses is an *Error;
// after any other error the connection is closed.
type Client struct {
	hello Hello
	path  string

	mu   sync.Mutex
	conn net.Conn
	in   *bufio.Reader
}

// Dial connects to a control socket and takes its hello. ctx bounds that.
func Dial(ctx context.Context, path string) (*Client, error) {
	conn, err := dial(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("control: %s: %w", path, err)
	}
	c := &Client{path: path, conn: conn, in: bufio.NewReader(conn)}
	var first struct {
		Hello
		Error string `json:"error"` // instead, when it does not let us in
		Code  Code   `json:"code"`
	}
	err = c.wait(ctx, func() error { return c.read(&first) })
	switch {
	case err != nil:
	case first.Error != "":
		err = &Error{Code: first.Code, Text: first.Error}
	case first.Version != Version:
		err = fmt.Errorf("control: %s: the process speaks version %d of the protocol, this program version %d", path, first.Version, Version)
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.hello = first.Hello
	return c, nil
}

// Hello is what the process said of itself at the beginning.
func (c *Client) Hello() Hello { return c.hello }

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// SetIdle changes how the reactors called name wait for work. It returns which
// have done so.
func (c *Client) SetIdle(ctx context.Context, name string, s idle.Strategy) (reactors []string, err error) {
	a, err := c.ask(ctx, request{Do: doIdle, Reactor: name, Idle: s.String()})
	return a.Reactors, err
}

// ResetHistograms empties the histograms of the reactors called name and of their
// endpoints; of all reactors when there is no name. It returns which have done so.
func (c *Client) ResetHistograms(ctx context.Context, name string) (reactors []string, err error) {
	a, err := c.ask(ctx, request{Do: doReset, Reactor: name})
	return a.Reactors, err
}

// Drop ends the connections of the endpoints called endpoint on the reactors called
// name, on all reactors when there is no name. It returns how many.
func (c *Client) Drop(ctx context.Context, name, endpoint string) (n int, err error) {
	a, err := c.ask(ctx, request{Do: doDrop, Reactor: name, Endpoint: endpoint})
	return a.Dropped, err
}

// Dump tells how the reactors called name stand; all of them when there is no name.
// One that does not turn is in it, with Stuck set.
func (c *Client) Dump(ctx context.Context, name string) (*Dump, error) {
	a, err := c.ask(ctx, request{Do: doDump, Reactor: name})
	if err == nil && a.Dump == nil {
		err = errors.New("control: the answer has no dump")
	}
	return a.Dump, err
}

// ask sends a request and takes its answer.
func (c *Client) ask(ctx context.Context, q request) (a answer, err error) {
	line, err := json.Marshal(q)
	if err != nil {
		return a, err
	}
	if len(line)+1 > MaxRequest {
		return a, &Error{Code: BadRequest, Text: fmt.Sprintf("control: the request is longer than %d bytes", MaxRequest)}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.wait(ctx, func() error {
		if _, err := c.conn.Write(append(line, '\n')); err != nil {
			return err
		}
		return c.read(&a)
	})
	if err != nil {
		c.conn.Close() // a late answer would be taken for the next one's
		return answer{}, err
	}
	if a.Error != "" {
		err = &Error{Code: a.Code, Text: a.Error, Reactors: a.Reactors}
	}
	return a, err
}

// wait does something on the connection for as long as ctx allows.
func (c *Client) wait(ctx context.Context, do func() error) error {
	if err := c.conn.SetDeadline(time.Time{}); err != nil {
		return fmt.Errorf("control: %s: %w", c.path, err)
	}
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = c.conn.SetDeadline(time.Unix(1, 0))
		close(ended)
	})
	err := do()
	if !stop() {
		<-ended // it must not end what comes next
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // c.path says where
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("the process has closed the connection: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("control: %s: %w", c.path, err)
}

// read reads a line of JSON.
func (c *Client) read(v any) error {
	var line []byte
	for {
		part, err := c.in.ReadSlice('\n')
		if len(line)+len(part) > maxAnswer {
			return fmt.Errorf("the answer is longer than %d bytes", maxAnswer)
		}
		line = append(line, part...)
		if err == nil {
			break
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("the answer is not understood: %w", err)
	}
	return nil
}
