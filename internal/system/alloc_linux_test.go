package system

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stats"
	"github.com/boomnet-go/boomnet/stream"
)

// acceptUpgrade reads an opening handshake and returns the answer.
func acceptUpgrade(c io.Reader) ([]byte, error) {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return nil, err
	}
	key := req.Header.Get("Sec-WebSocket-Key")
	if key == "" {
		return nil, errNoKey
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return fmt.Appendf(nil, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:])), nil
}

// paired is a WebSocket endpoint whose stream is one end of a socket pair, so
// that a test decides which bytes are there before a turn begins.
type paired struct {
	endpoint.WebSocket
	peer     int
	messages int
	reply    []byte
}

// dial stands in for the network: it gives out a socket pair, whose peer has the
// answer to the upgrade at hand.
func (f *paired) dial(context.Context, string, *stream.Options) (stream.Stream, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	f.peer = fds[1]
	go f.accept()
	return stream.NewTCP(fds[0], nil)
}

// accept answers the upgrade.
func (f *paired) accept() {
	peer := fdConn{f.peer}
	if answer, err := acceptUpgrade(peer); err == nil {
		peer.Write(answer)
	}
}

type fdConn struct{ fd int }

func (c fdConn) Read(p []byte) (int, error)  { return unix.Read(c.fd, p) }
func (c fdConn) Write(p []byte) (int, error) { return unix.Write(c.fd, p) }

func (f *paired) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		f.messages++
	}
	if f.reply != nil {
		return c.WriteText(f.reply)
	}
	return nil
}

// TestTheWayFromSocketToHandlerAndBackAllocatesNothing counts a whole turn of a
// reactor: selector, read, frames, handler, an order written back. The bytes lie
// ready in a socket pair, as testing.AllocsPerRun counts every goroutine. With a
// counters file nothing is different, and what it says is exact; nor with a recorder.
func TestTheWayFromSocketToHandlerAndBackAllocatesNothing(t *testing.T) {
	for _, name := range []string{"epoll", "direct", "epoll with a file", "direct with a file", "epoll recorded", "direct recorded"} {
		t.Run(name, func(t *testing.T) {
			kind, _, _ := strings.Cut(name, " ")
			sel, err := selector.ParseKind(kind)
			require.NoError(t, err)
			var file *stats.File
			var rec *tape.Recorder
			published := strings.HasSuffix(name, "with a file")
			if strings.HasSuffix(name, "recorded") {
				rec, err = tape.New(tape.Config{Ring: tape.MinRing})
				require.NoError(t, err)
			}
			if published {
				file, err = stats.Create(stats.FileConfig{Dir: filepath.Join(t.TempDir(), "counters")})
				require.NoError(t, err)
				defer file.Close()
			}
			f := &paired{reply: []byte(`{"order":1}`)}
			f.URL = "ws://pair"
			r, err := reactor.New(reactor.Config{Selector: sel, Counters: file, Tape: rec, Seams: endpoint.Seams{Dial: f.dial}})
			require.NoError(t, err)
			defer r.Close()
			h, err := reactor.Register(r, f)
			require.NoError(t, err)
			waitFor(t, "the upgrade", func() bool {
				_, err := r.Poll()
				require.NoError(t, err)
				i, err := r.Lookup(h.ID())
				require.NoError(t, err)
				return i.State == endpoint.Open
			})
			defer unix.Close(f.peer)
			batch := make([]byte, 0, 4096)
			for range 16 {
				batch = append(batch, 0x81, 100)
				batch = append(batch, make([]byte, 100)...)
			}
			back := make([]byte, 64)
			const runs = 500
			got := testing.AllocsPerRun(runs, func() {
				// Cut inside a frame: the rest must be kept from turn to turn.
				unix.Write(f.peer, batch[:777])
				r.Poll()
				unix.Write(f.peer, batch[777:])
				r.Poll()
				unix.Read(f.peer, back) // both answers lie there
			})
			require.Zero(t, got)
			require.Equal(t, 16*(runs+1), f.messages)
			if rec != nil {
				require.Zero(t, rec.Lost())
				reads := 0
				rec.Drain(1<<30, false, func(r *tape.Record) {
					if r.Kind == tape.KindRead && r.Flags&tape.Setup == 0 {
						reads += len(r.Data)
					}
				})
				require.Equal(t, len(batch)*(runs+1), reads)
			}
			info, err := r.Lookup(h.ID())
			require.NoError(t, err)
			counted := make(map[string]int64)
			info.Block.Each(func(d stats.Desc, v stats.Value) { counted[d.Name] = v.Int })
			const times = 2 * (runs + 1)
			frame := int64(6 + len(f.reply))
			require.Equal(t, []int64{times, times, times * frame, 0, 8 * times},
				[]int64{counted["reads"], counted["sent"], counted["bytes_sent"], counted["refused"], counted["messages"]})
			if published {
				require.EqualValues(t, times, info.ReceiveToHandler.Snapshot().Count())
			} else {
				require.Nil(t, info.ReceiveToHandler)
			}
		})
	}
}
