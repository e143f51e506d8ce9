// Package meter is what the clients of this module have in common: the work they
// are told to do, the clock, and the line that they print.
//
// A client is started as
//
//	CLIENT PORT PATH [ITERATIONS]
//
// It connects to 127.0.0.1:PORT, over TLS when the environment has TLS set (the
// certificate's authority is then in the file ANCHORS_CA names; without it the
// certificate is not verified), opens PATH as a WebSocket, does what PATH
// asks for, and prints one line of JSON on standard output. Clients of our own do
// not validate UTF-8 when the environment has SKIP_UTF8 set.
//
//	/burst/N/SIZE        ITERATIONS rounds after 500 of warm-up: send 256 bytes, receive N messages
//	/flood/N/SIZE/BATCH  receive until the close frame
//	/paced/N/SIZE/MICROS the same, and note how old the stamp of each message is
//	/steady/N/SIZE/MICROS/BATCH  as flood
package meter

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
)

// Mode is the kind of work.
type Mode string

// The kinds of work.
const (
	Burst  Mode = "burst"
	Flood  Mode = "flood"
	Paced  Mode = "paced"
	Steady Mode = "steady"
)

const (
	warmUp  = 500 // rounds of a burst that do not count
	request = 256 // bytes of the message that asks for a burst

	maxMessages = 1 << 27 // a sample is 8 bytes
)

// Work is what a client was told to do.
type Work struct {
	Port       int
	Path       string
	Mode       Mode
	N          int // messages in all, or messages a burst
	Iterations int // rounds of a burst
	TLS        bool
	CA         string // file with the authority's certificate, "" for none
	SkipUTF8   bool
}

// Args reads the command line and the environment.
func Args() (Work, error) { return Parse(os.Args[1:]) }

// Parse reads arguments and the environment.
func Parse(args []string) (Work, error) { return parse(args, os.Getenv) }

func parse(args []string, getenv func(string) string) (w Work, err error) {
	if len(args) < 2 || len(args) > 3 {
		return w, errors.New("meter: usage: CLIENT PORT PATH [ITERATIONS]")
	}
	w = Work{Path: args[1], TLS: getenv("TLS") != "", CA: getenv("ANCHORS_CA"), SkipUTF8: getenv("SKIP_UTF8") != ""}
	if w.Port, err = within("port", args[0], 65535); err != nil {
		return w, err
	}
	parts := strings.Split(w.Path, "/")
	if len(parts) < 3 || parts[0] != "" {
		return w, fmt.Errorf("meter: path %q is not /MODE/N/…", w.Path)
	}
	w.Mode = Mode(parts[1])
	if w.Mode != Burst && w.Mode != Flood && w.Mode != Paced && w.Mode != Steady {
		return w, fmt.Errorf("meter: mode %q is none of burst, flood, paced, steady", w.Mode)
	}
	if w.N, err = within("N", parts[2], maxMessages); err != nil {
		return w, err
	}
	if w.Mode != Burst {
		return w, nil
	}
	if len(args) < 3 {
		return w, errors.New("meter: a burst needs ITERATIONS")
	}
	w.Iterations, err = within("ITERATIONS", args[2], maxMessages)
	return w, err
}

// within reads a number from 1 to limit.
func within(name, s string, limit int) (int, error) {
	v, err := strconv.Atoi(s)
	if err != nil || v < 1 || v > limit {
		return 0, fmt.Errorf("meter: %s %q is not within 1 to %d", name, s, limit)
	}
	return v, nil
}

// URL is the address to open.
func (w Work) URL() string {
	scheme := "ws"
	if w.TLS {
		scheme = "wss"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d%s", scheme, w.Port, w.Path)
}

// TLSConfig is the client's configuration, nil without TLS.
func (w Work) TLSConfig() (*tls.Config, error) {
	if !w.TLS {
		return nil, nil
	}
	if w.CA == "" {
		return &tls.Config{InsecureSkipVerify: true}, nil
	}
	text, err := os.ReadFile(w.CA)
	if err != nil {
		return nil, fmt.Errorf("meter: ANCHORS_CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("meter: no certificate in %s", w.CA)
	}
	return &tls.Config{RootCAs: roots}, nil
}

// Question is the payload that asks for a burst.
func Question() []byte { return bytes.Repeat([]byte{'q'}, request) }

// Quiet keeps the garbage collector away for a client that hardly allocates. A
// limit of 1 GiB remains as the safety net.
func Quiet() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(1 << 30)
}

// Fail reports err and ends the process with status 1.
func Fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
