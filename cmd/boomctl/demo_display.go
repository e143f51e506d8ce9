package main

import (
	"io"
	"os"
	"time"

	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/term"
)

// display is one way to show the demo. One goroutine calls its methods.
type display interface {
	// interval is the time between two snapshots.
	interval() time.Duration
	// event is called with each event before the snapshot that includes it.
	event(at time.Duration, e endpoint.Event, v *recovery) error
	// operator is called with each request of an operator.
	operator(at time.Duration, e control.Event) error
	frame(*snapshot) error
	final(*snapshot) error
	// close puts the terminal back. It is called last, whatever happened.
	close() error
}

// newDisplay shows JSON if asked, a screen on a terminal, else lines.
func (d *demoCmd) newDisplay(out *os.File) display {
	if d.JSON {
		return &textDisplay{w: out, write: writeJSON, last: writeJSON}
	}
	width, _, terminal := term.Size(out)
	if terminal && os.Getenv("TERM") != "dumb" {
		return &screenDisplay{out: out, screen: term.NewScreen(out), colour: term.Colour(out)}
	}
	if !terminal {
		width = summaryWidth
	}
	return &textDisplay{w: out, write: writeLines, last: summaryWriter(width), tell: writeEvent}
}

// textDisplay writes each second, and each event when it happens.
type textDisplay struct {
	w     io.Writer
	write func(io.Writer, *snapshot) error
	last  func(io.Writer, *snapshot) error
	tell  func(io.Writer, time.Duration, endpoint.Event, *recovery) error // nil: events are not told
	next  time.Duration                                                   // when to write again
}

func (*textDisplay) interval() time.Duration { return 100 * time.Millisecond }

func (t *textDisplay) event(at time.Duration, e endpoint.Event, v *recovery) error {
	if t.tell == nil {
		return nil
	}
	return t.tell(t.w, at, e, v)
}

func (t *textDisplay) operator(at time.Duration, e control.Event) error {
	if t.tell == nil {
		return nil
	}
	return writeOperator(t.w, at, e)
}

func (t *textDisplay) frame(s *snapshot) error {
	if t.next == 0 {
		t.next = time.Second
	}
	if s.elapsed < t.next {
		return nil
	}
	t.next = s.elapsed.Truncate(time.Second) + time.Second
	return t.write(t.w, s)
}

func (t *textDisplay) final(s *snapshot) error { return t.last(t.w, s) }

func (*textDisplay) close() error { return nil }

// screenDisplay redraws a terminal.
type screenDisplay struct {
	out     *os.File
	screen  *term.Screen
	colour  bool
	entered bool
}

func (*screenDisplay) interval() time.Duration { return 200 * time.Millisecond }

func (*screenDisplay) event(time.Duration, endpoint.Event, *recovery) error { return nil }

// The table shows what became of it: why a connection was lost, how the reactor waits.
func (*screenDisplay) operator(time.Duration, control.Event) error { return nil }

func (d *screenDisplay) frame(s *snapshot) error {
	if !d.entered {
		d.entered = true
		if err := d.screen.Enter(); err != nil {
			return err
		}
	}
	c, height := d.draw(s)
	return d.screen.Show(c, height)
}

// final leaves the last frame in the terminal's ordinary contents.
func (d *screenDisplay) final(s *snapshot) error {
	if err := d.screen.Leave(); err != nil {
		return err
	}
	c, _ := d.draw(s)
	_, err := io.WriteString(d.out, c.String())
	return err
}

// draw draws for the size that the terminal has now.
func (d *screenDisplay) draw(s *snapshot) (*term.Canvas, int) {
	width, height, ok := term.Size(d.out)
	if !ok {
		width, height = 80, 24
	}
	c := term.NewCanvas(width, d.colour)
	drawFrame(c, s, height)
	return c, height
}

func (d *screenDisplay) close() error { return d.screen.Leave() }

// summaryWidth and summaryHeight are the size of a summary that is not for a screen.
const summaryWidth, summaryHeight = 120, 60

// summaryWriter writes the final snapshot as a frame without colours.
func summaryWriter(width int) func(io.Writer, *snapshot) error {
	return func(w io.Writer, s *snapshot) error {
		c := term.NewCanvas(width, false)
		drawFrame(c, s, summaryHeight)
		_, err := io.WriteString(w, "\n"+c.String())
		return err
	}
}
