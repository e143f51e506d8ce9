package imported

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"

	"bufio"

	"github.com/boomnet-go/boomnet/capture/packets"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// MaxPackets bounds the bytes of an imported capture, which is held in memory.
const MaxPackets = 1 << 30

// ErrTooLarge says that a capture holds more than MaxPackets.
var ErrTooLarge = errors.New("imported: capture too large")

// PacketsConfig says how a capture is read. The zero value is useful.
type PacketsConfig struct {
	// KeyLog opens TLS (SSLKEYLOGFILE); secrets in the capture are used as well.
	KeyLog io.Reader
	// Endpoint is the name of all connections. Default: each has the URL that it asked
	// for, ws://host/path.
	Endpoint string
	// Client are the addresses of clients whose SYN was not captured. Default: the side
	// with the higher port.
	Client netip.Prefix
}

// Packets is what was made of a capture.
type Packets struct {
	Recording tape.Memory
	Imported  int      // connections
	Skipped   []string // connections that were left out, and why
	Passed    packets.Passed
	Gaps      int64 // bytes that were not captured, in those imported
}

// ReadPackets makes a recording of the WebSocket connections in a capture of tcpdump or
// the like: a turn for each packet that made bytes known, with its time. A capture that
// ends in the midst of a block is read up to there, which err says.
func ReadPackets(path string, cfg PacketsConfig) (*Packets, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	keys, err := packets.ParseKeyLog(bytes.NewReader(nil))
	if cfg.KeyLog != nil {
		keys, err = packets.ParseKeyLog(cfg.KeyLog)
	}
	if err != nil {
		return nil, err
	}
	b := &builder{cfg: cfg, out: new(Packets), keys: keys, conns: make(map[int]*flow)}
	assembly := packets.Config{}
	if cfg.Client.IsValid() {
		assembly.Client = func(a, _ netip.AddrPort) bool { return cfg.Client.Contains(a.Addr()) }
	}
	b.assembler = packets.New(assembly, b.chunk)
	b.out.Passed, err = packets.Read(f, b.assembler, keys)
	if e := b.end(); e != nil {
		return nil, e
	}
	return b.out, err
}

// builder makes records of chunks.
type builder struct {
	cfg       PacketsConfig
	out       *Packets
	keys      *packets.KeyLog
	assembler *packets.Assembler
	rec       *Recorder
	conns     map[int]*flow
	order     []*flow
	wall      int64
	size      int64
	err       error
}

// flow is a connection of the capture.
type flow struct {
	n       int // place in the assembler
	opener  *packets.Opener
	begun   bool
	early   []Segment // until the request is known
	held    int
	stream  *Stream
	skipped error
}

// chunk takes what a packet has made known.
func (b *builder) chunk(c *packets.Chunk) {
	if b.err != nil {
		return
	}
	b.wall = max(b.wall, c.Time)
	f := b.conns[c.Conn]
	if f == nil {
		f = &flow{n: c.Conn}
		b.conns[c.Conn] = f
		b.order = append(b.order, f)
	}
	if f.skipped != nil {
		return
	}
	if !f.begun && len(c.Data) > 0 {
		f.begun = true
		const handshake = 22 // content type of TLS records, RFC 8446, section 5.1
		if c.Data[0] == handshake {
			f.opener = packets.NewOpener(b.keys, func(p *packets.Plain) {
				if len(p.Data) > 0 {
					b.segment(f, &Segment{Wall: b.wall, Sent: p.FromClient, Data: p.Data})
				}
			})
		}
	}
	if f.opener != nil {
		if c.Gap > 0 {
			f.opener.Gap(c.FromClient, c.Gap)
		}
		if len(c.Data) > 0 {
			if err := f.opener.Add(c.FromClient, c.Time, c.Data); err != nil {
				b.fail(f, err)
			}
		}
	} else if len(c.Data) > 0 || c.Gap > 0 {
		if f.stream != nil {
			b.out.Gaps += c.Gap
		}
		b.segment(f, &Segment{Wall: b.wall, Sent: c.FromClient, Data: c.Data, Lost: c.Gap})
	}
	if c.End != packets.Open && !c.FromClient && f.stream != nil && b.err == nil {
		var why error
		if c.End == packets.RST {
			why = syscall.ECONNRESET
		}
		b.err = f.stream.End(b.wall, why)
	}
}

