package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/internal/recording"
)

// replayServe are the flags of `boomctl replay --serve`.
type replayServe struct {
	Serve    string   `placeholder:"HOST:PORT" help:"Serve the messages received in the recording to each client that connects, from the first one, as boomctl exchange --feed does; port 0 takes a free one."`
	Loop     bool     `help:"With --serve: start again after the end."`
	TLS      bool     `help:"With --serve: wss://, with a certificate made for this run."`
	CAOut    string   `name:"ca-out" placeholder:"FILE" help:"With --serve: write the certificate that clients must trust; turns --tls on."`
	Endpoint []string `sep:"none" placeholder:"NAME" help:"With --serve: only what this endpoint received. Repeatable."`
	Conn     []uint32 `sep:"none" placeholder:"N" help:"With --serve: only what the connection of this number received. Repeatable."`
}

// unused refuses flags that are for --serve only.
func (s *replayServe) unused() error {
	if s.Loop || s.TLS || s.CAOut != "" || len(s.Endpoint) > 0 || len(s.Conn) > 0 {
		return errors.New("--loop, --tls, --ca-out, --endpoint and --conn are for --serve")
	}
	return nil
}

// serve serves until Ctrl-C. The messages go through a feed file that lives as long.
func (c *replayCmd) serve(ctx context.Context, f *capture.File) (err error) {
	dir, err := os.MkdirTemp("", "boomctl-replay-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "feed.tsv.gz")
	keep := recording.Filter{Endpoints: c.Endpoint, Conns: c.Conn}
	p := newProgress(os.Stderr, sizes(f.Info().Files))
	written, left, err := exportFeed(&watched{File: f, ctx: ctx, progress: p}, keep, path)
	p.end()
	if err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintf(os.Stderr, "boomctl: replay: %s left out, with a newline in it or over %d bytes\n", plural(left, "message"), feed.MaxLine)
	}
	cfg := exchange.Config{Listen: c.Serve, Feed: path, Speed: 1, Loop: c.Loop}
	if c.Speed != nil {
		cfg.Speed = float64(*c.Speed)
	}
	if c.TLS || c.CAOut != "" {
		cfg.TLS = &exchange.TLS{}
	}
	s, err := exchange.Start(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if c.CAOut != "" {
		if err := os.WriteFile(c.CAOut, s.CA(), 0o644); err != nil {
			return fmt.Errorf("--ca-out: %w", err)
		}
	}
	info, _ := s.Feed()
	fmt.Printf("%s over %v: %s/feed, and every other subscription. Ctrl-C ends it.\n", plural(written, "message"),
		time.Duration(info.Last-info.First).Round(time.Millisecond), s.URL())
	<-ctx.Done()
	return nil
}
