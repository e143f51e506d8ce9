package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// session is what lasts from the first try to the exit: one goroutine owns it,
// the connection of the moment included, and waits in one place, the selector.
//
//	  ┌────────────────── back-off, with --reconnect ──────────────────┐
//	  ▼                                                                │
//	dial ── open ──→ serve: read, print, send lines, ping ── lost ──→ loss ──→ exit
//	  │                │ over: Ctrl-C, --for, --count,                  ▲
//	  │                │ standard input or output failed                │
//	  │                ▼                                                │
//	  │              close handshake, bounded by closeTimeout ──→ exit  │
//	  └── failed ───────────────────────────────────────────────────────┘
type session struct {
	cmd    *connectCmd
	url    string // as shown
	opts   *ws.Options
	policy endpoint.Policy
	say    *notes

	sel     selector.Selector
	bell    *bell
	in      *lines
	out     *output
	latency *latency

	received int64
	opened   bool   // there was a connection
	over     bool   // no more is wanted
	why      string // why
	failure  error  // of standard input or output
	reported bool   // stdin's end
}

// The causes for which the session's context can end, beside Ctrl-C.
var (
	errFor     = errors.New("--for is over")
	errTimeout = errors.New("set-up timed out")
	errSilent  = errors.New("nothing arrived since the last ping")
)

// longWait is how long to wait when nothing is due.
const longWait = time.Hour

func newSession(c *connectCmd, u *url.URL, o *ws.Options, stdin io.Reader, stdout io.Writer, say *notes) (*session, error) {
	sel, err := selector.New(selector.Epoll)
	if err != nil {
		return nil, err
	}
	b := &bell{sel: sel}
	return &session{
		cmd:     c,
		url:     shown(u),
		opts:    o,
		policy:  endpoint.DefaultPolicy,
		say:     say,
		sel:     sel,
		bell:    b,
		in:      readLines(stdin, maxLine, b.ring),
		out:     newOutput(stdout, c.JSON, b.ring),
		latency: new(latency),
	}, nil
}

func (s *session) close() {
	s.in.close()
	s.out.close()
	s.bell.unhang()
	_ = s.sel.Close() // nothing was waited for that could be lost
}

// run is the whole session; interrupt ends it. It returns the exit status.
func (s *session) run(interrupt context.Context) int {
	ctx, cancel := interrupt, context.CancelFunc(func() {})
	if s.cmd.For > 0 {
		ctx, cancel = context.WithTimeoutCause(interrupt, s.cmd.For, errFor)
	}
	defer cancel()
	defer context.AfterFunc(ctx, s.bell.ring)()

	status := s.attempts(ctx)
	s.print(interrupt)
	if s.failure == nil && s.out.err != nil && s.out.err != errOutputClosed {
		s.failure = s.out.err
	}
	if s.cmd.Latency {
		s.latency.report(s.say)
	}
	switch {
	case s.failure != nil:
		s.say.always("%v", s.failure)
		return exitFailure
	case s.over:
		s.say.status("%s", s.why)
	}
	return status
}

// print writes out what was received, however long that takes; once interrupted,
// for a moment only.
func (s *session) print(interrupt context.Context) {
	if interrupt.Err() != nil {
		var cancel context.CancelFunc
		interrupt, cancel = context.WithTimeout(context.Background(), closeTimeout/2)
		defer cancel()
	}
	s.out.flush()
	s.out.drain(interrupt.Done())
}

// attempts connects once, or with --reconnect again and again.
func (s *session) attempts(ctx context.Context) int {
	jitter := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	for losses := 0; ; {
		life := endpoint.NewMachine(&s.policy)
		err := s.connection(ctx, &life)
		if s.wanted(ctx) {
			return exitOK
		}
		status, line := explain(s.url, err)
		if !s.cmd.Reconnect || status == exitUsage || ctx.Err() != nil {
			if status == exitOK {
				s.say.status("%s", line)
			} else {
				s.say.always("%s", line)
			}
			return status
		}
		if life.Healthy() {
			losses = 0
		}
		losses++
		delay := s.policy.Delay(losses, jitter)
		s.say.always("%s; again in %v", line, delay.Round(time.Millisecond))
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			if s.wanted(ctx) {
				return exitOK
			}
			return status
		}
	}
}

