package ws

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"

	"github.com/boomnet-go/boomnet/stream"
)

// Upgrade makes the opening handshake of RFC 6455, section 4, on a stream that
// stands, and returns a Conn that owns s. u names the resource; its scheme and
// port are not looked at. User info in u becomes Basic authorization, unless
// Options.Header has a field Authorization. o may be nil.
//
// It runs on an ordinary goroutine and blocks until the server has answered or
// ctx has ended, through stream.Waiter where s is one. What the server sends
// behind its answer is the Conn's first input: look at Buffered before waiting.
// Go's poller has let go of the stream then, see stream.Unwatcher; Conn.Wait has
// it back.
//
// A failure is an *UpgradeError, or a plain error when u or o are at fault and
// nothing was sent. The stream is then left open, for the caller to Close.
func Upgrade(ctx context.Context, s stream.Stream, u *url.URL, o *Options) (*Conn, error) {
	d := o.withDefaults()
	key := newKey(d.Rand)
	request, err := appendRequest(nil, u, &d, key)
	if err != nil {
		return nil, err
	}
	b := &blocking{ctx: ctx, s: s}
	if err := b.write(request); err != nil {
		return nil, &UpgradeError{Err: err}
	}
	r, rest, err := readResponse(b, d.MaxResponseHeader)
	if err != nil {
		return nil, &UpgradeError{Err: err}
	}
	defer r.Body.Close()
	fail := &UpgradeError{StatusCode: r.StatusCode, Status: r.Status, Header: r.Header}
	if r.StatusCode != http.StatusSwitchingProtocols {
		// Whatever ends the body early, what there is of it helps.
		short, cancel := context.WithTimeout(ctx, d.CloseTimeout)
		defer cancel()
		b.ctx = short
		fail.Body, _ = io.ReadAll(io.LimitReader(r.Body, MaxRefusalBody))
		fail.Err = ErrRefused
		return nil, fail
	}
	subprotocol, z, err := checkResponse(r, &d, key)
	if err != nil {
		fail.Err = err
		return nil, fail
	}
	if w, ok := s.(stream.Unwatcher); ok {
		if err := w.Unwatch(); err != nil {
			fail.Err = err
			return nil, fail
		}
	}
	d.Compression = z
	c := New(s, &d, rest)
	c.subprotocol, c.response = subprotocol, r.Header
	return c, nil
}

// readResponse reads the header of the final response, at most limit bytes with
// those of interim responses before it (100, 103), and returns what was read
// beyond that of a 101; any other has it in its Body.
func readResponse(b io.Reader, limit int) (*http.Response, []byte, error) {
	buf := make([]byte, 0, min(limit, 4<<10))
	for used := 0; ; {
		end := headerEnd(buf)
		for end == 0 {
			if !startsLikeHTTP(buf) {
				return nil, nil, badResponse("it begins with %q", buf[:min(len(buf), 40)])
			}
			if used+len(buf) >= limit {
				return nil, nil, badResponse("header of more than %d bytes", limit)
			}
			if len(buf) == cap(buf) {
				buf = append(make([]byte, 0, min(2*cap(buf), limit)), buf...)
			}
			n, err := b.Read(buf[len(buf):cap(buf)])
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			if err != nil {
				return nil, nil, err
			}
			// The end may lie across the pieces, by three bytes at most.
			from := max(len(buf)-3, 0)
			buf = buf[:len(buf)+n]
			if end = headerEnd(buf[from:]); end > 0 {
				end += from
			}
		}
		if used += end; used > limit {
			return nil, nil, badResponse("header of more than %d bytes", limit)
		}
		// The header by itself first: net/http knows no limit of ours.
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(buf[:end])), nil)
		switch {
		case err != nil:
			return nil, nil, badResponse("%w", err)
		case r.StatusCode == http.StatusSwitchingProtocols:
			return r, buf[end:], nil
		case r.StatusCode >= 200: // again, with its body
			r, err = http.ReadResponse(bufio.NewReader(io.MultiReader(bytes.NewReader(buf), b)), nil)
			return r, nil, err
		}
		rest := buf[end:]
		buf = append(make([]byte, 0, max(len(rest), 4<<10)), rest...)
	}
}

// blocking makes ordinary reads and writes of a stream's, until ctx ends.
type blocking struct {
	ctx context.Context
	s   stream.Stream
}

// Read implements io.Reader.
func (b *blocking) Read(p []byte) (int, error) {
	for {
		n, err := b.s.Read(p)
		if n > 0 {
			return n, nil
		}
		if err == nil {
			return 0, io.ErrNoProgress
		}
		if err != stream.ErrWouldBlock {
			return 0, err
		}
		if err := b.s.Flush(); err != nil && err != stream.ErrWouldBlock {
			return 0, err
		}
		if err := b.wait(b.s.Queued() > 0); err != nil {
			return 0, err
		}
	}
}

func (b *blocking) write(p []byte) error {
	for {
		_, err := b.s.Write(p)
		if err != stream.ErrBackPressured {
			return err
		}
		if err := b.s.Flush(); err != nil && err != stream.ErrWouldBlock {
			return err
		}
		if err := b.wait(true); err != nil {
			return err
		}
	}
}

func (b *blocking) wait(write bool) error {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	limit := pollStep
	if _, ok := b.s.(stream.Waiter); ok {
		if limit = 0; write {
			limit = waitStep // a refusal may come before all was sent
		}
	}
	return waitFor(b.ctx, b.s, write, limit)
}
