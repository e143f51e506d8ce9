package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// captureCatCmd is `boomctl capture cat`.
type captureCatCmd struct {
	captureFiles
	captureSpan
	Op       []recording.Op `placeholder:"OP" suggest:"text,binary,ping,pong,close,request,response,data,lost" help:"Only messages of this kind: text, binary, ping, pong, close, request and response of the upgrade, data of what is no WebSocket, lost for where bytes are missing. Repeatable."`
	Received bool           `xor:"direction" help:"Only what was received."`
	Sent     bool           `xor:"direction" help:"Only what was sent."`
	Contains string         `placeholder:"TEXT" help:"Only messages with this text."`
	Match    string         `placeholder:"REGEXP" help:"Only messages that match this regular expression."`
	Min      int            `placeholder:"BYTES" help:"Only messages of so many bytes at least."`
	Max      int            `placeholder:"BYTES" help:"Only messages of so many bytes at most."`
	Count    int            `placeholder:"N" help:"End after N messages."`

	Width   int  `default:"0" placeholder:"BYTES" help:"Show so many bytes of a payload. Default: all."`
	JSON    bool `name:"json" xor:"form" help:"Print each message as a JSON object: time, at, kernel, endpoint, connection, direction, op, length, wire, frames, and data or base64."`
	Hex     bool `xor:"form" help:"Print payloads in hexadecimal, as hexdump -C does."`
	Raw     bool `xor:"form" help:"Print payloads only, each with a newline."`
	Records bool `xor:"form" help:"Print the records themselves instead of messages: what a replay goes by. Only --from, --to, --conn, --count and --width apply."`
}

// Help is the long help.
func (*captureCatCmd) Help() string {
	return `A line has the wall's time of the read that completed the message, the endpoint, the number of the connection, < for received or > for sent, the kind, the length in bytes, and the payload; bytes that are no printable text are shown as \x00.

WebSocket is decoded: fragments are one message, and permessage-deflate is inflated. After bytes that are missing it goes on with the next read that begins with a frame.`
}

func (*captureCatCmd) about() about {
	return about{examples: []example{
		{"All messages.", "boomctl capture cat feed.pcapng"},
		{"Ten seconds of one endpoint.", "boomctl capture cat feed.pcapng --endpoint btcusdt --from 09:31:00 --to 09:31:10"},
		{"What was sent.", "boomctl capture cat feed.pcapng --sent"},
		{"Prices, by jq.", "boomctl capture cat feed.pcapng --op text --received --raw | jq -r .p"},
		{"What the reactor saw, step by step.", "boomctl capture cat feed.pcapng --records"},
	}}
}

// Validate is called by kong; its errors are usage errors.
func (c *captureCatCmd) Validate() error {
	for _, op := range c.Op {
		known := false
		for _, o := range recording.Ops {
			known = known || o == op
		}
		if !known {
			return fmt.Errorf("--op: %q is none of %v", op, recording.Ops)
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{{"min", c.Min}, {"max", c.Max}, {"count", c.Count}, {"width", c.Width}} {
		if n.value < 0 {
			return fmt.Errorf("--%s: %d is negative", n.name, n.value)
		}
	}
	if c.Max > 0 && c.Min > c.Max {
		return fmt.Errorf("--min %d is more than --max %d", c.Min, c.Max)
	}
	return nil
}

// errEnough ends reading before the end.
var errEnough = errors.New("enough")

// Run is called by kong.
func (c *captureCatCmd) Run() error {
	signal.Ignore(syscall.SIGPIPE) // a reader that has gone is an error of the write
	ctx, stop := untilInterrupted()
	defer stop()
	out := bufio.NewWriterSize(os.Stdout, 64<<10)
	err := c.run(ctx, out)
	if errors.Is(err, errEnough) || errors.Is(err, errInterrupted) {
		err = nil
	}
	err = errors.Join(err, out.Flush())
	if errors.Is(err, syscall.EPIPE) {
		return nil // head has what it wants
	}
	if err != nil {
		return fmt.Errorf("capture cat: %w", err)
	}
	return nil
}

func (c *captureCatCmd) run(ctx context.Context, out *bufio.Writer) error {
	f, err := c.open()
	if err != nil {
		return err
	}
	// What is printed is progress enough.
	rec := &watched{File: f, ctx: ctx, progress: new(progress)}
	filter, err := c.filter(f.Info().Start)
	if err != nil {
		return err
	}
	if c.Records {
		return c.records(rec, filter, out)
	}
	shown := 0
	return recording.EachMessage(rec, filter, func(m *recording.Message) error {
		if err := c.write(out, m); err != nil {
			return err
		}
		if shown++; shown == c.Count {
			return errEnough
		}
		return nil
	})
}

func (c *captureCatCmd) filter(start time.Time) (*recording.Filter, error) {
	f := &recording.Filter{
		Endpoints: c.Endpoint, Conns: c.Conn, Ops: c.Op, Received: c.Received, Sent: c.Sent,
		Contains: []byte(c.Contains), Min: c.Min, Max: c.Max,
	}
	var err error
	if f.From, f.To, err = c.times(start); err != nil {
		return nil, err
	}
	if c.Match != "" {
		if f.Matches, err = regexp.Compile(c.Match); err != nil {
			return nil, fmt.Errorf("--match: %w", err)
		}
	}
	return f, nil
}

func (c *captureCatCmd) write(out *bufio.Writer, m *recording.Message) error {
	payload := m.Payload
	if c.Width > 0 && len(payload) > c.Width {
		payload = payload[:c.Width]
	}
	switch {
	case c.Raw:
		_, _ = out.Write(payload) // an error sticks, and the next write returns it
		return out.WriteByte('\n')
	case c.JSON:
		return writeMessageJSON(out, m, payload)
	case c.Hex:
		_, _ = out.WriteString(messageLine(m) + "\n")
		_, err := out.WriteString(hex.Dump(payload))
		return err
	}
	_, err := out.WriteString(messageLine(m) + " " + messageText(m, payload) + "\n")
	return err
}

// messageLine is all but the payload.
func messageLine(m *recording.Message) string {
	arrow := "<"
	if m.Sent {
		arrow = ">"
	}
	return fmt.Sprintf("%s %s %d %s %s %d", m.Wall.Format(timeLayout), oneLine(m.Endpoint), m.Conn, arrow, m.Op, len(m.Payload))
}

// messageText is the payload on one line.
func messageText(m *recording.Message, payload []byte) string {
	switch m.Op {
	case recording.Lost:
		return oneLine(m.Note)
	case recording.Close:
		if code, reason, err := frame.ParseClose(payload); err == nil {
			return strings.TrimSuffix(fmt.Sprintf("%d %s", code, oneLine(string(reason))), " ")
		}
	}
	return printable(payload)
}

// printable is p with what is no printable text escaped, so that it is one line and
// steers no terminal.
func printable(p []byte) string {
	var b strings.Builder
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, p[0])
		case r == '\\':
			b.WriteString(`\\`)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r < utf8.RuneSelf:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		p = p[n:]
	}
	return b.String()
}

