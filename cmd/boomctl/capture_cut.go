package main

import (
	"fmt"
	"os"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/internal/term"
)

// captureCutCmd is `boomctl capture cut`.
type captureCutCmd struct {
	captureFiles
	captureSpan
	Output    string `short:"o" required:"" placeholder:"FILE" help:"New file; .zst: compressed."`
	NoSecrets bool   `help:"Leave keys of TLS sessions out."`
	Comment   string `placeholder:"TEXT" help:"Put this into the file."`
}

// Help is the long help.
func (*captureCutCmd) Help() string {
	return `Of connections that stand at --from all is kept that is not bytes, and their set-up, so that tools understand what comes then. The bytes between are missing, and the file says so.`
}

func (*captureCutCmd) about() about {
	return about{examples: []example{
		{"A minute of one endpoint.", "boomctl capture cut feed.pcapng -o incident.pcapng --from 09:31:00 --to 09:32:00 --endpoint btcusdt"},
		{"Without keys of TLS, to give away.", "boomctl capture cut feed.pcapng -o public.pcapng.zst --no-secrets"},
	}}
}

// Run is called by kong.
func (c *captureCutCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	rec, info, ended, err := c.openShown(ctx)
	if err != nil {
		return fmt.Errorf("capture cut: %w", err)
	}
	keep := capture.Filter{Conns: c.Conn, Endpoints: c.Endpoint, NoSecrets: c.NoSecrets}
	if keep.From, keep.To, err = c.times(info.Start); err != nil {
		return fmt.Errorf("capture cut: %w", err)
	}
	err = capture.Cut(c.Output, rec, keep, capture.CutOptions{Comment: c.Comment})
	ended()
	if err != nil {
		return fmt.Errorf("capture cut: %w", err)
	}
	if s, err := os.Stat(c.Output); err == nil {
		fmt.Printf("%s: %s, %v\n", c.Output, term.Bytes(s.Size()), keep)
	}
	return nil
}
