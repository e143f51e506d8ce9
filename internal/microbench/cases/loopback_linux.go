package cases

import (
	"context"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// loopbacks are round trips of a message over TCP, to a server that spins on
// another CPU, by each way to wait for the answer.
func loopbacks() []microbench.Case {
	park := 100 * time.Millisecond // the answer ends it
	return []microbench.Case{
		{Name: "loopback.direct", What: "200 bytes there and back over TCP: stream.TCP, read until it is there, as selector.Direct",
			Needs: microbench.Served, Run: streamRoundTrip(selector.Direct, 0)},
		{Name: "loopback.epoll", What: "the same, epoll_wait(0) until it is there, as a reactor that spins",
			Needs: microbench.Served, Run: streamRoundTrip(selector.Epoll, 0)},
		{Name: "loopback.epoll-park", What: "the same, asleep in epoll_wait until it is there, as a reactor that parks",
			Needs: microbench.Served, Blocks: true, Run: streamRoundTrip(selector.Epoll, park)},
		{Name: "loopback.net", What: "the same with a net.Conn and a goroutine that blocks, for comparison",
			Needs: microbench.Served, Blocks: true, Run: netRoundTrip},
	}
}

// served listens, and serves the one connection that comes on the peer's CPU.
func served(b *microbench.B) (addr string, err error) {
	listener, at, err := listen()
	if err != nil {
		return "", err
	}
	err = b.Beside(func(stop *atomic.Bool) error {
		defer unix.Close(listener)
		fd, err := acceptUntil(listener, stop)
		if err != nil || fd < 0 {
			return err
		}
		defer unix.Close(fd)
		if err := ready(fd); err != nil {
			return err
		}
		return echo(fd, b.Shared(), stop)
	})
	if err != nil {
		unix.Close(listener)
		return "", err
	}
	return fmt.Sprintf("127.0.0.1:%d", at.Port), nil
}

// acceptUntil is accept that stop ends, then with -1.
func acceptUntil(listener int, stop *atomic.Bool) (int, error) {
	for !stop.Load() {
		poll := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if n, _ := unix.Poll(poll, 10); n > 0 { // ms; EINTR: look again
			return accept(listener)
		}
	}
	return -1, nil
}

// streamRoundTrip is one with a stream and a selector; park is how long the
// selector may wait, 0: it is asked again and again.
func streamRoundTrip(kind selector.Kind, park time.Duration) func(*microbench.B) error {
	return func(b *microbench.B) error {
		addr, err := served(b)
		if err != nil {
			return err
		}
		s, err := new(stream.Options).Dial(context.Background(), "tcp://"+addr)
		if err != nil {
			return err
		}
		defer s.Close()
		if d, ok := s.(stream.Detacher); ok {
			if err := d.Detach(); err != nil {
				return err
			}
		}
		sel, err := selector.New(kind)
		if err != nil {
			return err
		}
		defer sel.Close()
		if err := sel.Add(s.Source().FD, 0); err != nil {
			return err
		}
		p := make([]byte, messageBytes)
		events := make([]selector.Event, 16)
		b.Each(func() int64 {
			if err != nil {
				return 0
			}
			from := b.Now()
			err = trip(s, sel, events, p, park)
			return b.Now() - from
		})
		return err
	}
}

func trip(s stream.Stream, sel selector.Selector, events []selector.Event, p []byte, park time.Duration) error {
	if _, err := s.Write(p); err != nil {
		return err
	}
	for left := len(p); left > 0; {
		found, err := sel.Wait(events, park)
		if err != nil {
			return err
		}
		if found == 0 {
			continue
		}
		n, err := s.Read(p[:left])
		if err != nil && err != stream.ErrWouldBlock {
			return err
		}
		left -= n
	}
	return nil
}

// netRoundTrip has no idle processor of Go's beside it: with one, and the peer busy on
// another, nobody waits for the network when a locked goroutine goes to sleep, and
// the scheduler's watchdog looks there each 10 ms.
func netRoundTrip(b *microbench.B) error {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	addr, err := served(b)
	if err != nil {
		return err
	}
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	p := make([]byte, messageBytes)
	b.Each(func() int64 {
		if err != nil {
			return 0
		}
		from := b.Now()
		if _, err = c.Write(p); err == nil {
			_, err = io.ReadFull(c, p)
		}
		return b.Now() - from
	})
	return err
}
