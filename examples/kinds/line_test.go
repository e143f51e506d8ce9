package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/leak"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/stream"
)

func TestMain(m *testing.M) { leak.Main(m) }

// rig is a reactor that the test polls, with one line endpoint that does not
// come back, and the other end of its connection.
type rig struct {
	t    *testing.T
	r    *reactor.Reactor
	h    reactor.Handle[*recorder]
	rec  *recorder
	peer *net.TCPConn
}

// recorder is a Line that keeps what happens.
type recorder struct {
	Line
	got  []string
	loss *endpoint.LossError
}

func (r *recorder) OnLoss(e *endpoint.LossError) endpoint.Action {
	r.loss = e
	return endpoint.Stop
}

func newRig(t *testing.T, o stream.Options) *rig {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	g := &rig{t: t, rec: &recorder{Line: Line{Target: "tcp://" + l.Addr().String(), Stream: o}}}
	g.rec.OnLine = func(_ *LineConn, line []byte) error {
		g.rec.got = append(g.rec.got, string(line))
		if string(line) == "boom" {
			return errBoom
		}
		return nil
	}
	g.r, err = reactor.New(reactor.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, g.r.Close()) })
	g.h, err = reactor.Register(g.r, g.rec)
	require.NoError(t, err)
	g.until(func() bool { return g.rec.Conn() != nil })
	c, err := l.Accept()
	require.NoError(t, err)
	g.peer = c.(*net.TCPConn)
	t.Cleanup(func() { g.peer.Close() })
	return g
}

var errBoom = errors.New("boom")

// until polls until done answers true.
func (g *rig) until(done func() bool) {
	g.t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); {
		require.True(g.t, time.Now().Before(end), "it does not come")
		work, err := g.r.Poll()
		require.NoError(g.t, err)
		if work == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	}
}

func (g *rig) send(s string) {
	g.t.Helper()
	_, err := g.peer.Write([]byte(s))
	require.NoError(g.t, err)
}

func (g *rig) lost() bool { return g.rec.loss != nil }

func TestLinesInPieces(t *testing.T) {
	long := strings.Repeat("x", MaxLine)
	text := "one\ntwo\r\n\n\r\nünï\n" + long + "\n" + long + "\r\nlast\n"
	want := []string{"one", "two", "", "", "ünï", long, long, "last"}
	for _, size := range []int{1, 3, 4095, 4096, 4097, 4098, len(text)} {
		g := newRig(t, stream.Options{})
		for rest := text; rest != ""; {
			n := min(size, len(rest))
			if size == 1 && len(rest) > 100 && len(rest) < len(text)-100 {
				n = min(97, len(rest)-100) // by single bytes only near both ends
			}
			g.send(rest[:n])
			rest = rest[n:]
			_, err := g.r.Poll()
			require.NoError(t, err)
		}
		g.until(func() bool { return len(g.rec.got) == len(want) })
		require.Equal(t, want, g.rec.got, "in pieces of %d bytes", size)
	}
}

func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		send  string
		got   []string
		phase endpoint.State
		want  error
		text  string
	}{
		"end between lines":   {"a\n", []string{"a"}, endpoint.Open, io.EOF, "EOF"},
		"end in a line":       {"a\nbc", []string{"a"}, endpoint.Open, io.ErrUnexpectedEOF, "2 bytes of a line"},
		"a line too long":     {"a\n" + strings.Repeat("x", MaxLine+1) + "\n", []string{"a"}, endpoint.Open, nil, "longer than 4096 bytes"},
		"no line feed at all": {strings.Repeat("x", 3*MaxLine), nil, endpoint.Open, nil, "longer than 4096 bytes"},
		"an error of OnLine":  {"boom\nb\n", []string{"boom"}, endpoint.User, errBoom, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, stream.Options{})
			g.send(c.send)
			require.NoError(t, g.peer.CloseWrite())
			g.until(g.lost)
			require.Equal(t, c.got, g.rec.got)
			require.Equal(t, c.phase, g.rec.loss.Phase)
			if c.want != nil {
				require.ErrorIs(t, g.rec.loss, c.want)
			}
			require.ErrorContains(t, g.rec.loss, c.text)
			require.Nil(t, g.rec.Conn())
			require.ErrorIs(t, g.rec.Conn().WriteLine([]byte("x")), ErrNotConnected)
		})
	}
}

func TestBackPressure(t *testing.T) {
	g := newRig(t, stream.Options{QueueBound: 1 << 16, SendBuffer: 1 << 14})
	line := []byte(strings.Repeat("y", 1000))
	sent := 0
	var err error
	write := func(_ *recorder, c *LineConn) {
		for err == nil {
			if err = c.WriteLine(line); err == nil {
				sent++
			}
		}
	}
	require.NoError(t, reactor.Dispatch(g.r, g.h, write))
	g.until(func() bool { return err != nil })
	require.ErrorIs(t, err, stream.ErrBackPressured)
	require.Positive(t, g.rec.Conn().Queued())
	require.Nil(t, g.rec.loss, "a refused line is no loss")
	require.ErrorIs(t, g.rec.Conn().WriteLine(make([]byte, 1<<17)), stream.ErrTooLarge)

	// Deregister waits until what was accepted has gone.
	require.NoError(t, reactor.Deregister(g.r, g.h))
	received := make(chan int, 1)
	go func() {
		all, _ := io.ReadAll(g.peer)
		received <- strings.Count(string(all), string(line)+"\n")
	}()
	g.until(g.lost)
	require.Equal(t, endpoint.Closing, g.rec.loss.Phase)
	require.ErrorIs(t, g.rec.loss, io.EOF)
	require.Zero(t, g.rec.loss.Unsent)
	require.Equal(t, sent, <-received)
}

func TestNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	line := &Line{Target: "tcp://" + l.Addr().String()}
	_, err = endpoint.NewConnector(1, endpoint.Seams{}, nil).Run(context.Background(), line)
	dial, ok := errors.AsType[*stream.DialError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, stream.Connecting, dial.Phase)
}
