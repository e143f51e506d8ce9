package exchange

import (
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// A fault in the URL happens behind exactly so many messages; over TLS and plain.
func TestFaultsAfterMessages(t *testing.T) {
	plain, secure := start(t, fast), start(t, Config{Rate: 2000, TLS: &TLS{}})
	for kind, see := range map[Kind]func(t *testing.T, c *client){
		Close: func(t *testing.T, c *client) {
			code, _ := c.closeFrame()
			require.Equal(t, frame.CloseGoingAway, code)
			c.send(frame.Close, true, frame.AppendClose(nil, code, ""))
			require.Empty(t, c.eof())
		},
		FIN: func(t *testing.T, c *client) {
			_, err := c.in.ReadByte()
			require.Equal(t, io.EOF, err)
		},
		RST: func(t *testing.T, c *client) {
			_, err := c.in.ReadByte()
			require.ErrorIs(t, err, syscall.ECONNRESET)
		},
		Garbage: func(t *testing.T, c *client) {
			b, err := c.in.ReadByte()
			require.NoError(t, err)
			require.EqualValues(t, 0x70, b&0x70)
		},
	} {
		for name, s := range map[string]*Server{" plain": plain, " tls": secure} {
			t.Run(string(kind)+name, func(t *testing.T) {
				before := s.Stats().Faults[kind]
				c := dial(t, s, "/ws/btcusdt@trade?fault="+string(kind)+"&after=7")
				for range 7 {
					c.message()
				}
				see(t, c)
				require.Equal(t, before+1, s.Stats().Faults[kind])
			})
		}
	}
}

// Each broken frame as a client sees it, and that the server takes the answer.
func TestBadFrames(t *testing.T) {
	s := start(t, fast)
	is := func(want error) func(*testing.T, frame.Header, []byte, error) {
		return func(t *testing.T, _ frame.Header, _ []byte, err error) { require.Equal(t, want, err) }
	}
	for kind, see := range map[Kind]func(t *testing.T, h frame.Header, p []byte, err error){
		BadOpcode:   is(frame.ErrReservedOpcode),
		BadLength:   is(frame.ErrLengthTopBit),
		BadMinimal:  is(frame.ErrLengthNotMinimal),
		BadControl:  is(frame.ErrControlTooLong),
		BadFragment: is(frame.ErrControlFragmented),
		BadMask:     func(t *testing.T, h frame.Header, _ []byte, _ error) { require.True(t, h.Masked) },
		BadRSV:      func(t *testing.T, h frame.Header, _ []byte, _ error) { require.EqualValues(t, 4, h.Rsv) },
		BadUTF8:     func(t *testing.T, _ frame.Header, p []byte, _ error) { require.False(t, frame.ValidUTF8(p)) },
		BadOrphan:   func(t *testing.T, h frame.Header, _ []byte, _ error) { require.Equal(t, frame.Continuation, h.Opcode) },
		BadInterleaved: func(t *testing.T, h frame.Header, _ []byte, _ error) {
			require.Equal(t, frame.Header{Opcode: frame.Text, Length: 1}, h)
		},
		BadCloseBody: func(t *testing.T, _ frame.Header, p []byte, _ error) { require.Len(t, p, 1) },
		BadCloseCode: func(t *testing.T, _ frame.Header, p []byte, _ error) {
			_, _, err := frame.ParseClose(p)
			require.Equal(t, frame.ErrCloseCode, err)
		},
		BadOversize: func(t *testing.T, h frame.Header, _ []byte, _ error) { require.EqualValues(t, 1<<40, h.Length) },
		BadUnfinished: func(t *testing.T, h frame.Header, _ []byte, err error) {
			require.EqualValues(t, 100, h.Length)
			require.Equal(t, io.ErrUnexpectedEOF, err)
		},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := dial(t, s, "/ws/btcusdt@trade?after=2&fault="+string(kind))
			c.message()
			c.message()
			if kind == BadOversize { // read the header alone
				b := make([]byte, 10)
				_, err := io.ReadFull(c.in, b)
				require.NoError(t, err)
				h, _, err := frame.ParseHeader(b)
				see(t, h, nil, err)
				_, _ = c.in.Discard(2)
			} else {
				h, p, err := c.frame()
				see(t, h, p, err)
			}
			if kind != BadUnfinished {
				before := s.Stats().ClientCloses[frame.CloseProtocolError]
				c.send(frame.Close, true, frame.AppendClose(nil, frame.CloseProtocolError, "no"))
				_, _ = io.Copy(io.Discard, c.in)
				require.Equal(t, before+1, s.Stats().ClientCloses[frame.CloseProtocolError])
			}
		})
	}
	require.Len(t, s.Stats().Faults, 14)
}

