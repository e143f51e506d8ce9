package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/internal/recording"
	"github.com/boomnet-go/boomnet/internal/term"
)

// captureInfoCmd is `boomctl capture info`.
type captureInfoCmd struct {
	captureFiles
	JSON bool `name:"json" help:"Print JSON."`
}

// Help is the long help.
func (*captureInfoCmd) Help() string {
	return `Reads the whole recording. A file that is truncated is read up to there, and the answer says so.`
}

func (*captureInfoCmd) about() about {
	return about{
		examples: []example{
			{"What is in a file.", "boomctl capture info feed.pcapng"},
			{"All files of a rotation.", "boomctl capture info --rotated feed.pcapng"},
			{"Connections that were lost, and why.", "boomctl capture info feed.pcapng --json | jq -r '.connections[] | [.endpoint, .closed, .why] | @tsv'"},
		},
		statuses: []entry{
			{"0", "It could be read, whatever it says."},
			{"1", "It could not, or only to a place that is broken; then what comes before is shown."},
		},
	}
}

// captureInfo is what info tells.
type captureInfo struct {
	Files     []capture.FileInfo `json:"files"`
	Recording string             `json:"recording"`
	Software  string             `json:"software"`
	OS        string             `json:"os,omitempty"`
	Hardware  string             `json:"hardware,omitempty"`
	Comment   string             `json:"comment,omitempty"`
	*recording.Summary
}

// Run is called by kong.
func (c *captureInfoCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	rec, info, ended, err := c.openShown(ctx)
	if err != nil {
		return fmt.Errorf("capture info: %w", err)
	}
	sum, err := recording.Summarize(rec)
	ended()
	told := &captureInfo{info.Files, info.Recording, info.Software, info.OS, info.Hardware, info.Comment, sum}
	if err != nil {
		err = fmt.Errorf("capture info: %w", err)
	}
	if c.JSON {
		return errors.Join(printJSON(told), err)
	}
	out := canvas()
	drawCaptureInfo(out, told)
	_, failed := io.WriteString(os.Stdout, out.String())
	return errors.Join(failed, err)
}

// drawCaptureInfo draws it.
func drawCaptureInfo(c *term.Canvas, i *captureInfo) {
	s := i.Summary
	row := func(name, text string) {
		if text != "" {
			c.Left(term.Dim, 12, " "+name).Put(term.Plain, text).End()
		}
	}
	row("reactor", s.Reactor)
	if s.Records > 0 {
		row("start", s.Start.Format(timeLayout))
		row("end", s.End.Format(timeLayout))
		row("length", term.Duration(s.End.Sub(s.Start)))
	}
	row("written by", i.Software)
	row("comment", i.Comment)
	for _, f := range i.Files {
		text := f.Path + ", " + term.Bytes(f.Size)
		if f.Compression != "" {
			text += ", " + f.Compression
		}
		row("file", text)
	}
	row("records", fmt.Sprintf("%s in %s turns", term.Count(int64(s.Records)), term.Count(int64(s.Turns))))
	row("received", fmt.Sprintf("%s messages, %s", term.Count(int64(s.MessagesIn)), term.Bytes(s.BytesIn)))
	row("sent", fmt.Sprintf("%s messages, %s", term.Count(int64(s.MessagesOut)), term.Bytes(s.BytesOut)))
	if s.Complete {
		row("whole", "yes, to the end of the reactor")
	} else {
		c.Left(term.Dim, 12, " whole").Put(term.Yellow, "no").End()
	}
	verdict, style := "yes", term.Green
	switch {
	case !s.Replays:
		verdict, style = "no", term.Red
	case len(s.Obstacles) > 0:
		verdict, style = "yes, with what is said below", term.Yellow
	}
	c.Left(term.Dim, 12, " replays").Put(style, verdict).End()
	for _, o := range s.Obstacles {
		c.Put(term.Plain, "              "+o).End()
	}
	if len(s.Conns) == 0 {
		return
	}
	c.End()
	c.Right(term.Dim, 5, "conn").Put(term.Plain, " ").Left(term.Dim, 15, "endpoint").Put(term.Plain, " ").Left(term.Dim, 15, "opened").Right(term.Dim, 9, "lasted").
		Right(term.Dim, 11, "received").Right(term.Dim, 10, "bytes").Right(term.Dim, 9, "sent").End()
	for k := range s.Conns {
		drawCaptureConn(c, &s.Conns[k], s.End)
	}
}

// drawCaptureConn draws a connection: a line, and below it where it went and why it ended.
func drawCaptureConn(c *term.Canvas, n *recording.ConnSummary, end time.Time) {
	c.Right(term.Bold, 5, fmt.Sprint(n.Num)).Put(term.Plain, " ").Left(term.Plain, 15, n.Endpoint).Put(term.Plain, " ")
	opened, lasted := "never", ""
	if n.Opened != nil {
		opened = n.Opened.Format("15:04:05.000000")
		if n.Closed != nil {
			end = *n.Closed
		}
		lasted = term.Duration(end.Sub(*n.Opened))
	}
	c.Left(term.Plain, 15, opened).Right(term.Plain, 9, lasted).Right(term.Plain, 11, term.Count(int64(n.MessagesIn))).
		Right(term.Plain, 10, term.Bytes(n.BytesIn)).Right(term.Plain, 9, term.Count(int64(n.MessagesOut))).End()
	where := n.Target
	if n.TLS != "" {
		where += ", " + n.TLS
	}
	if n.Deflate {
		where += ", permessage-deflate"
	}
	c.Put(term.Dim, "      "+where).End()
	if n.Peer != nil {
		c.Put(term.Dim, fmt.Sprintf("      %v → %v", n.Peer.Local, n.Peer.Remote)).End()
	}
	if n.MissingIn|n.MissingOut != 0 {
		c.Put(term.Yellow, fmt.Sprintf("      missing: %s received, %s sent", term.Bytes(n.MissingIn), term.Bytes(n.MissingOut))).End()
	}
	if n.Undecode != "" {
		c.Put(term.Yellow, "      "+n.Undecode).End()
	}
	switch {
	case n.Why != "":
		c.Put(term.Dim, "      "+n.Why).End()
	case n.Closed == nil:
		c.Put(term.Dim, "      open at the end of the recording").End()
	}
}