// segment takes plain bytes of a connection.
func (b *builder) segment(f *flow, s *Segment) {
	if b.err != nil || f.skipped != nil {
		return
	}
	if b.size += int64(len(s.Data)); b.size > MaxPackets {
		b.err = fmt.Errorf("%w: over %d bytes of connections; cut it by time or host first", ErrTooLarge, MaxPackets)
		return
	}
	if f.stream == nil {
		own := *s
		own.Data = bytes.Clone(s.Data)
		f.early = append(f.early, own)
		if f.held += len(s.Data); f.held > maxHead {
			b.fail(f, fmt.Errorf("%w: no request in %d bytes", ErrHead, maxHead))
			return
		}
		b.connect(f)
		return
	}
	if err := f.stream.Segment(s); errors.Is(err, ErrHead) {
		b.fail(f, err)
	} else if err != nil {
		b.err = err
	}
}

// connect begins a connection when its request is whole.
func (b *builder) connect(f *flow) {
	var request []byte
	for _, s := range f.early {
		if s.Sent {
			request = append(request, s.Data...)
		}
	}
	const get = "GET "
	if n := min(len(request), len(get)); string(request[:n]) != get[:n] {
		b.fail(f, fmt.Errorf("%w: it begins with %.20q", ErrHead, request))
		return
	}
	end := bytes.Index(request, []byte("\r\n\r\n"))
	if end < 0 {
		return
	}
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request[:end+4])))
	if err != nil {
		b.fail(f, fmt.Errorf("%w: %w", ErrHead, err))
		return
	}
	c := b.assembler.Connection(f.n)
	host := r.Host
	if host == "" {
		host = c.Server.String()
	}
	conn := &Conn{Endpoint: b.cfg.Endpoint, Peer: tape.Peer{Local: c.Client, Remote: c.Server, Layer: tape.Plain}}
	scheme, layer, port := "ws", "tcp", "80"
	if f.opener != nil {
		scheme, layer, port = "wss", "tls", "443"
		facts := f.opener.Facts()
		conn.Peer.Layer, conn.Peer.Version, conn.Peer.Suite = tape.AboveTLS, facts.Version, facts.Suite
		conn.Peer.ALPN, conn.Peer.ServerName = facts.ALPN, facts.ServerName
	}
	if conn.Endpoint == "" {
		conn.Endpoint = scheme + "://" + host + r.URL.RequestURI()
	}
	conn.Target = layer + "://" + host
	if _, err := netip.ParseAddrPort(host); err != nil && !hasPort(host) {
		conn.Target += ":" + port
	}
	if b.rec == nil {
		if b.rec, b.err = New("import", b.wall, func(rec *tape.Record) error { b.out.Recording.Keep(rec); return nil }); b.err != nil {
			return
		}
	}
	if f.stream, b.err = b.rec.Connect(conn, b.wall); b.err != nil {
		return
	}
	b.out.Imported++
	early := f.early
	f.early = nil
	for i := range early {
		early[i].Wall = b.wall
		b.segment(f, &early[i])
	}
}

func hasPort(host string) bool {
	i := strings.LastIndexByte(host, ':')
	return i >= 0 && i > strings.LastIndexByte(host, ']')
}

// fail leaves a connection out, or the rest of it.
func (b *builder) fail(f *flow, err error) {
	if f.skipped != nil {
		return
	}
	f.skipped, f.early = err, nil
	c := b.assembler.Connection(f.n)
	what := "left out"
	if f.stream != nil && f.stream.open {
		what = "cut short"
		if e := f.stream.End(b.wall, err); e != nil && b.err == nil {
			b.err = e
		}
	}
	b.out.Skipped = append(b.out.Skipped, fmt.Sprintf("%s → %s %s: %v", c.Client, c.Server, what, err))
}

// end is the end of the capture: connections that stand have no end.
func (b *builder) end() error {
	for _, f := range b.order {
		if f.skipped == nil && (f.stream == nil || !f.stream.open) {
			err := ErrHead
			if f.opener != nil {
				if e := errors.Join(f.opener.End(true), f.opener.End(false)); e != nil {
					err = e
				}
			}
			if f.stream != nil {
				b.out.Imported--
			}
			b.fail(f, err)
		}
	}
	if b.err == nil && b.rec == nil {
		return fmt.Errorf("imported: no WebSocket connection in %d packets (%d not TCP, %d malformed): %s",
			b.out.Passed.Packets, b.out.Passed.Other, b.out.Passed.Malformed, strings.Join(b.out.Skipped, "; "))
	}
	return b.err
}
