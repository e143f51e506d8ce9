package cases

import (
	"fmt"
	"strings"

	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
)

// frames are the WebSocket protocol without a network.
func frames() []microbench.Case {
	return []microbench.Case{
		{Name: "frame.header", What: "frame.ParseHeader of four bytes", Run: batches(parseHeaders)},
		{Name: "frame.decode-200B", What: "ws.Conn: a text message of 200 bytes out of reads of 64 KiB from memory, UTF-8 checked", Run: decode},
		{Name: "frame.encode-200B", What: "ws.Conn.WriteText of 200 bytes, masked with a key of its own, into nothing", Run: encode},
	}
}

func parseHeaders(n int) {
	p := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Length: messageBytes})
	sum := 0
	for range n {
		_, size, err := frame.ParseHeader(p)
		if err != nil {
			panic("cases: the header is valid")
		}
		sum += size
	}
	microbench.Sink += uint64(sum)
}

// messageBytes is the length of a trade as exchanges send it.
const messageBytes = 200

// memory is a stream out of which the same bytes come for ever, and that takes all.
type memory struct {
	stream.Unqueued
	wire []byte
	at   int // where the next read begins
	one  int // bytes of a frame: reads end inside of one, as they do
}

const readBytes = 64 << 10

func (m *memory) Read(p []byte) (int, error) {
	n := copy(p, m.wire[m.at:m.at+readBytes])
	m.at = (m.at + n) % m.one
	return n, nil
}

func (m *memory) Write(p []byte) (int, error) {
	microbench.Sink += uint64(p[len(p)-1])
	return len(p), nil
}

func (m *memory) WriteControl(p []byte) (int, error) { return m.Write(p) }
func (m *memory) Source() stream.Source              { return stream.Source{FD: -1} }
func (m *memory) Close() error                       { return nil }

func decode(b *microbench.B) error {
	one := frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Length: messageBytes})
	one = append(one, strings.Repeat("a", messageBytes)...)
	m := &memory{wire: []byte(strings.Repeat(string(one), readBytes/len(one)+2)), one: len(one)}
	c := ws.New(m, nil, nil)
	c.Lend(stream.NewScratch())
	b.Batches(func(n int) {
		for left := n; left > 0; {
			if !c.HasNext() {
				c.Release()
				if _, err := c.Fill(); err != nil {
					return
				}
			}
			sum := 0
			for left > 0 {
				msg, ok := c.Next()
				if !ok {
					break
				}
				sum += len(msg.Payload)
				left--
			}
			microbench.Sink += uint64(sum)
		}
	})
	if err := c.Err(); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return c.Discard()
}

func encode(b *microbench.B) error {
	c := ws.New(new(memory), nil, nil)
	c.Lend(stream.NewScratch())
	p := []byte(strings.Repeat("a", messageBytes))
	var err error
	b.Batches(func(n int) {
		for range n {
			if e := c.WriteText(p); e != nil {
				err = e
			}
		}
	})
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	return c.Discard()
}
