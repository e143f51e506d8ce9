package control

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// peer is who has connected.
type peer struct {
	uid, pid int
	command  string
}

// serve answers the requests of one connection until it ends.
func (s *Server) serve(c *net.UnixConn, p peer) {
	hello := s.hello
	hello.Reactors = names(s.reactors())
	if s.write(c, hello) != nil {
		return
	}
	in := bufio.NewReaderSize(c, MaxRequest)
	for {
		line, err := s.read(c, in)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
		e := Event{UID: p.uid, PID: p.pid, Command: p.command}
		var q request
		var a answer
		if err != nil {
			err = fmt.Errorf("control: the request is longer than %d bytes", MaxRequest)
		} else {
			q, err = parseRequest(line)
		}
		understood := err == nil
		if understood {
			e.Do, e.Reactor, e.Endpoint, e.Idle = q.Do, q.Reactor, q.Endpoint, q.Idle
			a, err = s.do(q, e.Who())
		}
		if err != nil {
			a.Error, a.Code = err.Error(), codeOf(err)
			if !understood {
				a.Code = BadRequest
			}
		}
		e.Reactors, e.Dropped, e.Err = a.Reactors, a.Dropped, err
		s.observe(e)
		if s.write(c, a) != nil || len(line) == MaxRequest && line[len(line)-1] != '\n' {
			return // where the next request begins is not known
		}
	}
}

// read reads one line: however long it takes to begin, within the time-outs.
func (s *Server) read(c *net.UnixConn, in *bufio.Reader) ([]byte, error) {
	if err := c.SetReadDeadline(time.Now().Add(s.cfg.IdleTimeout)); err != nil {
		return nil, err
	}
	if _, err := in.Peek(1); err != nil {
		return nil, err
	}
	if err := c.SetReadDeadline(time.Now().Add(s.cfg.IOTimeout)); err != nil {
		return nil, err
	}
	return in.ReadSlice('\n')
}

func (s *Server) write(c *net.UnixConn, v any) error {
	if err := c.SetWriteDeadline(time.Now().Add(s.cfg.IOTimeout)); err != nil {
		return err
	}
	return writeLine(c, v)
}

func writeLine(c net.Conn, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = c.Write(append(line, '\n'))
	return err
}
