package recording

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
)

// listener is an endpoint that keeps what it receives, until it has enough.
type listener struct {
	endpoint.WebSocket
	send   [][]byte
	want   int
	got    []string
	enough func()
}

func (l *listener) OnOpen(c *ws.Conn) error {
	for _, p := range l.send {
		if err := c.WriteText(p); err != nil {
			return err
		}
	}
	return nil
}

func (l *listener) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		if len(l.got) < l.want || l.want == 0 {
			l.got = append(l.got, string(m.Payload))
		}
		if len(l.got) == l.want && l.enough != nil {
			l.enough()
			l.enough = nil
		}
	}
	return c.Err()
}

// recorded runs a reactor with the listeners, recorded, until they have enough.
func recorded(t *testing.T, cfg tape.Config, all ...*listener) (rec tape.Memory) {
	t.Helper()
	recorder, err := tape.New(cfg)
	require.NoError(t, err)
	r, err := reactor.New(reactor.Config{Name: "feeds", Tape: recorder, Seams: endpoint.Seams{Limiter: limiter(t)}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var enough sync.WaitGroup
	for _, l := range all {
		enough.Add(1)
		l.enough = enough.Done
		_, err := reactor.Register(r, l)
		require.NoError(t, err)
	}
	go func() {
		enough.Wait()
		cancel()
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !recorder.Ended() {
			recorder.Drain(1000, false, rec.Keep)
			time.Sleep(time.Millisecond)
		}
	}()
	require.NoError(t, r.Run(ctx))
	<-done
	for recorder.Drain(1000, true, rec.Keep) > 0 {
	}
	require.Zero(t, recorder.Lost())
	return rec
}

func limiter(t *testing.T) *endpoint.HostLimiter {
	l, err := endpoint.NewHostLimiter(1000, 1000)
	require.NoError(t, err)
	return l
}

func startExchange(t *testing.T, cfg exchange.Config) *exchange.Server {
	s, err := exchange.Start(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// texts are the texts that an endpoint has received, or sent.
func texts(t *testing.T, rec tape.Recording, filter Filter) (all []string) {
	t.Helper()
	filter.Ops = []Op{Text}
	require.NoError(t, EachMessage(rec, &filter, func(m *Message) error {
		all = append(all, string(m.Payload))
		return nil
	}))
	return all
}

// What the endpoints were given is what is found in the recording, of each, compressed
// or not, and with TLS.
func TestMessages(t *testing.T) {
	for _, deflate := range []bool{false, true} {
		t.Run(fmt.Sprint("deflate=", deflate), func(t *testing.T) {
			x := startExchange(t, exchange.Config{Rate: 2000, TLS: &exchange.TLS{}})
			pool := x509.NewCertPool()
			require.True(t, pool.AppendCertsFromPEM(x.CA()))
			var all []*listener
			for _, name := range []string{"btcusdt", "ethusdt"} {
				l := &listener{want: 500}
				l.Name, l.URL = name, x.URL()+"/ws/"+name+"@trade/"+name+"@depth"
				l.Options.Stream.TLS = &tls.Config{RootCAs: pool}
				if deflate {
					l.Options.Compression = &ws.Compression{}
				}
				all = append(all, l)
			}
			rec := recorded(t, tape.Config{}, all...)
			for _, l := range all {
				found := texts(t, rec, Filter{Endpoints: []string{l.Name}, Received: true})
				require.GreaterOrEqual(t, len(found), l.want)
				require.Equal(t, l.got, found[:l.want])
			}

			s, err := Summarize(rec)
			require.NoError(t, err)
			require.Equal(t, "feeds", s.Reactor)
			require.True(t, s.Complete)
			require.True(t, s.Replays)
			require.Empty(t, s.Obstacles)
			require.Len(t, s.Conns, 2)
			require.Zero(t, s.Undecodables)
			c := s.Conns[0]
			require.Equal(t, "TLS 1.3", c.TLS)
			require.Equal(t, deflate, c.Deflate)
			require.Equal(t, tape.AboveTLS, c.Peer.Layer)
			require.NotNil(t, c.Opened)
			require.NotNil(t, c.Closed)
			require.GreaterOrEqual(t, c.MessagesIn, uint64(500))
			require.Contains(t, c.Request, "GET /ws/"+c.Endpoint+"@trade/")
			require.Equal(t, s.MessagesIn, c.MessagesIn+s.Conns[1].MessagesIn)
		})
	}
}

// A message of several fragments, both directions, and control frames.
func TestFragmentsAndControl(t *testing.T) {
	x := startExchange(t, exchange.Config{})
	long := bytes.Repeat([]byte("0123456789abcdef"), 100_000) // comes back in pieces
	l := &listener{want: 2, send: [][]byte{long, []byte("short")}}
	l.Name, l.URL = "echo", x.URL()+"/echo"
	l.Options.MaxMessage, l.Options.Stream.QueueBound = 8<<20, 8<<20
	rec := recorded(t, tape.Config{}, l)
	for _, filter := range []Filter{{Sent: true}, {Received: true}} {
		found := texts(t, rec, filter)
		require.Len(t, found, 2)
		require.True(t, found[0] == string(long))
		require.Equal(t, "short", found[1])
	}
	var frames int
	var ops []Op
	require.NoError(t, EachMessage(rec, new(Filter), func(m *Message) error {
		if m.Op == Text && !m.Sent {
			frames = max(frames, m.Frames)
		}
		if m.Op != Text {
			ops = append(ops, m.Op)
		}
		if m.Op == Close {
			code, _, err := frame.ParseClose(m.Payload)
			require.NoError(t, err)
			require.Equal(t, frame.CloseNormal, code)
		}
		return nil
	}))
	require.Greater(t, frames, 1)
	require.Equal(t, []Op{Request, Response, Close, Close}, ops)
}

// synthetic is a recording of one connection that reads and writes what it is told.
type synthetic struct {
	tape.Memory
	seq uint64
}

func (s *synthetic) add(rec tape.Record) {
	s.seq++
	rec.Seq, rec.At, rec.Conn = s.seq, int64(s.seq)*1_000_000, 1
	s.Keep(&rec)
}

const accepted = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

func upgraded() *synthetic {
	s := new(synthetic)
	s.add(tape.Record{Kind: tape.KindConnect, Text: []byte("quotes")})
	s.add(tape.Record{Kind: tape.KindWrite, Data: []byte("GET /ws HTTP/1.1\r\n\r\n")})
	s.add(tape.Record{Kind: tape.KindRead, Data: []byte(accepted)})
	return s
}

func textFrame(s string) []byte {
	return append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(len(s))}), s...)
}

// Messages are found wherever reads have cut them.
func TestAnyCut(t *testing.T) {
	wire := []byte(accepted)
	want := []string{"one", strings.Repeat("two", 100), "three"}
	for _, w := range want {
		wire = append(wire, textFrame(w)...)
	}
	for size := 1; size <= len(wire); size++ {
		s := new(synthetic)
		s.add(tape.Record{Kind: tape.KindConnect, Text: []byte("quotes")})
		s.add(tape.Record{Kind: tape.KindWrite, Data: []byte("GET /ws HTTP/1.1\r\n\r\n")})
		for rest := wire; len(rest) > 0; {
			n := min(size, len(rest))
			s.add(tape.Record{Kind: tape.KindRead, Data: rest[:n]})
			rest = rest[n:]
		}
		require.Equal(t, want, texts(t, s, Filter{}), "reads of %d bytes", size)
	}
}

// After missing bytes decoding goes on with the first read that begins with a frame.
func TestMissingBytes(t *testing.T) {
	s := upgraded()
	s.add(tape.Record{Kind: tape.KindRead, Data: textFrame("before")})
	s.add(tape.Record{Kind: tape.KindRead, Data: textFrame("half of it")[:6]})
	s.add(tape.Record{Kind: tape.KindMissing, Arg: 100})
	s.add(tape.Record{Kind: tape.KindRead, Data: append([]byte(`1234","T":1}`), textFrame("cut off")...)})
	s.add(tape.Record{Kind: tape.KindRead, Data: append(textFrame("after"), textFrame("and a half")[:5]...)})
	s.add(tape.Record{Kind: tape.KindRead, Data: textFrame("and a half")[5:]})
	require.Equal(t, []string{"before", "after", "and a half"}, texts(t, s, Filter{}))
	sum, err := Summarize(s)
	require.NoError(t, err)
	require.Equal(t, int64(100), sum.MissingIn)
	require.Equal(t, "100 bytes are missing", sum.Conns[0].Undecode)
	require.Contains(t, sum.Obstacles, "100 bytes received are missing")
}

func TestWhatCannotBeDecoded(t *testing.T) {
	for name, tc := range map[string]struct {
		add  func(*synthetic)
		note string
	}{
		"masked": {func(s *synthetic) {
			s.add(tape.Record{Kind: tape.KindRead, Data: frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Masked: true})})
		}, "cannot be decoded: a frame that is not allowed here: text, reserved bits 0, masked true, 0 bytes"},
		"reserved opcode": {func(s *synthetic) { s.add(tape.Record{Kind: tape.KindRead, Data: []byte{0x83, 0}}) }, "cannot be decoded: ws: reserved opcode"},
		"continuation":    {func(s *synthetic) { s.add(tape.Record{Kind: tape.KindRead, Data: []byte{0x80, 0}}) }, "cannot be decoded: fragments out of order"},
		"a length that lies": {func(s *synthetic) {
			s.add(tape.Record{Kind: tape.KindRead, Data: frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: frame.Text, Length: 1 << 40})})
		}, "cannot be decoded: a frame that is not allowed here: text, reserved bits 0, masked false, 1099511627776 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := upgraded()
			tc.add(s)
			s.add(tape.Record{Kind: tape.KindRead, Data: textFrame("never seen")})
			var notes []string
			require.NoError(t, EachMessage(s, new(Filter), func(m *Message) error {
				if m.Op == Lost {
					notes = append(notes, m.Note)
				}
				require.NotEqual(t, Text, m.Op)
				return nil
			}))
			require.Equal(t, []string{tc.note}, notes)
		})
	}
}

