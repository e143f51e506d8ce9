package exchange

import (
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Selector says whom a fault happens to. The zero value: all open connections.
type Selector struct {
	// Next is so many upgrades from now on, instead of open connections.
	Next int
	// ID is one open connection, see Server.Connections.
	ID uint64
	// Remote is the open connection of a client by its address, "host:port".
	Remote string
}

// pendingFault waits for upgrades.
type pendingFault struct {
	fault Fault
	left  int
}

// Connection describes an open WebSocket.
type Connection struct {
	ID       uint64   `json:"id"`       // counted from 1
	Remote   string   `json:"remote"`   // the client's address
	Path     string   `json:"path"`     // of the upgrade, without the query
	Streams  []string `json:"streams"`  // what it has subscribed to
	Messages uint64   `json:"messages"` // data messages queued for it
}

// Inject makes a fault happen. It returns to how many connections: those open
// that it selected, or the number of upgrades that it waits for. Several
// faults that wait for the same upgrade happen to it together. Errors: ErrFault.
func (s *Server) Inject(f Fault, to Selector) (int, error) {
	if err := f.check(); err != nil {
		return 0, err
	}
	if to.Next < 0 {
		return 0, fmt.Errorf("%w: the next %d upgrades", ErrFault, to.Next)
	}
	if to.Next > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pending = append(s.pending, pendingFault{f, to.Next})
		return to.Next, nil
	}
	if f.Kind.onUpgrade() {
		return 0, fmt.Errorf("%w: %s happens to upgrades, not to open connections", ErrFault, f.Kind)
	}
	n := 0
	for _, c := range s.websockets() {
		if (to.ID == 0 || to.ID == c.id) && (to.Remote == "" || to.Remote == c.sock.RemoteAddr().String()) {
			if c.ask(f) {
				n++
			}
		}
	}
	return n, nil
}

// takePending returns the faults that happen to this upgrade.
func (s *Server) takePending() []Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	var faults []Fault
	keep := s.pending[:0]
	for _, p := range s.pending {
		faults = append(faults, p.fault)
		if p.left--; p.left > 0 {
			keep = append(keep, p)
		}
	}
	s.pending = keep
	return faults
}

// websockets returns the connections that were upgraded and are not ending, oldest first.
func (s *Server) websockets() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var up []*conn
	for _, c := range s.open() {
		if c.upgraded.Load() && !c.out.isEnded() {
			up = append(up, c)
		}
	}
	return up
}

// Connections returns the open WebSockets, oldest first.
func (s *Server) Connections() []Connection {
	all := []Connection{}
	for _, c := range s.websockets() {
		all = append(all, Connection{
			ID:       c.id,
			Remote:   c.sock.RemoteAddr().String(),
			Path:     c.request.path,
			Streams:  s.market.list(c),
			Messages: c.out.sent(),
		})
	}
	return all
}

// keep is the goroutine for everything that is due by the clock: deadlines,
// pings, bounds and random faults.
func (s *Server) keep() {
	every := min(s.cfg.PingInterval, s.cfg.PongTimeout) / 4
	if s.cfg.FaultsEvery > 0 {
		every = min(every, s.cfg.FaultsEvery)
	}
	ticker := time.NewTicker(min(max(every, time.Millisecond), 100*time.Millisecond))
	defer ticker.Stop()
	nextFault := clock.Nano() + int64(s.cfg.FaultsEvery)
	for {
		select {
		case <-ticker.C:
		case <-s.stop:
			return
		}
		now := clock.Nano()
		s.mu.Lock()
		open := s.open()
		s.mu.Unlock()
		for _, c := range open {
			s.look(c, now)
		}
		if s.cfg.FaultsEvery > 0 && now >= nextFault {
			nextFault = now + int64(s.cfg.FaultsEvery)
			s.randomFault()
		}
	}
}

// look drops a connection that is over a deadline or bound, and pings it.
func (s *Server) look(c *conn, now int64) {
	if at := c.killAt.Load(); at != 0 && now >= at {
		reason := "upgrade timeout"
		if c.upgraded.Load() {
			reason = "close timeout"
		}
		c.abort(reason)
		return
	}
	if c.sock.unread() > inputBound {
		c.abort("input")
		return
	}
	if !c.upgraded.Load() || c.stalled.Load() || c.closing.Load() {
		return
	}
	if now-c.lastPong.Load() >= int64(s.cfg.PongTimeout) {
		c.abort("no pong")
		return
	}
	if c.nextPing == 0 {
		c.nextPing = now + int64(s.cfg.PingInterval)
	}
	if now >= c.nextPing {
		c.nextPing = now + int64(s.cfg.PingInterval)
		c.control(frame.Ping, fmt.Appendf(nil, "%d", time.Now().UnixMilli()))
	}
}

// randomFault makes one fault of Config.Faults on one connection.
func (s *Server) randomFault() {
	all := s.websockets()
	if len(all) == 0 || len(s.cfg.Faults) == 0 {
		return
	}
	c := all[s.random.IntN(len(all))]
	c.ask(s.cfg.Faults[s.random.IntN(len(s.cfg.Faults))])
}