func TestStall(t *testing.T) {
	s := start(t, fast)
	c := dial(t, s, "/ws/btcusdt@trade?fault=stall&after=5&for=500ms")
	for range 5 {
		c.message()
	}
	c.send(frame.Ping, true, []byte("never answered"))
	m := c.object()
	require.Greater(t, clock.Nano()-num(t, m["T"]), int64(400*time.Millisecond), "made in time, sent late")
	require.EqualValues(t, 6, num(t, m["t"]), "what was held back follows")
	c.send(frame.Ping, true, []byte("answered"))
	for {
		h, p, err := c.frame()
		require.NoError(t, err)
		if h.Opcode == frame.Pong {
			require.Equal(t, "answered", string(p))
			return
		}
	}
}

func TestStallForEver(t *testing.T) {
	s := start(t, fast)
	c := dial(t, s, "/ws/btcusdt@trade")
	c.message()
	n, err := s.Inject(Fault{Kind: Stall}, Selector{Remote: c.conn.LocalAddr().String()})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	eventually(t, func() bool { return s.Stats().Faults[Stall] == 1 }, "stall")
	require.NoError(t, c.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = io.Copy(io.Discard, c.in)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.NoError(t, s.Close(), "a stalled client does not hold it up")
}

func TestSplit(t *testing.T) {
	s := start(t, fast)
	c := dial(t, s, "/ws/btcusdt@trade?fault=split&for=1ms")
	buf := make([]byte, 4096)
	var reads, total int
	for total < 8000 {
		n, err := c.conn.Read(buf)
		require.NoError(t, err)
		reads++
		total += n
	}
	require.Greater(t, reads, 4, "%d bytes", total)

	c = dial(t, s, "/ws/btcusdt@trade?fault=split")
	for last := int64(0); last < 50; {
		m := c.object()
		if last > 0 {
			require.Equal(t, last+1, num(t, m["t"]))
		}
		last = num(t, m["t"])
	}
}

func TestUpgradeFaults(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {Rate: 2000}, "tls": {Rate: 2000, TLS: &TLS{}}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cfg)
			// In the URL.
			for status, header := range map[string]string{"401": "", "503": "", "429": "Retry-After", "302": "Location"} {
				c := connect(t, s)
				c.ask("/ws?fault=refuse&code=" + status)
				r := c.response()
				require.Equal(t, status, r.Status[:3])
				if header != "" {
					require.NotEmpty(t, r.Header.Get(header), status)
				}
			}
			// Of the next upgrades.
			ask := func(f Fault) *client {
				n, err := s.Inject(f, Selector{Next: 1})
				require.NoError(t, err)
				require.Equal(t, 1, n)
				c := connect(t, s)
				c.ask("/ws/btcusdt@trade")
				return c
			}
			r := ask(Fault{Kind: Refuse, Code: 429, For: 7 * time.Second}).response()
			require.Equal(t, "7", r.Header.Get("Retry-After"))
			require.Equal(t, http.StatusServiceUnavailable, ask(Fault{Kind: Refuse}).response().StatusCode)
			require.Len(t, ask(Fault{Kind: UpgradeGarbage}).eof(), garbageBytes)
			require.Empty(t, ask(Fault{Kind: UpgradeDrop}).eof())
			require.Equal(t, acceptKey("wrong"), ask(Fault{Kind: UpgradeAccept}).response().Header.Get("Sec-Websocket-Accept"))

			began := time.Now()
			c := ask(Fault{Kind: UpgradeDrip, For: time.Millisecond})
			require.Equal(t, http.StatusSwitchingProtocols, c.response().StatusCode)
			require.Greater(t, time.Since(began), 100*time.Millisecond)
			require.Equal(t, "trade", c.object()["e"])

			c = ask(Fault{Kind: UpgradeHang})
			eventually(t, func() bool { return s.Stats().Faults[UpgradeHang] == 1 }, "hang")
			require.NoError(t, c.conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
			_, err := c.in.ReadByte()
			require.ErrorContains(t, err, "timeout")

			dial(t, s, "/ws") // the next one is served
			require.EqualValues(t, 6, s.Stats().Faults[Refuse])
		})
	}
}