func TestOtherProtocols(t *testing.T) {
	s := new(synthetic)
	s.add(tape.Record{Kind: tape.KindConnect, Text: []byte("fix")})
	s.add(tape.Record{Kind: tape.KindWrite, Data: []byte("8=FIX.4.4|35=A|")})
	s.add(tape.Record{Kind: tape.KindRead, Data: []byte("8=FIX.4.4|35=0|")})
	var all []string
	require.NoError(t, EachMessage(s, new(Filter), func(m *Message) error {
		all = append(all, fmt.Sprintf("%v %t %s", m.Op, m.Sent, m.Payload))
		return nil
	}))
	require.Equal(t, []string{"data true 8=FIX.4.4|35=A|", "data false 8=FIX.4.4|35=0|"}, all)
}

func TestBelowTLS(t *testing.T) {
	s := new(synthetic)
	peer, err := json.Marshal(tape.Peer{Layer: tape.BelowTLS})
	require.NoError(t, err)
	s.add(tape.Record{Kind: tape.KindConnect, Text: []byte("quotes")})
	s.add(tape.Record{Kind: tape.KindDialed, Text: []byte("tls://x:443"), Data: peer})
	s.add(tape.Record{Kind: tape.KindRead, Data: []byte("\x16\x03\x01")})
	sum, err := Summarize(s)
	require.NoError(t, err)
	require.False(t, sum.Replays)
	require.Contains(t, sum.Obstacles, "it was recorded below TLS")
	require.Equal(t, "cannot be decoded: it was recorded below TLS", sum.Conns[0].Undecode)
}