// messageJSON is a message for programs.
type messageJSON struct {
	Time       time.Time    `json:"time"`
	At         int64        `json:"at"` // CLOCK_MONOTONIC of then, ns
	Kernel     int64        `json:"kernel,omitempty"`
	Endpoint   string       `json:"endpoint"`
	Connection uint32       `json:"connection"`
	Direction  string       `json:"direction"`
	Op         recording.Op `json:"op"`
	Length     int          `json:"length"`
	Wire       int          `json:"wire"`
	Frames     int          `json:"frames,omitempty"`
	Deflated   bool         `json:"deflated,omitempty"`
	Note       string       `json:"note,omitempty"`
	Data       *string      `json:"data,omitempty"`
	Base64     []byte       `json:"base64,omitempty"`
}

func writeMessageJSON(out io.Writer, m *recording.Message, payload []byte) error {
	j := messageJSON{
		Time: m.Wall.UTC(), At: m.At, Kernel: m.Kernel, Endpoint: m.Endpoint, Connection: m.Conn, Direction: "received", Op: m.Op,
		Length: len(m.Payload), Wire: m.Wire, Frames: m.Frames, Deflated: m.Deflated, Note: m.Note,
	}
	if m.Sent {
		j.Direction = "sent"
	}
	if m.Op != recording.Binary && utf8.Valid(payload) {
		text := string(payload)
		j.Data = &text
	} else {
		j.Base64 = payload
	}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return e.Encode(j)
}

// records prints records.
func (c *captureCatCmd) records(rec tape.Recording, f *recording.Filter, out *bufio.Writer) error {
	r, err := recording.Read(rec)
	if err != nil {
		return err
	}
	defer r.Close()
	wanted := make(map[uint32]bool)
	for _, n := range c.Conn {
		wanted[n] = true
	}
	for shown := 0; ; {
		record, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if len(wanted) > 0 && !wanted[record.Conn] || !f.InTime(r.Wall()) {
			continue
		}
		if _, err := out.WriteString(recordLine(record, r.Wall(), c.Width) + "\n"); err != nil {
			return err
		}
		if shown++; shown == c.Count {
			return nil
		}
	}
}

// recordLine is a record on one line.
func recordLine(r *tape.Record, wall time.Time, width int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", r.Seq, wall.Format(timeLayout), r.Kind)
	if r.Turn > 0 {
		fmt.Fprintf(&b, " turn=%d", r.Turn)
	}
	if r.Conn > 0 {
		fmt.Fprintf(&b, " conn=%d", r.Conn)
	}
	if r.Flags&tape.Setup != 0 {
		b.WriteString(" setup")
	}
	if r.Arg != 0 {
		fmt.Fprintf(&b, " arg=%d", r.Arg)
	}
	if r.Arg2 != 0 {
		fmt.Fprintf(&b, " arg2=%d", r.Arg2)
	}
	if err := r.Err.Err(); err != nil {
		fmt.Fprintf(&b, " error=%q", err.Error())
	}
	if len(r.Text) > 0 && r.Kind != tape.KindRead { // there it is a stamp
		fmt.Fprintf(&b, " %s", printable(r.Text))
	}
	if len(r.Data) > 0 {
		data := r.Data
		if width > 0 && len(data) > width {
			data = data[:width]
		}
		fmt.Fprintf(&b, " %d bytes", len(r.Data))
		if r.Kind != tape.KindSecrets && r.Kind != tape.KindSeed && r.Kind != tape.KindBegin {
			fmt.Fprintf(&b, ": %s", printable(data))
		}
	}
	return b.String()
}
