package stream_test

import (
	"fmt"
	"net"

	"github.com/boomnet-go/boomnet/stream"
)

// Script is a stream without a descriptor: lines that arrive at given times,
// as a replay or a test would have it.
type Script struct {
	stream.Unqueued
	lines []string
	at    []int64 // when each line arrives, nanoseconds
	now   func() int64
}

func (s *Script) Read(p []byte) (int, error) {
	switch {
	case len(s.lines) == 0:
		return 0, net.ErrClosed
	case s.now() < s.at[0]:
		return 0, stream.ErrWouldBlock
	}
	n := copy(p, s.lines[0])
	if s.lines[0] = s.lines[0][n:]; s.lines[0] == "" {
		s.lines, s.at = s.lines[1:], s.at[1:]
	}
	return n, nil
}

func (s *Script) Write(p []byte) (int, error)        { return len(p), nil }
func (s *Script) WriteControl(p []byte) (int, error) { return len(p), nil }
func (s *Script) Close() error                       { s.lines = nil; return nil }

// Source has no descriptor: the timers say when to read again.
func (s *Script) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(now int64) int64 {
		if len(s.at) == 0 {
			return now // to find the end
		}
		return s.at[0]
	}}
}

// A stream of one's own, driven by hand as a reactor's timers would.
func ExampleUnqueued() {
	now := int64(0)
	var s stream.Stream = &Script{
		lines: []string{"bid 100", "ask 101"},
		at:    []int64{1000, 5000},
		now:   func() int64 { return now },
	}
	due, p := s.Source().Due, make([]byte, 64)
	for {
		n, err := s.Read(p)
		switch err {
		case nil:
			fmt.Printf("%d ns: %s\n", now, p[:n])
		case stream.ErrWouldBlock:
			now = due(now) // a reactor sleeps until then
		default:
			fmt.Println("end:", err)
			return
		}
	}
	// Output:
	// 1000 ns: bid 100
	// 5000 ns: ask 101
	// end: use of closed network connection
}
