package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/stats"
)

// recordCmd is `boomctl record`: a connection on a reactor whose tape goes into files.
// record_run.go runs it.
type recordCmd struct {
	URL    string `arg:"" help:"ws://host[:port]/path or wss://host[:port]/path."`
	Output string `short:"o" required:"" placeholder:"FILE" help:"New file; .zst: compressed."`

	Name      string   `placeholder:"NAME" help:"Of the endpoint in the recording. Default: the URL without its query."`
	Subscribe []string `sep:"none" placeholder:"TEXT" help:"Send this text message after each connect. Repeatable."`

	connectOptions `embed:""`

	Timeout time.Duration `default:"5s" help:"Limit of each step of a set-up: name, connect, TLS, upgrade (${default})."`
	Stale   time.Duration `placeholder:"DURATION" help:"Connect anew when nothing has arrived for so long. Default: never."`
	Ping    time.Duration `placeholder:"INTERVAL" help:"Send a ping each INTERVAL, and connect anew when no answer comes."`

	For      time.Duration `placeholder:"DURATION" help:"End after this time."`
	Messages int64         `placeholder:"N" help:"End after N messages received."`

	RotateSize   byteSize      `placeholder:"SIZE" help:"Begin a new file when one has this size, up to 1GiB: FILE, FILE-000002, …"`
	RotateAge    time.Duration `placeholder:"DURATION" help:"Or when it has this age."`
	Keep         int           `placeholder:"N" help:"Keep N files at most: the oldest is removed."`
	CompressFile bool          `help:"Compress files with zstd; .zst is appended to FILE."`
	Sync         syncFlag      `default:"never" placeholder:"WHEN" suggest:"never,file,1s" help:"When files are synced to the disk: never, file for when one is done, or an interval such as 1s (${default})."`
	MinFree      byteSize      `default:"64MiB" placeholder:"SIZE" help:"Write nothing while the disk has less room than this (${default})."`
	Ring         byteSize      `default:"32MiB" placeholder:"SIZE" help:"Memory for what the disk has not taken yet (${default})."`
	BelowTLS     bool          `name:"below-tls" help:"Record the bytes on the wire. Such a recording cannot be replayed, nor its messages be read, without --secrets and a tool such as Wireshark."`
	Secrets      bool          `help:"With --below-tls: put the keys of TLS sessions into the file. Who has it can read everything."`
	Quiet        bool          `short:"q" help:"No progress on standard error, only warnings and losses."`
}

// Help is the long help.
func (*recordCmd) Help() string {
	return `The file is pcapng: boomctl capture looks into it, boomctl replay replays it, and so do Wireshark, tshark and capinfos open it. It is valid at any moment. After every loss and every failed try it connects again, with back-off, until --for, --messages, or Ctrl-C, which ends connection and file in order.

A disk that is slow or full never delays the connection: what does not fit into --ring is lost, which is shown, and said in the recording at that place.

A feed in the form of boomctl exchange is made by boomctl exchange --record, or of a recording by boomctl capture export.`
}

func (*recordCmd) about() about {
	return about{
		examples: []example{
			{"A stream of boomctl exchange, until Ctrl-C.", "boomctl record ws://127.0.0.1:9443/ws/btcusdt@trade -o feed.pcapng"},
			{"A subscription, for an hour, compressed.", `boomctl record wss://127.0.0.1:9443/ws --cacert ca.pem -o feed.pcapng.zst --for 1h --subscribe '{"method":"SUBSCRIBE","params":["btcusdt@depth"],"id":1}'`},
			{"All day, the last ten files of 1 GiB, kernel stamps included.", "boomctl record ws://127.0.0.1:9443/ws/btcusdt@trade -o feed.pcapng --rotate-size 1GiB --keep 10 --timestamps software"},
		},
		statuses: []entry{
			{"0", "A clean end: --for, --messages, Ctrl-C."},
			{"1", "The file could not be written, or records were lost."},
			{"2", "The command line is wrong."},
			{"4", "No connection ever stood."},
		},
	}
}

// syncFlag is a capture.SyncPolicy on the command line.
type syncFlag capture.SyncPolicy

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *syncFlag) UnmarshalText(text []byte) error {
	switch string(text) {
	case "never":
		*s = syncFlag(capture.SyncNever)
		return nil
	case "file":
		*s = syncFlag(capture.SyncFile)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is neither never, nor file, nor an interval above 0", text)
	}
	*s = syncFlag(capture.SyncEvery(d))
	return nil
}

// Validate is called by kong; its errors are usage errors.
func (c *recordCmd) Validate() error {
	for _, d := range []struct {
		name  string
		value time.Duration
	}{{"timeout", c.Timeout}, {"stale", c.Stale}, {"ping", c.Ping}, {"for", c.For}, {"rotate-age", c.RotateAge}} {
		if d.value < 0 {
			return fmt.Errorf("--%s: %v is negative", d.name, d.value)
		}
	}
	switch {
	case c.Messages < 0:
		return fmt.Errorf("--messages: %d is negative", c.Messages)
	case c.Keep < 0:
		return fmt.Errorf("--keep: %d is negative", c.Keep)
	case c.Keep > 0 && c.RotateSize == 0 && c.RotateAge == 0:
		return errors.New("--keep needs --rotate-size or --rotate-age")
	case c.Secrets && !c.BelowTLS:
		return errors.New("--secrets needs --below-tls: above TLS nothing is encrypted")
	}
	return c.connectOptions.check()
}

// Run is called by kong.
func (c *recordCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	r, err := c.prepare()
	if err != nil {
		fmt.Fprintf(os.Stderr, "boomctl: record: %s\n", oneLine(err.Error()))
		if _, usage := errors.AsType[*usageError](err); usage {
			return exitStatus(exitUsage)
		}
		return exitStatus(exitFailure)
	}
	if status := r.run(ctx); status != exitOK {
		return exitStatus(status)
	}
	return nil
}

// feedEndpoint is the endpoint that is recorded: it counts.
type feedEndpoint struct {
	endpoint.WebSocket
	subscribe []string
	messages  stats.Counter
	bytes     stats.Counter // of their payloads
	opened    stats.Counter
	losses    stats.Counter
	limit     int64
	seen      int64
	enough    func()
	say       func(format string, args ...any)
}

// OnOpen subscribes.
func (f *feedEndpoint) OnOpen(c *ws.Conn) error {
	f.opened.Add(1)
	for _, s := range f.subscribe {
		if err := c.WriteString(s); err != nil {
			return err
		}
	}
	return nil
}

// OnData counts. What comes after the last message that is wanted is recorded, too.
func (f *feedEndpoint) OnData(c *ws.Conn) error {
	var messages, bytes int64
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		messages++
		bytes += int64(len(m.Payload))
	}
	f.messages.Add(messages)
	f.bytes.Add(bytes)
	before := f.seen
	if f.seen += messages; f.limit > 0 && before < f.limit && f.seen >= f.limit {
		f.enough()
	}
	return c.Err()
}

// OnLoss tells.
func (f *feedEndpoint) OnLoss(e *endpoint.LossError) endpoint.Action {
	f.losses.Add(1)
	if e.Phase != endpoint.Closing { // that was the end
		f.say("%v", e)
	}
	return endpoint.Reconnect
}
