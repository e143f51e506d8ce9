package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// sockoptsCmd is "boomctl sockopts": it tries the options of stream.Options, one
// connection over loopback for each, and those of epoll, and says which work on
// this kernel for this user, see sockopts_probes_linux.go.
type sockoptsCmd struct {
	JSON bool `name:"json" help:"Print each option as a JSON object: option, value, result, seen, errno, error, good_for, needs."`
}

// Help is the long help.
func (*sockoptsCmd) Help() string {
	return `Each option is set on a TCP connection over loopback and read back, or looked for in what the connection then does. Results: works; accepted (the kernel takes it, and over loopback there is nothing to see of it); refused, with the errno; failed (it could not be tried).

Options of which the first read may need a network card's queue, or its clock, can only be accepted or refused here. Run it as the user that will run the client: some options need CAP_NET_ADMIN.`
}

func (*sockoptsCmd) about() about {
	return about{examples: []example{
		{"As the user that will run the client.", "sudo -u feedhandler boomctl sockopts"},
		{"What is refused here, and with which errno.", `boomctl sockopts --json | jq -r 'select(.result == "refused") | [.option, .errno] | @tsv'`},
	}}
}

// sockoptResult is what came of one probe; a line of --json.
type sockoptResult struct {
	Option  string `json:"option"`
	Value   string `json:"value"`
	Result  string `json:"result"`          // one of the constants below
	Seen    string `json:"seen,omitempty"`  // of its effect, or why there is none
	Errno   string `json:"errno,omitempty"` // "EPERM"
	Error   string `json:"error,omitempty"`
	GoodFor string `json:"good_for"`
	Needs   string `json:"needs,omitempty"`
}

// Results.
const (
	optionWorks    = "works"
	optionAccepted = "accepted" // without an effect that could be seen here
	optionRefused  = "refused"
	optionFailed   = "failed"
)

// sockoptLimit bounds each probe.
const sockoptLimit = 5 * time.Second

// Run is called by kong.
func (c *sockoptsCmd) Run() error { return c.run(context.Background(), os.Stdout) }

func (c *sockoptsCmd) run(ctx context.Context, w io.Writer) error {
	write := writeSockopt
	if c.JSON {
		write = writeSockoptJSON
	} else if _, err := fmt.Fprintf(w, "%s\n\n%s", machine(), sockoptLine("option", "value", "here")); err != nil {
		return err
	}
	for _, p := range sockoptProbes() {
		if err := write(w, p.try(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// try makes a connection with the option of p and looks at it.
func (p *sockoptProbe) try(ctx context.Context) sockoptResult {
	ctx, cancel := context.WithTimeout(ctx, sockoptLimit)
	defer cancel()
	r := sockoptResult{Option: p.name, Value: p.value, Result: optionWorks, GoodFor: p.use, Needs: p.needs}
	var err error
	if r.Seen, err = p.run(ctx); err == nil {
		if p.unseen != "" {
			r.Result, r.Seen = optionAccepted, p.unseen
		}
		return r
	}
	r.Seen, r.Error, r.Result = "", err.Error(), optionFailed
	if refused, ok := errors.AsType[*stream.OptionError](err); ok {
		r.Error, r.Result = refused.Err.Error(), optionRefused
	} else if refused, ok := errors.AsType[*selector.BusyPollError](err); ok {
		r.Error, r.Result = refused.Err.Error(), optionRefused
	}
	if errno, ok := errors.AsType[unix.Errno](err); ok {
		r.Errno = unix.ErrnoName(errno)
	}
	if errors.Is(err, unix.EOPNOTSUPP) { // the same number as ENOTSUP, which sockets never say
		r.Errno = "EOPNOTSUPP"
	}
	return r
}

// machine says where and as whom this runs.
func machine() string {
	var u unix.Utsname
	kernel := "unknown"
	if err := unix.Uname(&u); err == nil {
		kernel = unix.ByteSliceToString(u.Release[:])
	}
	privilege := "without CAP_NET_ADMIN"
	if hasNetAdmin() {
		privilege = "with CAP_NET_ADMIN"
	}
	return fmt.Sprintf("Linux %s, user %d %s, TCP over loopback", kernel, os.Geteuid(), privilege)
}

func hasNetAdmin() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective&(1<<unix.CAP_NET_ADMIN) != 0
}

func writeSockoptJSON(w io.Writer, r sockoptResult) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// The columns of the table.
const (
	sockoptWidth  = 80
	sockoptIndent = 4
	sockoptColumn = 36 // where the result stands
)

func sockoptLine(name, value, result string) string {
	return fmt.Sprintf("%-19s  %-13s  %s\n", name, value, result)
}

// writeSockopt writes two lines and more, none wider than a terminal.
func writeSockopt(w io.Writer, r sockoptResult) error {
	result := r.Result
	if r.Errno != "" {
		result += " (" + r.Errno + ")"
	}
	if text := r.Seen + r.Error; text != "" { // one of the two
		result += ": " + text
	}
	use := r.GoodFor
	if r.Needs != "" {
		use += "; needs " + r.Needs
	}
	lines := wrap(result, sockoptWidth-sockoptColumn)
	text := sockoptLine(r.Option, r.Value, lines[0])
	for _, l := range lines[1:] {
		text += strings.Repeat(" ", sockoptColumn) + l + "\n"
	}
	for _, l := range wrap(use, sockoptWidth-sockoptIndent) {
		text += strings.Repeat(" ", sockoptIndent) + l + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// echoServer is a loopback server that sends back what it gets.
func echoServer(network string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	address := "127.0.0.1:0"
	if network == "tcp6" {
		address = "[::1]:0"
	}
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				// Until the probe closes its end. The plain types: io.Copy between
				// sockets would keep a pipe for the next time.
				_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
			}()
		}
	}()
	return l, nil
}