func TestInject(t *testing.T) {
	s := start(t, fast)
	_, err := s.Inject(Fault{Kind: "x"}, Selector{})
	require.ErrorIs(t, err, ErrFault)
	_, err = s.Inject(Fault{Kind: Refuse}, Selector{})
	require.ErrorIs(t, err, ErrFault)
	_, err = s.Inject(Fault{Kind: FIN}, Selector{Next: -1})
	require.ErrorIs(t, err, ErrFault)

	// An ordinary fault that waits for upgrades.
	n, err := s.Inject(Fault{Kind: FIN, AfterMessages: 3}, Selector{Next: 2})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	for range 2 {
		c := dial(t, s, "/ws/btcusdt@trade")
		for range 3 {
			c.message()
		}
		require.Empty(t, c.eof())
	}
	a, b := dial(t, s, "/ws/btcusdt@trade"), dial(t, s, "/ws/btcusdt@trade")
	eventually(t, func() bool { return len(s.Connections()) == 2 }, "only the two are left")
	n, err = s.Inject(Fault{Kind: FIN}, Selector{})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	a.eof()
	b.eof()

	// Two faults at different messages of one connection, asked in the other order.
	c := dial(t, s, "/ws")
	eventually(t, func() bool { return len(s.Connections()) == 1 }, "only this one is left")
	id := s.Connections()[0].ID
	for _, f := range []Fault{{Kind: FIN, AfterMessages: 4}, {Kind: Stall, AfterMessages: 2, For: time.Millisecond}} {
		_, err = s.Inject(f, Selector{ID: id})
		require.NoError(t, err)
	}
	c.text(`{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`)
	for range 5 {
		c.message()
	}
	require.Empty(t, c.eof())
	require.EqualValues(t, 1, s.Stats().Faults[Stall])
}

func TestFaultAfterTime(t *testing.T) {
	s := start(t, fast)
	began := time.Now()
	c := dial(t, s, "/echo?fault=close&after=100ms&code=1012&reason=restart")
	code, reason := c.closeFrame()
	require.GreaterOrEqual(t, time.Since(began), 100*time.Millisecond)
	require.Equal(t, frame.CloseServiceRestart, code)
	require.Equal(t, "restart", reason)
	// A client that does not answer is cut off.
	_, err := io.Copy(io.Discard, c.in)
	require.NoError(t, errors.Unwrap(err))
	require.EqualValues(t, 1, s.Stats().Drops["close timeout"])

	c = dial(t, s, "/echo?fault=fin&after=1h") // whose timer goes with it
	c.send(frame.Close, true, nil)
	c.eof()
}

func TestRandomFaults(t *testing.T) {
	s := start(t, Config{Rate: 2000, Seed: 3, FaultsEvery: 2 * time.Millisecond, Faults: []Fault{{Kind: FIN}, {Kind: RST}, {Kind: Split}}})
	for {
		c := dial(t, s, "/ws/btcusdt@trade")
		_, _ = io.Copy(io.Discard, c.in)
		_ = c.conn.Close()
		if f := s.Stats().Faults; len(f) == 3 {
			return
		}
	}
}

func TestParseFault(t *testing.T) {
	for query, want := range map[string]Fault{
		"fault=rst&after=500":               {Kind: RST, AfterMessages: 500},
		"fault=stall&after=2s&for=3s":       {Kind: Stall, After: 2 * time.Second, For: 3 * time.Second},
		"fault=close&code=1012&reason=a%20": {Kind: Close, Code: 1012, Reason: "a "},
	} {
		q, err := url.ParseQuery(query)
		require.NoError(t, err)
		f, err := ParseFault(q)
		require.NoError(t, err)
		require.Equal(t, want, f)
	}
	for _, query := range []string{"", "fault=no", "fault=rst&after=x", "fault=rst&after=-1s", "fault=stall&for=-1s", "fault=stall&for=1",
		"fault=close&code=x", "fault=close&code=5000", "fault=refuse&code=200"} {
		q, err := url.ParseQuery(query)
		require.NoError(t, err)
		_, err = ParseFault(q)
		require.ErrorIs(t, err, ErrFault, query)
	}
	require.Len(t, Kinds(), len(traits))
	for _, f := range RandomFaults() {
		require.NoError(t, f.check())
	}
}
