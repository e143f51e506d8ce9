package tape

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/boomnet-go/boomnet/stream"
)

// wrap is s with everything that it carries recorded.
func (c *Conn) wrap(s stream.Stream) stream.Stream {
	r := &recorded{Stream: s, c: c, queued: s.Queued()}
	if t, ok := s.(stream.Stamped); ok && t.Timestamps() != stream.TimestampsOff {
		r.stamps = t
	}
	if secured, ok := s.(stream.Secured); ok {
		r.answers = true
		return &recordedTLS{r, secured}
	}
	return r
}

// recorded is a stream that is recorded.
type recorded struct {
	stream.Stream
	c      *Conn
	stamps stream.Stamped // nil: reads are not stamped
	queued int            // as was recorded last

	answers bool // a read may write: TLS answers what is no data by itself
}

// recordedTLS is one that speaks TLS above.
type recordedTLS struct {
	*recorded
	secured stream.Secured
}

// ConnectionState implements stream.Secured.
func (r *recordedTLS) ConnectionState() tls.ConnectionState { return r.secured.ConnectionState() }

var (
	_ stream.Waiter    = (*recorded)(nil)
	_ stream.Detacher  = (*recorded)(nil)
	_ stream.Unwatcher = (*recorded)(nil)
	_ stream.Borrower  = (*recorded)(nil)
	_ stream.Addressed = (*recorded)(nil)
	_ stream.Stamped   = (*recorded)(nil)
)

// Read implements stream.Stream.
func (r *recorded) Read(p []byte) (int, error) {
	if most := r.c.rec.fullMessage(); len(p) > most {
		p = p[:most]
	}
	n, err := r.Stream.Read(p)
	c := r.c
	c.stampTurn = past
	if n == 0 && err == stream.ErrWouldBlock && (!r.answers || !c.attached || r.Stream.Queued() == r.queued) {
		return 0, err
	}
	r.queued = r.Stream.Queued()
	rec := Record{Kind: KindRead, At: c.now(), Data: p[:n], Arg: int64(r.queued)}
	if r.Stream.Buffered() {
		rec.Flags = Buffered
	}
	if err != nil {
		rec.Err = ErrorOf(err)
	}
	if n > 0 {
		c.stamp, c.stamped, c.stampTurn = rec.At, true, c.turn()
	}
	var stamp [stampSize]byte
	if r.stamps != nil && n > 0 {
		s := r.stamps.Stamp()
		binary.LittleEndian.PutUint64(stamp[:], uint64(s.Software))
		binary.LittleEndian.PutUint64(stamp[8:], uint64(s.Hardware))
		rec.Text = stamp[:]
	}
	c.write(&rec)
	return n, err
}

// Write implements stream.Stream.
func (r *recorded) Write(p []byte) (int, error) {
	n, err := r.Stream.Write(p)
	r.wrote(KindWrite, p, n, err)
	return n, err
}

// WriteControl implements stream.Stream.
func (r *recorded) WriteControl(p []byte) (int, error) {
	n, err := r.Stream.WriteControl(p)
	r.wrote(KindControl, p, n, err)
	return n, err
}

func (r *recorded) wrote(kind Kind, p []byte, n int, err error) {
	c := r.c
	c.stampTurn = past
	r.queued = r.Stream.Queued()
	rec := Record{Kind: kind, At: c.now(), Arg: int64(r.queued)}
	if err != nil {
		rec.Err, rec.Arg2 = ErrorOf(err), int64(len(p))
	}
	p = p[:n]
	for most := c.rec.fullMessage(); len(p) > most; p = p[most:] {
		part := rec
		part.Data, part.Flags = p[:most], More
		c.write(&part)
	}
	rec.Data = p
	c.write(&rec)
}

// Flush implements stream.Stream.
func (r *recorded) Flush() error {
	before := r.Stream.Queued()
	err := r.Stream.Flush()
	if before == 0 && err == nil {
		return nil
	}
	r.c.stampTurn = past
	r.queued = r.Stream.Queued()
	r.c.write(&Record{Kind: KindFlush, At: r.c.now(), Arg: int64(r.queued), Err: ErrorOf(err)})
	return err
}

// Close implements stream.Stream.
func (r *recorded) Close() error {
	r.c.write(&Record{Kind: KindClose, At: r.c.now()})
	return r.Stream.Close()
}

// What a stream may be beside a Stream is handed on.

// Wait implements stream.Waiter.
func (r *recorded) Wait(ctx context.Context, write bool) error {
	r.c.stampTurn = past
	var err error
	if w, ok := r.Stream.(stream.Waiter); ok {
		err = w.Wait(ctx, write)
	} else {
		err = nap(ctx)
	}
	if err != nil {
		r.c.write(&Record{Kind: KindWait, At: r.c.now(), Err: ErrorOf(err)})
	}
	return err
}

// nap waits for a stream that cannot wait.
func nap(ctx context.Context) error {
	t := time.NewTimer(200 * time.Microsecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Detach implements stream.Detacher.
func (r *recorded) Detach() error {
	if d, ok := r.Stream.(stream.Detacher); ok {
		return d.Detach()
	}
	return nil
}

// Unwatch implements stream.Unwatcher.
func (r *recorded) Unwatch() error {
	if u, ok := r.Stream.(stream.Unwatcher); ok {
		return u.Unwatch()
	}
	return nil
}

// Lend implements stream.Borrower.
func (r *recorded) Lend(s *stream.Scratch) {
	if b, ok := r.Stream.(stream.Borrower); ok {
		b.Lend(s)
	}
}

// LocalAddr implements stream.Addressed.
func (r *recorded) LocalAddr() (a netip.AddrPort) {
	if s, ok := r.Stream.(stream.Addressed); ok {
		a = s.LocalAddr()
	}
	return a
}

// RemoteAddr implements stream.Addressed.
func (r *recorded) RemoteAddr() (a netip.AddrPort) {
	if s, ok := r.Stream.(stream.Addressed); ok {
		a = s.RemoteAddr()
	}
	return a
}

// Timestamps implements stream.Stamped.
func (r *recorded) Timestamps() stream.Timestamps {
	if r.stamps != nil {
		return r.stamps.Timestamps()
	}
	return stream.TimestampsOff
}

// Stamp implements stream.Stamped.
func (r *recorded) Stamp() stream.Stamp {
	if r.stamps != nil {
		return r.stamps.Stamp()
	}
	return stream.Stamp{}
}
