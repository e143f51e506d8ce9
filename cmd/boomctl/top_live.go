package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
)

// firstInterval is how long at most the first rates are measured: the screen is not
// to come up empty.
const firstInterval = 200 * time.Millisecond

// live shows samples on the terminal until it is told to end.
func (c *topCmd) live(ctx context.Context, w *observer, t *topScreen) (err error) {
	s, err := w.first()
	if err != nil {
		return err
	}
	var pressed <-chan term.Key
	if keys, err := term.StartKeys(os.Stdin); err == nil {
		pressed, t.keyboard = keys.C(), true
		defer func() { _ = keys.Stop() }()
	}
	out := term.NewScreen(os.Stdout)
	if err := out.Enter(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Leave()) }()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	due := time.NewTimer(min(c.Interval, firstInterval))
	defer due.Stop()
	for n := 0; c.Count == 0 || n < c.Count; {
		select {
		case <-ctx.Done():
			return nil
		case <-resized:
		case k, ok := <-pressed:
			if !ok || t.press(k) {
				return nil
			}
		case <-due.C:
			due.Reset(c.Interval)
			if t.paused {
				continue
			}
			if s, err = w.sample(time.Now(), s); err != nil {
				return err
			}
			t.see(s)
			n++
		}
		if t.sample == nil {
			continue
		}
		width, height, ok := term.Size(os.Stdout)
		if !ok {
			return nil // the terminal is gone
		}
		canvas := term.NewCanvas(width, term.Colour(os.Stdout))
		t.draw(canvas, height)
		if err := out.Show(canvas, height); err != nil {
			return err
		}
	}
	return nil
}
