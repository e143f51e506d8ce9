package stream

import "context"

// blocking reads and writes a stream as if it blocked, until ctx ends: that is
// how the set-up side talks to a peer. The stream must be a [Waiter].
type blocking struct {
	ctx context.Context
	s   Stream
}

// Read implements io.Reader. It never takes more than p from the stream.
func (b blocking) Read(p []byte) (int, error) {
	for {
		n, err := b.s.Read(p)
		switch {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, errEmptyRead
		case err != ErrWouldBlock:
			return 0, err
		}
		if err := b.wait(false); err != nil {
			return 0, err
		}
	}
}

// Write returns when the kernel has all of p, which may be longer than the
// stream's queue.
func (b blocking) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n, err := b.s.Write(rest[:min(len(rest), max(1, b.s.Room()))])
		rest = rest[n:]
		if err == nil {
			err = b.s.Flush()
		}
		if err == ErrWouldBlock || err == ErrBackPressured {
			err = b.drain()
		}
		if err != nil {
			return len(p) - len(rest), err
		}
	}
	return len(p), nil
}

// drain waits until the kernel has taken all that is queued.
func (b blocking) drain() error {
	for {
		if err := b.wait(true); err != nil {
			return err
		}
		if err := b.s.Flush(); err != ErrWouldBlock {
			return err
		}
	}
}

func (b blocking) wait(write bool) error { return b.s.(Waiter).Wait(b.ctx, write) }
