package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// notes is standard error: one line each. That it cannot be written is no reason
// to end.
type notes struct {
	w     io.Writer
	quiet bool
}

// status is for what --quiet leaves out.
func (n *notes) status(format string, args ...any) {
	if !n.quiet {
		n.always(format, args...)
	}
}

func (n *notes) always(format string, args ...any) {
	_, _ = fmt.Fprintf(n.w, "boomctl: connect: %s\n", oneLine(fmt.Sprintf(format, args...)))
}

// oneLine keeps what peers say from moving the cursor.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
}

// explain says of a failed set-up, or the end of a connection to url, which exit
// status it is and why, in one line.
func explain(url string, err error) (status int, line string) {
	if e, ok := errors.AsType[*stream.DialError](err); ok {
		status, what := exitConnect, "connect"
		switch e.Phase {
		case stream.Resolving:
			status, what = exitDNS, "DNS"
		case stream.Securing:
			status, what = exitTLS, "TLS"
		}
		if e.Addr != "" {
			url += " (" + e.Addr + ")"
		}
		return status, fmt.Sprintf("%s: %s: %v", what, url, e.Err)
	}
	if e, ok := errors.AsType[*ws.UpgradeError](err); ok {
		if !errors.Is(e.Err, ws.ErrRefused) {
			return exitUpgrade, fmt.Sprintf("upgrade: %s: %v", url, e.Err)
		}
		line := fmt.Sprintf("upgrade: %s: refused with %s", url, e.Status)
		if body := firstLine(e.Body); body != "" {
			line += ": " + body
		}
		return exitUpgrade, line
	}
	if e, ok := errors.AsType[*ws.CloseError](err); ok {
		status, what := exitProtocol, "lost"
		_, violation := errors.AsType[frame.Error](e.Err)
		switch {
		case cleanEnd(e):
			status, what = exitOK, "closed"
		case violation:
			what = "protocol"
		case e.Err == nil:
			what = "closed"
		}
		return status, fmt.Sprintf("%s: %s: %s", what, url, strings.TrimPrefix(e.Error(), "ws: "))
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return exitUsage, fmt.Sprintf("usage: %v", err)
	}
	return exitFailure, err.Error()
}

// usageError is a command line that kong could not know to be wrong.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// cleanEnd reports whether the peer ended the connection as one does that has
// nothing to complain about.
func cleanEnd(e *ws.CloseError) bool {
	return e.Err == nil && (e.Code == frame.CloseNormal || e.Code == frame.CloseGoingAway || e.Code == frame.CloseNoStatus)
}

// firstLine is the first line of a refusal's body with anything in it, at most
// 200 bytes.
func firstLine(body []byte) string {
	line, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	return strings.ToValidUTF8(string(bytes.TrimSpace(line[:min(len(line), 200)])), "")
}
