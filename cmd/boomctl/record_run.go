package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/internal/term"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// recordRun is a run of `boomctl record`.
type recordRun struct {
	cmd      *recordCmd
	endpoint *feedEndpoint
	reactor  *reactor.Reactor
	recorder *capture.Recorder
	say      *recordNotes
	ended    func() // of the key log
	enough   chan struct{}
	began    time.Time
}

// recordNotes is standard error: a line that is drawn again and again on a terminal, and
// lines that stay. Any goroutine.
type recordNotes struct {
	mu    sync.Mutex
	w     io.Writer
	width int // of the terminal; 0: it is none
	live  bool
}

func (n *recordNotes) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.clear()
	_, _ = fmt.Fprintf(n.w, "boomctl: record: %s\n", oneLine(fmt.Sprintf(format, args...))) // as in connect
}

// show replaces the line.
func (n *recordNotes) show(line string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live = true
	_, _ = fmt.Fprintf(n.w, "\r%s\x1b[K", term.Clip(line, n.width-1))
}

func (n *recordNotes) clear() {
	if n.live {
		_, _ = io.WriteString(n.w, "\r\x1b[K")
		n.live = false
	}
}

// prepare makes everything. A *usageError is of the command line.
func (c *recordCmd) prepare() (r *recordRun, err error) {
	r = &recordRun{cmd: c, say: &recordNotes{w: os.Stderr}, enough: make(chan struct{})}
	if width, _, ok := term.Size(os.Stderr); ok && os.Getenv("TERM") != "dumb" {
		r.say.width = width
	}
	u, _, err := ws.ParseURL(c.URL)
	if err != nil {
		return nil, &usageError{err}
	}
	opts, err := c.options()
	if err != nil {
		return nil, &usageError{err}
	}
	if r.ended, err = c.warn(opts, r.say.note); err != nil {
		return nil, &usageError{err}
	}
	ended, say := r.ended, r.say
	defer func() {
		if err != nil {
			ended()
		}
	}()
	if c.Secrets {
		r.say.note("WARNING: --secrets: who reads %s can decrypt these connections", c.Output)
	}
	f := &feedEndpoint{subscribe: c.Subscribe, limit: c.Messages, enough: sync.OnceFunc(func() { close(r.enough) }), say: r.say.note}
	f.Name, f.URL, f.Options = c.Name, c.URL, *opts
	if f.Name == "" {
		f.Name = shown(u)
	}
	p := &f.Policy
	p.ResolveTimeout, p.ConnectTimeout, p.SecureTimeout, p.UpgradeTimeout = c.Timeout, c.Timeout, c.Timeout, c.Timeout
	p.StaleAfter, p.PingInterval = c.Stale, c.Ping
	r.endpoint = f
	if r.recorder, err = capture.Create(c.Output, capture.Options{
		Tape:     tape.Config{Ring: int(c.Ring), BelowTLS: c.BelowTLS, Secrets: c.Secrets},
		MaxBytes: int64(c.RotateSize), MaxAge: c.RotateAge, MaxFiles: c.Keep,
		Compress: c.CompressFile, Sync: capture.SyncPolicy(c.Sync), MinFree: int64(c.MinFree),
		Report: func(err error) { say.note("%v", err) },
	}); err != nil {
		return nil, err
	}
	if err = r.connect(); err != nil {
		err = errors.Join(err, r.recorder.Close(), os.Remove(r.recorder.Stats().File))
		return nil, err
	}
	return r, nil
}

// connect makes the reactor and its endpoint.
func (r *recordRun) connect() (err error) {
	r.reactor, err = reactor.New(reactor.Config{Name: "record", CloseTimeout: closeTimeout, Tape: r.recorder.Tape()})
	if err != nil {
		return err
	}
	if _, err = reactor.Register(r.reactor, r.endpoint); err != nil {
		return errors.Join(err, r.reactor.Close())
	}
	return nil
}

const (
	liveEvery  = 250 * time.Millisecond // on a terminal
	plainEvery = 10 * time.Second
)

// run records until something ends it. It returns the exit status.
func (r *recordRun) run(interrupt context.Context) int {
	defer r.ended()
	ctx, cancel := context.WithCancel(interrupt)
	defer cancel()
	r.began = time.Now()
	done := make(chan error, 1)
	go func() { done <- r.reactor.Run(ctx) }()
	var limit <-chan time.Time
	if r.cmd.For > 0 {
		limit = time.After(r.cmd.For)
	}
	every := plainEvery
	if r.say.width > 0 {
		every = liveEvery
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	enough := r.enough
	for {
		select {
		case <-ticker.C:
			r.progress()
			continue
		case <-limit:
			cancel()
			limit = nil
			continue
		case <-enough:
			cancel()
			enough = nil
			continue
		case err := <-done:
			return r.finish(err)
		}
	}
}

// progress shows how it stands.
func (r *recordRun) progress() {
	switch {
	case r.cmd.Quiet:
	case r.say.width > 0:
		r.say.show(r.line())
	default:
		r.say.note("%s", r.line())
	}
}

// line is how it stands, on one line.
func (r *recordRun) line() string {
	s, f := r.recorder.Stats(), r.endpoint
	line := fmt.Sprintf("%v  %s messages  %s  %s on disk", time.Since(r.began).Round(time.Second),
		term.Count(f.messages.Value()), term.Bytes(f.bytes.Value()), term.Bytes(int64(s.Bytes)))
	if s.Files > 1 {
		line += " in " + plural(s.Files, "file")
	}
	line += fmt.Sprintf("  backlog %d %%  %s", 100*s.Backlog/max(s.RingSize, 1), lossText(f.losses.Value()))
	if lost := s.Full.Records + s.Ring; lost > 0 {
		line += fmt.Sprintf("  %s records NOT RECORDED", term.Count(int64(lost)))
	}
	return line
}

func lossText(n int64) string {
	switch n {
	case 0:
		return "no loss"
	case 1:
		return "1 loss"
	}
	return term.Count(n) + " losses"
}

// finish ends the file and says what is in it.
func (r *recordRun) finish(ran error) int {
	err := errors.Join(ran, r.recorder.Close())
	s, f := r.recorder.Stats(), r.endpoint
	status := exitOK
	lost := s.Full.Records + s.Ring
	switch {
	case err != nil:
		r.say.note("%v", err)
		status = exitFailure
	case lost > 0:
		status = exitFailure
	case f.opened.Value() == 0:
		status = exitConnect
	}
	if !r.cmd.Quiet || lost > 0 {
		files := s.File
		if s.Files > 1 {
			files += " and " + plural(s.Files-1, "file") + " before it"
		}
		r.say.note("%s: %s messages on %d connections in %v, %s", files, term.Count(f.messages.Value()), f.opened.Value(),
			time.Since(r.began).Round(time.Millisecond), term.Bytes(int64(s.Bytes)))
	}
	if lost > 0 {
		r.say.note("%s records were lost: %s in memory, %s for want of a disk", term.Count(int64(lost)), term.Count(int64(s.Ring)), term.Count(int64(s.Full.Records)))
	}
	return status
}
