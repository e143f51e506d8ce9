package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/internal/recording/imported"
	"github.com/boomnet-go/boomnet/internal/term"
)

// captureImportCmd is `boomctl capture import`.
type captureImportCmd struct {
	File   string `arg:"" placeholder:"FILE" help:"Capture of packets (pcap, pcapng), or a feed: lines of seconds since 1970, tab, payload; plain or gzip. boomctl exchange --record writes such."`
	Output string `short:"o" required:"" placeholder:"FILE" help:"New recording; .zst: compressed."`
	Name   string `placeholder:"NAME" help:"Of the endpoint in the recording. Default: of a feed the name of FILE without its extensions, of packets the URL that was asked for."`
	URL    string `default:"ws://feed/feed" placeholder:"URL" help:"What the endpoint of a feed connects to in the recording (${default})."`
	Keylog string `placeholder:"FILE" help:"Opens TLS in packets: a file of SSLKEYLOGFILE's form. Secrets in the capture are used as well."`
	Client string `placeholder:"PREFIX" help:"Addresses of clients, where the capture lacks a connection's beginning: 10.0.0.0/8. Default: the side with the higher port."`
}

// Help is the long help.
func (*captureImportCmd) Help() string {
	return `Of packets, TCP is put together, TLS opened where a key log has its keys, and each WebSocket connection becomes one of the recording: what a packet made known is a read. What was not captured is told, and what cannot be read is left out, aloud.

Of a feed, each line becomes a WebSocket message of one connection, received at the time of the line: text, or binary if it is not UTF-8. A line whose time lies before that of the line before gets that of the line before. The recording replays, at any speed, through any endpoint of that name; what that sends is not compared, as a feed does not have it.`
}

func (*captureImportCmd) about() about {
	return about{examples: []example{
		{"What tcpdump has captured, with the keys of its TLS.", "boomctl capture import morning.pcap -o morning.pcapng --keylog keys.log"},
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
	isPackets, err := c.isPackets()
	if err != nil {
		return 0, err
	}
	if isPackets {
		return c.packets()
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
	return c.write(f, "imported from %s: times are those of its lines")
}

// write writes the recording and returns how many messages are in it.
func (c *captureImportCmd) write(from tape.Recording, comment string) (messages int, err error) {
	comment = fmt.Sprintf(comment, filepath.Base(c.File))
	if err := capture.Cut(c.Output, from, capture.Filter{}, capture.CutOptions{Comment: comment}); err != nil {
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

// isPackets reports whether the file is a capture of packets: that of another program,
// or our own below TLS.
func (c *captureImportCmd) isPackets() (bool, error) {
	rec, err := capture.Open(c.File)
	if err != nil {
		f, err := os.Open(c.File)
		if err != nil {
			return false, err
		}
		defer f.Close()
		_, err = pcapng.NewReader(f)
		return !errors.Is(err, pcapng.ErrFormat), nil // what is wrong with it, or that it is no feed, will be told
	}
	below, err := belowTLS(rec)
	if err == nil && !below {
		err = fmt.Errorf("%s is a recording already: boomctl capture reads it, boomctl capture export makes a feed of it", c.File)
	}
	return true, err
}

// belowTLS reports whether a recording has connections whose bytes are sealed.
func belowTLS(rec *capture.File) (bool, error) {
	rec.Lenient(true)
	in, err := rec.Read()
	if err != nil {
		return false, err
	}
	defer in.Close()
	for {
		r, err := in.Next()
		switch {
		case err == io.EOF:
			return false, nil
		case err != nil:
			return false, err
		}
		var peer tape.Peer
		if r.Kind == tape.KindDialed && json.Unmarshal(r.Data, &peer) == nil && peer.Layer == tape.BelowTLS {
			return true, nil
		}
	}
}

// packets imports a capture of packets.
func (c *captureImportCmd) packets() (messages int, err error) {
	cfg := imported.PacketsConfig{Endpoint: c.Name}
	if c.Client != "" {
		if cfg.Client, err = netip.ParsePrefix(c.Client); err != nil {
			return 0, fmt.Errorf("--client %q: %w", c.Client, err)
		}
	}
	if c.Keylog != "" {
		keys, err := os.Open(c.Keylog)
		if err != nil {
			return 0, err
		}
		defer keys.Close()
		cfg.KeyLog = keys
	}
	p, err := imported.ReadPackets(c.File, cfg)
	if p == nil {
		return 0, err
	}
	if err != nil { // it is cut: what there is counts
		fmt.Fprintf(os.Stderr, "boomctl: capture import: %v\n", err)
	}
	for _, skipped := range p.Skipped {
		fmt.Fprintf(os.Stderr, "boomctl: capture import: %s\n", skipped)
	}
	if n := p.Passed; n.Malformed+n.Fragments+n.Links > 0 {
		fmt.Fprintf(os.Stderr, "boomctl: capture import: of %d packets %d were malformed, %d fragments, %d of links that are not known; the first: %v\n",
			n.Packets, n.Malformed, n.Fragments, n.Links, n.Err)
	}
	if p.Gaps > 0 {
		fmt.Fprintf(os.Stderr, "boomctl: capture import: %s were not captured\n", term.Bytes(p.Gaps))
	}
	return c.write(p.Recording, "imported from %s: a read is what a packet made known")
}
