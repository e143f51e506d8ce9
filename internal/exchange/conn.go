package exchange

import (
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudwego/netpoll"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

const (
	// setupTime is how long TLS handshake and upgrade together may take.
	setupTime = 10 * time.Second
	// endTime is how long a client may take to answer a close frame, and then to
	// end its side of the connection.
	endTime = 2 * time.Second
	// inputBound is how many bytes of a client may wait to be read: more than the
	// longest message, so that a client may write that before it reads.
	inputBound = 2 * echoLimit
)

// conn is one client. Its life, on the goroutine that the event loop started:
//
//	         TLS, request          101              close frame sent      received
//	setup ───────────────► open ───────────────► closing ───────────► ending ──► gone
//	  │ refused               │ close received ──────────────────────►  ▲ FIN sent
//	  └───────────────────────┴──── fin, rst, slow, no pong, abort ─────┴──────────►
//
// abort leads from each to gone. Every state but open has a deadline, killAt.
type conn struct {
	id   uint64
	srv  *Server
	sock *socket
	net  net.Conn // sock, or TLS over it
	out  *outbox
	gone chan struct{} // closed when abort was called

	request  request
	combined bool // wrapped payloads
	tapes    sync.Once
	random   *rand.Rand // of the writing goroutine only

	subs     []*stream // guarded by market.mu
	upgraded atomic.Bool
	closing  atomic.Bool  // a close frame is on its way out
	stalled  atomic.Bool  // pings are not answered
	split    atomic.Int64 // 0: no; else pieces, with a pause of split-1 ns
	killAt   atomic.Int64 // clock.Nano; 0: no deadline
	lastPong atomic.Int64 // clock.Nano
	nextPing int64        // of the keeper only

	abortOnce sync.Once
	timers    timers
	writer    sync.WaitGroup
	requests  limiter // of the reading goroutine only
}

// serve is the life of a connection, on a goroutine of its own.
func (s *Server) serve(nc netpoll.Connection) {
	c := s.admit(nc)
	if c == nil {
		_ = nc.Close()
		return
	}
	defer s.dismiss(c)
	c.killAt.Store(clock.Nano() + int64(setupTime))
	if s.tls != nil {
		t := tls.Server(c.sock, s.tls)
		if err := t.Handshake(); err != nil {
			s.stats.drop("tls")
			return
		}
		c.net = t
	}
	c.handle()
}

// admit registers a connection; nil: there is no place for it.
func (s *Server) admit(nc netpoll.Connection) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.connections.Add(1)
	if s.closing {
		return nil
	}
	if len(s.conns) >= s.cfg.MaxConns {
		s.stats.drop("limit")
		return nil
	}
	s.lastID++
	c := &conn{
		id:     s.lastID,
		srv:    s,
		sock:   newSocket(nc),
		out:    newOutbox(s.cfg.QueueBound),
		gone:   make(chan struct{}),
		random: rand.New(rand.NewPCG(s.cfg.Seed, s.lastID<<1)),
	}
	c.net = c.sock
	s.conns[c.id] = c
	return c
}

// dismiss is the end of every admitted connection.
func (s *Server) dismiss(c *conn) {
	c.abort("")
	s.market.leave(c)
	c.timers.stop()
	c.writer.Wait()
	s.mu.Lock()
	s.stats.sent.Add(c.out.sent()) // with the deletion, so that Stats counts them once
	delete(s.conns, c.id)
	s.idle.Broadcast()
	s.mu.Unlock()
}

// abort ends the connection at once: waiting reads and writes return, nothing
// more is sent. The first reason is counted, unless it is empty. Any goroutine.
func (c *conn) abort(reason string) {
	c.abortOnce.Do(func() {
		if reason != "" {
			c.srv.stats.drop(reason)
		}
		close(c.gone)
		c.out.end()
		_ = c.sock.Close()
	})
}

// start begins to write what is in the outbox.
func (c *conn) start() {
	c.writer.Go(func() {
		if err := c.out.drain(c.write); err != nil {
			c.abort("write")
		}
	})
}

// write sends p at once, or in pieces with the fault Split. Writer only.
func (c *conn) write(p []byte) error {
	for len(p) > 0 {
		n := len(p)
		pause := c.split.Load()
		if pause > 0 {
			n = min(n, 1+c.random.IntN(maxPiece))
		}
		if _, err := c.net.Write(p[:n]); err != nil {
			return err
		}
		c.srv.stats.bytes.Add(uint64(n))
		if p = p[n:]; pause > 1 && !c.sleep(time.Duration(pause-1)) {
			return net.ErrClosed
		}
	}
	return nil
}

// sleep waits for d, or for the end of the connection: false.
func (c *conn) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-c.gone:
		return false
	}
}

// reply queues one text message, beside the data.
func (c *conn) reply(payload []byte) {
	c.control(frame.Text, payload)
}

// control queues one frame that does not count as a data message.
func (c *conn) control(op frame.Opcode, payload []byte) {
	if errors.Is(c.out.putControl(serverFrame(op, payload), false), errSlow) {
		c.abort(dropSlow)
	}
}

// serverFrame is one unmasked, unfragmented frame.
func serverFrame(op frame.Opcode, payload []byte) []byte {
	b := make([]byte, 0, frame.MaxHeaderSize+len(payload))
	b = frame.AppendHeader(b, frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))})
	return append(b, payload...)
}

// sendClose starts the closing handshake from our side (RFC 6455, section 7.1.2);
// the client's answer, or endTime, leads on.
func (c *conn) sendClose(code frame.CloseCode, reason string) {
	c.closing.Store(true)
	c.killAt.Store(clock.Nano() + int64(endTime))
	_ = c.out.putControl(serverFrame(frame.Close, frame.AppendClose(nil, code, reason)), true)
}

// finish ends our direction in order and waits for the client's end. Writer only.
func (c *conn) finish() {
	c.killAt.Store(clock.Nano() + int64(endTime))
	if t, ok := c.net.(*tls.Conn); ok {
		_ = t.CloseWrite() // fails when the client has gone, which is what is wanted
	}
	c.sock.fin()
}

// goAway is the end that Server.Close makes.
func (c *conn) goAway() {
	if !c.upgraded.Load() {
		c.abort("")
		return
	}
	c.closing.Store(true)
	err := c.out.putControl(serverFrame(frame.Close, frame.AppendClose(nil, frame.CloseGoingAway, "")), false)
	if err == nil {
		_ = c.out.at(0, true, c.finish)
	}
}

// timers are those of one connection.
type timers struct {
	mu      sync.Mutex
	stopped bool
	all     []*time.Timer
}

// after runs do after d, unless stop comes first.
func (t *timers) after(d time.Duration, do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.stopped {
		t.all = append(t.all, time.AfterFunc(d, do))
	}
}

func (t *timers) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stopped = true
	for _, timer := range t.all {
		timer.Stop()
	}
}
