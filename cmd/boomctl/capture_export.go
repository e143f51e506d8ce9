package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/internal/term"
)

// captureExportCmd is `boomctl capture export`.
type captureExportCmd struct {
	captureFiles
	captureSpan
	Output string `short:"o" required:"" placeholder:"FILE" help:"New file, compressed with gzip."`
}

// Help is the long help.
func (*captureExportCmd) Help() string {
	return `Writes a line for each message received, text or binary: when it was read, in seconds since 1970, a tab, and the payload. A message with a newline in it has no place in such a file: it is left out, and how many there were is said.`
}

func (*captureExportCmd) about() about {
	return about{examples: []example{
		{"What one endpoint received, for boomctl exchange --feed.", "boomctl capture export feed.pcapng -o feed.tsv.gz --endpoint btcusdt"},
	}}
}

// Run is called by kong.
func (c *captureExportCmd) Run() error {
	written, left, err := c.export()
	if err != nil {
		return fmt.Errorf("capture export: %w", err)
	}
	fmt.Printf("%s: %s\n", c.Output, plural(written, "message"))
	if left > 0 {
		fmt.Fprintf(os.Stderr, "boomctl: capture export: %s left out, with a newline in it or over %s\n", plural(left, "message"), term.Bytes(feed.MaxLine))
	}
	return nil
}

func (c *captureExportCmd) export() (written, left int, err error) {
	ctx, stop := untilInterrupted()
	defer stop()
	rec, info, ended, err := c.openShown(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer ended()
	keep := recording.Filter{Conns: c.Conn, Endpoints: c.Endpoint}
	if keep.From, keep.To, err = c.times(info.Start); err != nil {
		return 0, 0, err
	}
	return exportFeed(rec, keep, c.Output)
}

// exportFeed writes the messages received that keep names to a new feed, and says how
// many have no place in one.
func exportFeed(rec tape.Recording, keep recording.Filter, path string) (written, left int, err error) {
	keep.Received, keep.Ops = true, []recording.Op{recording.Text, recording.Binary}
	w, err := feed.Create(path)
	if err != nil {
		return 0, 0, err
	}
	err = recording.EachMessage(rec, &keep, func(m *recording.Message) error {
		err := w.Write(feed.Line{Time: m.Wall.UnixNano(), Payload: m.Payload})
		if errors.Is(err, feed.ErrLineFeed) || errors.Is(err, feed.ErrLineLong) {
			left++
			return nil
		}
		written++
		return err
	})
	if err == nil && written == 0 {
		err = errors.New("no message is to be written")
	}
	if err = errors.Join(err, w.Close()); err != nil {
		err = errors.Join(err, os.Remove(path))
	}
	return written, left, err
}
