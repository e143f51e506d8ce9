// Command server is the feed that every client of this module is measured
// against: a WebSocket server on 127.0.0.1 that does one of four kinds of work,
// chosen by the path of the request.
//
//	/burst/N/SIZE         answers each text or binary message with N text frames in one write
//	/flood/N/SIZE/BATCH   N text frames, BATCH a write, as fast as they are taken, then a close frame
//	/paced/N/SIZE/MICROS  one text frame each MICROS microseconds, then a close frame
//	/steady/N/SIZE/MICROS/BATCH  N text frames, BATCH a write, a write each MICROS microseconds,
//	                      then a close frame; it sleeps in between, where paced spins
//
// It prints the port it listens on and serves until it is killed. It has to be
// so quick that the client is what is measured: a process of its own for each
// connection with a single goroutine, blocking raw system calls that the Go
// scheduler never hears of, frames made before they are asked for, a collector
// that never runs. Pin it to a core of its own:
//
//	taskset -c 0 server [-port 0] [-cert FILE] [-spin]
//
// Of a burst's round trip nearly half is the time until the kernel has woken the
// server. With -spin it polls instead, so that a client has nothing to hide behind.
//
// With -cert it speaks TLS 1.2 or 1.3 and writes the certificate it made for itself
// (localhost, 127.0.0.1, a day) to FILE, for the clients. With RECORDS set in the
// environment each frame is a TLS record of its own; the write stays one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"

	"golang.org/x/sys/unix"
)

func main() {
	port := flag.Int("port", 0, "port on 127.0.0.1 to listen on; 0 lets the kernel choose")
	cert := flag.String("cert", "", "speak TLS, and write the certificate to `FILE`")
	spin := flag.Bool("spin", false, "poll for a client's messages instead of sleeping until they come")
	connection := flag.Bool("connection", false, "serve the connection that is open as descriptor 3 (the server starts itself so)")
	flag.Parse()
	var err error
	if *connection {
		err = handle(connectionFD, *spin)
	} else {
		err = listen(*port, *cert, *spin)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "server:", err)
		os.Exit(1)
	}
}

// Descriptors of a process that serves one connection.
const (
	connectionFD = 3
	identityFD   = 4 // certificate and key in PEM; empty without TLS
)

// listen prints the port and starts a process for each connection to it.
func listen(port int, cert string, spin bool) error {
	var identity []byte
	if cert != "" {
		var err error
		if identity, err = newIdentity(cert); err != nil {
			return err
		}
	}
	// Plain sockets: no keepalive timer, and not multipath TCP, Go's default.
	config := net.ListenConfig{KeepAlive: -1}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return err
	}
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	return accept(l, identity, spin)
}

// accept starts a process for each connection until l is closed.
func accept(l net.Listener, identity []byte, spin bool) error {
	// The processes end with the thread that started them.
	runtime.LockOSThread()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		if err := start(self, spin, c.(*net.TCPConn), identity); err != nil {
			fmt.Fprintln(os.Stderr, "server:", err)
		}
	}
}

// start hands c to a new process and forgets it.
func start(self string, spin bool, c *net.TCPConn, identity []byte) error {
	defer c.Close()
	socket, err := c.File()
	if err != nil {
		return err
	}
	defer socket.Close()
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	defer w.Close()
	if _, err := w.Write(identity); err != nil { // well below what a pipe holds
		return err
	}
	cmd := exec.Command(self, "-connection", "-spin="+strconv.FormatBool(spin))
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{socket, r} // descriptors 3 and 4
	// A process that outlived the server would hold its core.
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait()
	return nil
}

// handle serves one connection until the client leaves.
func handle(fd int, spin bool) error {
	// One processor and one goroutine, which blocks in raw system calls: nothing
	// may stop the world, and nothing has to, for the process is short-lived.
	debug.SetGCPercent(-1)
	runtime.GOMAXPROCS(1)

	identity, err := io.ReadAll(os.NewFile(identityFD, "identity"))
	if err != nil {
		return err
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		return fmt.Errorf("clearing O_NONBLOCK: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return fmt.Errorf("TCP_NODELAY: %w", err)
	}
	s := &socket{fd: fd, spin: spin}
	p := peer{rw: s}
	if len(identity) > 0 {
		if p, err = newSecure(s, identity, os.Getenv("RECORDS") != ""); err != nil {
			return err
		}
	}
	if err := serve(p); err != nil && !isGone(err) {
		return err
	}
	return nil
}

// isGone says that the client has left, which is how every run ends.
func isGone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}
