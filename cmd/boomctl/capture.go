package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// captureCmd is `boomctl capture`: what can be done with files of recordings.
type captureCmd struct {
	Info   captureInfoCmd   `cmd:"" help:"Say what is in a recording: connections, losses, whether it is whole and can be replayed."`
	Cat    captureCatCmd    `cmd:"" help:"Print the messages of a recording."`
	Stats  captureStatsCmd  `cmd:"" help:"Print rates, gaps and latencies of a recording."`
	Repair captureRepairCmd `cmd:"" help:"Make a file whole whose writer was killed."`
	Cut    captureCutCmd    `cmd:"" help:"Take a part out of a recording."`
	Import captureImportCmd `cmd:"" help:"Make a recording of a feed: lines of seconds, tab, payload."`
	Export captureExportCmd `cmd:"" help:"Write the messages of a recording as a feed, which boomctl exchange can serve."`
}

// captureFiles are the arguments of commands that read a recording.
type captureFiles struct {
	Files   []string `arg:"" name:"file" placeholder:"FILE" help:"Recording. Of a rotation one file alone, or several; see --rotated."`
	Rotated bool     `help:"FILE is the first of a rotation: read its successors too."`
}

// open opens the recording. A file that is truncated ends where it does.
func (c *captureFiles) open() (*capture.File, error) {
	paths := c.Files
	if c.Rotated {
		paths = nil
		for _, first := range c.Files {
			found, err := capture.Parts(first)
			if err != nil {
				return nil, err
			}
			paths = append(paths, found...)
		}
	}
	f, err := capture.Open(paths...)
	if err != nil {
		if errors.Is(err, capture.ErrForeign) {
			err = fmt.Errorf("%w; boomctl capture reads what boomctl record and reactors write", err)
		}
		return nil, err
	}
	f.Lenient(true)
	return f, nil
}

// openShown is open for a command whose reading a bar shows on standard error.
// ended must be called when it has read.
func (c *captureFiles) openShown(ctx context.Context) (rec tape.Recording, info capture.Info, ended func(), err error) {
	f, err := c.open()
	if err != nil {
		return nil, info, nil, err
	}
	p := newProgress(os.Stderr, sizes(f.Info().Files))
	return &watched{File: f, ctx: ctx, progress: p}, f.Info(), p.end, nil
}

func sizes(files []capture.FileInfo) (all []int64) {
	for _, f := range files {
		all = append(all, f.Size)
	}
	return all
}

// watched is a recording whose reading is shown, and ends with a context.
type watched struct {
	*capture.File
	ctx      context.Context
	progress *progress
	told     bool // that a file is truncated
}

// Open implements tape.Recording.
func (w *watched) Open() (tape.Source, error) {
	r, err := w.File.Read()
	if err != nil {
		return nil, err
	}
	w.progress.restart()
	return &watchedReader{Reader: r, w: w}, nil
}

type watchedReader struct {
	*capture.Reader
	w    *watched
	n    int
	path string
	file int
}

// Next implements tape.Source.
func (r *watchedReader) Next() (*tape.Record, error) {
	const often = 256
	if r.n++; r.n%often == 0 {
		if err := r.w.ctx.Err(); err != nil {
			return nil, errInterrupted
		}
		if p := r.Path(); p != r.path {
			if r.path != "" {
				r.file++
			}
			r.path = p
		}
		r.w.progress.at(r.file, r.Offset(), r.n, time.Now())
	}
	rec, err := r.Reader.Next()
	if t := r.Truncated(); err == io.EOF && t != nil && !r.w.told {
		r.w.told = true
		r.w.progress.end()
		fmt.Fprintf(os.Stderr, "boomctl: what follows is not read: %s; boomctl capture repair makes the file whole\n", oneLine(t.Error()))
	}
	return rec, err
}

var errInterrupted = errors.New("interrupted")

// untilInterrupted is a context that Ctrl-C ends; the second one ends the process.
func untilInterrupted() (context.Context, context.CancelFunc) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	context.AfterFunc(ctx, stop)
	return ctx, stop
}

// moment is a time on the command line: RFC 3339, a date and time of day of this
// machine's zone, a time of day of the recording's first day, or +DURATION from its start.
type moment struct {
	text  string
	after time.Duration // of +
	clock bool          // text is a time of day
	at    time.Time
}

// momentHelp is for the help of flags of this type.
const momentHelp = "2026-11-25T09:31:07Z, 09:31:07.5, or +90s from the start"

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	m.text = string(text)
	if rest, ok := strings.CutPrefix(m.text, "+"); ok {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 {
			return fmt.Errorf("%q: want +DURATION, such as +90s", text)
		}
		m.after = d
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "15:04:05", "15:04"} {
		at, err := time.ParseInLocation(layout, m.text, time.Local)
		if err == nil {
			m.at, m.clock = at, at.Year() == 0
			return nil
		}
	}
	return fmt.Errorf("%q is no time: want %s", text, momentHelp)
}

// of is the time in a recording that began at start; zero if the flag is not there.
func (m *moment) of(start time.Time) time.Time {
	switch {
	case m.text == "":
		return time.Time{}
	case m.text[0] == '+':
		return start.Add(m.after)
	case m.clock:
		local := start.In(time.Local)
		return time.Date(local.Year(), local.Month(), local.Day(), m.at.Hour(), m.at.Minute(), m.at.Second(), m.at.Nanosecond(), time.Local)
	}
	return m.at
}

// captureSpan are the flags for a part of a recording.
type captureSpan struct {
	From     moment   `placeholder:"TIME" help:"From this time on: 2026-11-25T09:31:07Z, 09:31:07.5, or +90s from the start."`
	To       moment   `placeholder:"TIME" help:"Before this time."`
	Endpoint []string `sep:"none" placeholder:"NAME" help:"Of this endpoint. Repeatable."`
	Conn     []uint32 `sep:"none" placeholder:"N" help:"Of the connection of this number, as capture info shows it. Repeatable."`
}

func (c *captureSpan) times(start time.Time) (from, to time.Time, err error) {
	from, to = c.From.of(start), c.To.of(start)
	if !from.IsZero() && !to.IsZero() && !from.Before(to) {
		err = fmt.Errorf("--from %s is not before --to %s", c.From.text, c.To.text)
	}
	return from, to, err
}

// timeLayout is how times are shown.
const timeLayout = "2006-01-02 15:04:05.000000"