// broken is a recording that ends with an error.
type broken struct{ tape.Memory }

type brokenSource struct{ tape.Source }

func (b broken) Open() (tape.Source, error) {
	s, err := b.Memory.Open()
	return brokenSource{s}, err
}

func (b brokenSource) Next() (*tape.Record, error) {
	rec, err := b.Source.Next()
	if err == io.EOF {
		err = errors.New("the disk is gone")
	}
	return rec, err
}

func TestErrorsOfReading(t *testing.T) {
	s := upgraded()
	sum, err := Summarize(broken{s.Memory})
	require.EqualError(t, err, "after 3 records: the disk is gone")
	require.Len(t, sum.Conns, 1)
	_, err = Measure(broken{s.Memory}, new(Filter), nil)
	require.EqualError(t, err, "the disk is gone")
	require.EqualError(t, EachMessage(broken{s.Memory}, new(Filter), func(*Message) error { return nil }), "the disk is gone")
}

// Whatever bytes a connection has carried, decoding ends and gives back no more than
// there was.
func FuzzDecoder(f *testing.F) {
	f.Add([]byte(accepted), []byte("GET / HTTP/1.1\r\n\r\n"), 7)
	f.Add(append([]byte(strings.Replace(accepted, "\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n", 1)), 0xc1, 3, 0x4a, 4, 0), []byte("GET / HTTP/1.1\r\n\r\n"), 100)
	f.Add(append([]byte(accepted), textFrame("text")...), []byte("GET / HTTP/1.1\r\n\r\n\x89\x80abcd"), 3)
	f.Fuzz(func(t *testing.T, in, out []byte, size int) {
		if size <= 0 {
			size = 1
		}
		s := new(synthetic)
		s.add(tape.Record{Kind: tape.KindWrite, Data: out})
		for rest := in; len(rest) > 0; {
			n := min(size, len(rest))
			s.add(tape.Record{Kind: tape.KindRead, Data: rest[:n]})
			rest = rest[n:]
			if n%5 == 4 {
				s.add(tape.Record{Kind: tape.KindMissing, Arg: 1})
			}
		}
		wire := 0
		err := EachMessage(s, new(Filter), func(m *Message) error {
			wire += m.Wire
			return nil
		})
		if err != nil || wire > len(in)+len(out) {
			t.Fatalf("%v, %d bytes of %d", err, wire, len(in)+len(out))
		}
	})
}
