package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/internal/recording/imported"
	"github.com/boomnet-go/boomnet/internal/term"
)

// captureImportCmd is `boomctl capture import`.
type captureImportCmd struct {
	File   string `arg:"" placeholder:"FILE" help:"Feed: lines of seconds since 1970, tab, payload; plain or gzip. boomctl exchange --record writes such."`
	Output string `short:"o" required:"" placeholder:"FILE" help:"New recording; .zst: compressed."`
	Name   string `placeholder:"NAME" help:"Of the endpoint in the recording. Default: the name of FILE without its extensions."`
	URL    string `default:"ws://feed/feed" placeholder:"URL" help:"What the endpoint connects to in the recording (${default})."`
}

// Help is the long help.
func (*captureImportCmd) Help() string {
	return `Each line becomes a WebSocket message of one connection, received at the time of the line: text, or binary if it is not UTF-8. A line whose time lies before that of the line before gets that of the line before. The recording replays, at any speed, through any endpoint of that name; what that sends is not compared, as a feed does not have it.`
}

func (*captureImportCmd) about() about {
	return about{examples: []example{
		{"A feed that boomctl exchange has recorded.", "boomctl capture import feed.gz -o feed.pcapng --name btcusdt"},
	}}
}

// Run is called by kong.
func (c *captureImportCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	n, err := c.run(ctx)
	if err != nil {
		return fmt.Errorf("capture import: %w", err)
	}
	s, err := os.Stat(c.Output)
	if err != nil {
		return fmt.Errorf("capture import: %w", err)
	}
	fmt.Printf("%s: %s, %s\n", c.Output, plural(n, "message"), term.Bytes(s.Size()))
	return nil
}

func (c *captureImportCmd) run(ctx context.Context) (messages int, err error) {
	name := c.Name
	if name == "" {
		name, _, _ = strings.Cut(filepath.Base(c.File), ".")
	}
	if err := noCapture(c.File); err != nil {
		return 0, err
	}
	f, err := imported.OpenFeed(c.File, name, c.URL, func(int) error {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	comment := fmt.Sprintf("imported from %s: times are those of its lines", filepath.Base(c.File))
	if err := capture.Cut(c.Output, f, capture.Filter{}, capture.CutOptions{Comment: comment}); err != nil {
		return 0, err
	}
	rec, err := capture.Open(c.Output)
	if err != nil {
		return 0, err
	}
	err = recording.EachMessage(rec, &recording.Filter{Ops: []recording.Op{recording.Text, recording.Binary}}, func(*recording.Message) error {
		messages++
		return nil
	})
	return messages, err
}

// noCapture refuses a recording and a capture of packets, with what to do.
func noCapture(path string) error {
	_, err := capture.Open(path)
	switch {
	case err == nil:
		return fmt.Errorf("%s is a recording already: boomctl capture reads it, boomctl capture export makes a feed of it", path)
	case errors.Is(err, capture.ErrForeign):
		return fmt.Errorf("%s is a capture of packets, not a feed", path)
	}
	return nil // that it is no feed will be told by its first line
}