// wanted reports whether this is the end that the user asked for. That --for is
// over before there was any connection is not.
func (s *session) wanted(ctx context.Context) bool {
	if ctx.Err() != nil && (s.opened || context.Cause(ctx) != errFor) {
		s.finish(endOf(ctx))
	}
	return s.over
}

func endOf(ctx context.Context) string {
	if context.Cause(ctx) == errFor {
		return errFor.Error()
	}
	return "interrupted"
}

// finish says that no more is wanted. The first reason counts.
func (s *session) finish(why string) {
	if !s.over {
		s.over, s.why = true, why
	}
}

// fail is finish for an error of this end.
func (s *session) fail(err error) {
	if !s.over {
		s.failure = err
	}
	s.finish(err.Error())
}

// connection makes one connection and serves it to its end, which it returns.
func (s *session) connection(ctx context.Context, life *endpoint.Machine) error {
	life.Start(clock.Nano())
	c, err := s.dial(ctx)
	if err != nil {
		return err
	}
	now := clock.Nano()
	took := time.Duration(now - life.Since())
	life.Opened(now)
	s.opened = true
	s.say.status("connected to %s%s%s in %v%s", s.url, s.cmd.through(), remote(c), took.Round(10*time.Microsecond), chosen(c))
	link := &link{session: s, c: c, life: life}
	err = link.serve(ctx)
	if n := c.Queued(); n > 0 && !s.over {
		s.say.always("%d accepted bytes never left", n)
	}
	if e := c.Discard(); e != nil && err == nil {
		err = e
	}
	return err
}

func (s *session) dial(ctx context.Context) (*ws.Conn, error) {
	if s.cmd.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.cmd.Timeout, fmt.Errorf("%w after %v", errTimeout, s.cmd.Timeout))
		defer cancel()
	}
	c, err := ws.Dial(ctx, s.cmd.URL, s.opts)
	if err != nil {
		_, dial := errors.AsType[*stream.DialError](err)
		_, upgrade := errors.AsType[*ws.UpgradeError](err)
		if !dial && !upgrade {
			err = &usageError{err} // a header or a subprotocol that must not be sent
		}
		return nil, err
	}
	// The selector watches the descriptor from here on.
	if d, ok := c.Stream().(stream.Detacher); ok {
		if err := d.Detach(); err != nil {
			return nil, errors.Join(err, c.Discard())
		}
	}
	return c, nil
}

func remote(c *ws.Conn) string {
	if a, ok := c.Stream().(stream.Addressed); ok && a.RemoteAddr().IsValid() {
		return " (" + a.RemoteAddr().String() + ")"
	}
	return ""
}

// chosen is what the opening handshake agreed on.
func chosen(c *ws.Conn) (s string) {
	if t, ok := c.Stream().(stream.Secured); ok {
		s = secured(t.ConnectionState())
	}
	if p := c.Subprotocol(); p != "" {
		s += fmt.Sprintf(", subprotocol %q", p)
	}
	if c.Compression() != nil {
		s += ", permessage-deflate"
	}
	return s
}

// note takes a message that was received at the time at, and by the kernel at the
// time kernel, if that is known.
func (s *session) note(m ws.Message, at, kernel int64) {
	s.out.message(m, at, kernel)
	if s.cmd.Latency && m.Op == frame.Text {
		s.latency.message(m.Payload, at)
	}
	if s.received++; s.received == s.cmd.Count {
		s.finish(fmt.Sprintf("%d messages received", s.received))
	}
}
