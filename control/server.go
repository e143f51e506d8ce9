package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stats"
)

// Errors of Listen.
var (
	// ErrInUse says that this process has a control socket already, or that one
	// with the same number in another PID namespace does that shares the directory.
	ErrInUse = errors.New("control: there is a socket of this process already")
	// ErrUnsafe says that the directory may be entered by other users, or belongs
	// to one.
	ErrUnsafe = errors.New("control: directory is not private")
)

// Config is what a Server offers, and to whom it tells. The zero value of each
// field but Reactors and Find is ready.
type Config struct {
	// Dir is where the socket is made. It is made itself, with mode 0700, if it is
	// not there; one that others may enter is refused. Default: stats.Dir().
	Dir string
	// Reactors that can be asked for. They may be closed meanwhile.
	Reactors []*reactor.Reactor
	// Find returns more of them, for programs whose reactors come and go. It is
	// called for each request, on several goroutines at a time.
	Find func() []*reactor.Reactor
	// Observer is told of each request, the refused ones included, when it has
	// been done, and before it is answered: for a log. Calls come one at a time, on
	// ordinary goroutines. Default: nobody is told.
	Observer func(Event)
	// Timeout is how long a reactor may take to come to a request before it is
	// reported as stuck. Default 2 s.
	Timeout time.Duration
	// IOTimeout bounds the arrival of a request that has begun, and the writing of
	// an answer. Default 5 s.
	IOTimeout time.Duration
	// IdleTimeout is how long a connection may be silent. Default 1 min.
	IdleTimeout time.Duration
	// MaxConns bounds the connections to the socket. Default 8.
	MaxConns int
}

// Server is a control socket that is open.
type Server struct {
	cfg    Config
	hello  Hello // but for Reactors
	uid    int   // who may come in, beside root
	sock   *socket
	ctx    context.Context
	cancel context.CancelCauseFunc

	running sync.WaitGroup
	tell    sync.Mutex // one event at a time

	mu     sync.Mutex
	conns  map[*net.UnixConn]struct{}
	closed bool
}

var errClosing = errors.New("control: the server is closing")

// Listen opens the control socket of this process: PID.sock in a directory, see
// the package comment. Sockets in there of processes that have ended are removed.
// Any goroutine may call it. Errors: ErrInUse, ErrUnsafe, those of the file
// system; errors.ErrUnsupported where there is no SO_PEERCRED.
func Listen(cfg Config) (*Server, error) {
	for _, f := range []struct {
		name     string
		d        *time.Duration
		fallback time.Duration
	}{
		{"Timeout", &cfg.Timeout, 2 * time.Second},
		{"IOTimeout", &cfg.IOTimeout, 5 * time.Second},
		{"IdleTimeout", &cfg.IdleTimeout, time.Minute},
	} {
		if *f.d < 0 {
			return nil, fmt.Errorf("control: %s %v is negative", f.name, *f.d)
		}
		if *f.d == 0 {
			*f.d = f.fallback
		}
	}
	if cfg.MaxConns < 0 {
		return nil, fmt.Errorf("control: MaxConns %d is negative", cfg.MaxConns)
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 8
	}
	if len(cfg.Reactors) == 0 && cfg.Find == nil {
		return nil, errors.New("control: neither Reactors nor Find is set: there is nothing to control")
	}
	if cfg.Dir == "" {
		cfg.Dir = stats.Dir()
	}
	sock, err := openSocket(cfg.Dir, os.Getpid())
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:   cfg,
		hello: Hello{Version: Version, PID: os.Getpid(), Program: program(), Started: time.Now()},
		uid:   os.Geteuid(),
		sock:  sock,
		conns: make(map[*net.UnixConn]struct{}),
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.running.Go(s.accept)
	return s, nil
}

// Path is where the socket is.
func (s *Server) Path() string { return s.sock.path }

// Close removes the socket, ends its connections and waits for requests that are
// under way; they are not waited for by their reactors any more. Closing twice does
// nothing. It must not be called from Config.Observer.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	err := s.sock.close()
	s.cancel(errClosing)
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	s.running.Wait()
	return err
}

// accept takes connections until the listener is closed.
func (s *Server) accept() {
	for {
		c, err := s.sock.AcceptUnix()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptor is free, say
			select {
			case <-s.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
		default:
			s.take(c)
		}
	}
}

// take begins to serve a connection, if it may come in.
func (s *Server) take(c *net.UnixConn) {
	p, err := peerOf(c)
	if err == nil && p.uid != s.uid && p.uid != 0 {
		err = fmt.Errorf("control: uid %d may not: this is for uid %d and root", p.uid, s.uid)
	}
	if err != nil {
		s.observe(Event{UID: p.uid, PID: p.pid, Command: p.command, Do: "connect", Err: err})
		s.turnAway(c, answer{Error: err.Error(), Code: Forbidden})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		c.Close()
	case len(s.conns) >= s.cfg.MaxConns:
		s.turnAway(c, answer{Error: fmt.Sprintf("control: %d connections are open already", s.cfg.MaxConns), Code: Busy})
	default:
		s.conns[c] = struct{}{}
		s.running.Go(func() {
			s.serve(c, p)
			c.Close()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, c)
		})
	}
}

// turnAway says why and hangs up. The line fits into any socket's buffer, so it
// waits for nobody; the deadline only passes where a thread waits that long for a CPU.
func (s *Server) turnAway(c *net.UnixConn, a answer) {
	_ = c.SetWriteDeadline(time.Now().Add(s.cfg.IOTimeout))
	_ = writeLine(c, a) // whoever is not there to read it misses nothing
	c.Close()
}

func (s *Server) observe(e Event) {
	if s.cfg.Observer == nil {
		return
	}
	e.Time = time.Now()
	s.tell.Lock()
	defer s.tell.Unlock()
	s.cfg.Observer(e)
}
