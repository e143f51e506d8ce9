package ws

import (
	"context"
	"time"

	"github.com/boomnet-go/boomnet/stream"
)

const (
	// waitStep is how long Wait waits for room to write before it looks for
	// input again: a peer may read on only after we have read.
	waitStep = 10 * time.Millisecond
	// pollStep is the nap between two looks at a stream that cannot wait.
	pollStep = 200 * time.Microsecond
)

// Wait is for scripts and tools that have no reactor: it blocks until there may
// be something to read, and flushes what is queued meanwhile. nil: call Fill,
// which may still find nothing. The error is Err's when the connection has ended,
// which it also does here when CloseDeadline has passed, or the cause of ctx,
// which leaves the connection as it is. Wait allocates. It uses stream.Waiter if
// the stream is one, and naps otherwise.
func (c *Conn) Wait(ctx context.Context) error {
	if c == nil {
		return ErrNotConnected
	}
	for {
		if c.err != nil {
			return c.err
		}
		if c.Buffered() {
			return nil
		}
		if err := c.Flush(); err != nil && err != stream.ErrWouldBlock {
			return nil // Fill reads what is left and reports the end
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		limit := time.Duration(0)
		if c.deadline != 0 {
			now := c.clock.Now()
			if c.Expire(now); c.err != nil {
				return c.err
			}
			limit = time.Duration(c.deadline - now)
		}
		write := c.unsent()
		if write && (limit == 0 || limit > waitStep) {
			limit = waitStep
		}
		if err := waitFor(ctx, c.s, write, limit); err != nil {
			return err
		}
		if !write {
			return nil
		}
		if c.Flush() == nil {
			continue
		}
		return nil
	}
}

// waitFor waits until s may be readable, or writable, at most limit if that is
// not 0. The error is the cause of ctx, or the stream's.
func waitFor(ctx context.Context, s stream.Stream, write bool, limit time.Duration) error {
	w, ok := s.(stream.Waiter)
	if !ok {
		if limit == 0 || limit > pollStep {
			limit = pollStep
		}
		t := time.NewTimer(limit)
		defer t.Stop()
		select {
		case <-t.C:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if limit == 0 {
		return w.Wait(ctx, write)
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := w.Wait(short, write)
	if err != nil && short.Err() != nil && ctx.Err() == nil {
		return nil // only the limit
	}
	return err
}
