package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// childExchange is `boomctl exchange` as a child process. It lives as long as its
// standard input is open, so it ends with this process however that ends.
type childExchange struct {
	URL  string         // wss://…
	CA   *x509.CertPool // what verifies its certificate
	cmd  *exec.Cmd
	in   io.Closer // its standard input; closing it ends it
	out  *os.File  // its standard output
	said *lastLine
	done chan struct{} // closed when it has ended
	err  error         // how; read it after done
}

// childStart bounds how long the exchange may take to be ready, childEnd how
// long to end after it was asked to.
const (
	childStart = 15 * time.Second
	childEnd   = 400 * time.Millisecond
)

// startExchange starts the exchange with args and waits until it is ready.
func startExchange(ctx context.Context, args []string) (*childExchange, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	x := &childExchange{said: new(lastLine), done: make(chan struct{})}
	x.cmd = exec.Command(self, append([]string{"exchange", "--listen=127.0.0.1:0", "--tls", "--json", "--parent"}, args...)...)
	x.cmd.Stderr = x.said
	// A group of its own: Ctrl-C at the terminal is for the demo, which ends the
	// exchange when its connections are closed.
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if x.in, err = x.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, stdout, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	x.out, x.cmd.Stdout = out, stdout
	err = x.cmd.Start()
	stdout.Close()
	if err != nil {
		x.out.Close()
		return nil, fmt.Errorf("starting the exchange: %w", err)
	}
	go func() {
		x.err = x.cmd.Wait()
		close(x.done)
	}()
	if err := x.ready(ctx); err != nil {
		x.stop()
		return nil, err
	}
	return x, nil
}

// maxReady limits the line with which the exchange says that it is ready, in
// bytes. It holds a certificate.
const maxReady = 64 << 10

// ready reads the line that says where the exchange is. The pipe's read deadline
// bounds it, and the end of the child ends it.
func (x *childExchange) ready(ctx context.Context) error {
	if err := x.out.SetReadDeadline(time.Now().Add(childStart)); err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { _ = x.out.SetReadDeadline(time.Unix(1, 0)) })()
	line, err := bufio.NewReader(io.LimitReader(x.out, maxReady)).ReadBytes('\n')
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the exchange was not ready after %v", childStart)
	case err != nil && x.ended(childEnd):
		return x.failure()
	case err != nil:
		return fmt.Errorf("the exchange's first line: %w", err)
	}
	var is struct{ URL, CA string }
	if err := json.Unmarshal(line, &is); err != nil {
		return fmt.Errorf("the exchange's first line: %w", err)
	}
	x.URL, x.CA = is.URL, x509.NewCertPool()
	if !x.CA.AppendCertsFromPEM([]byte(is.CA)) {
		return errors.New("the exchange's first line has no certificate")
	}
	return nil
}

// failure is the error of an exchange that ended by itself, after done.
func (x *childExchange) failure() error {
	how := "exit status 0"
	if x.err != nil {
		how = x.err.Error()
	}
	if line := x.said.String(); line != "" {
		how += ": " + line
	}
	return errors.New("the exchange has ended: " + how)
}

// stop ends the exchange in order, by closing its standard input, and then by
// force. It returns when the process is gone.
func (x *childExchange) stop() {
	x.in.Close()
	if !x.ended(childEnd) {
		// It fails when the process has just ended, and then so has the wait.
		_ = x.cmd.Process.Kill()
		<-x.done
	}
	x.out.Close()
}

// ended reports whether the exchange has ended, or does so within d.
func (x *childExchange) ended(d time.Duration) bool {
	select {
	case <-x.done:
		return true
	case <-time.After(d):
		return false
	}
}

// lastLine keeps the last line written to it that is not blank, up to
// maxLastLine bytes of it.
type lastLine struct {
	mu   sync.Mutex
	line []byte // the last whole line
	part []byte // what came after it
}

const maxLastLine = 1024

// Write implements io.Writer. It never fails.
func (l *lastLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(p)
	for {
		before, after, ended := bytes.Cut(p, []byte("\n"))
		l.part = append(l.part, before[:min(len(before), maxLastLine-len(l.part))]...)
		if !ended {
			return n, nil
		}
		if len(bytes.TrimSpace(l.part)) > 0 {
			l.line = append(l.line[:0], l.part...)
		}
		l.part, p = l.part[:0], after
	}
}

// String is the line, without spaces around it.
func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := strings.TrimSpace(string(l.part)); s != "" {
		return s
	}
	return strings.TrimSpace(string(l.line))
}
