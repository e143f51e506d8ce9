package exchange

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// fast is a market that does not keep tests waiting.
var fast = Config{Rate: 2000}

func num(t *testing.T, v any) int64 {
	t.Helper()
	n, err := v.(json.Number).Int64()
	require.NoError(t, err)
	return n
}

func TestRawStreams(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": fast, "tls": {Rate: 2000, TLS: &TLS{}}, "tls 1.2": {Rate: 2000, TLS: &TLS{MaxVersion: tls.VersionTLS12}}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cfg)
			before := clock.Nano()
			c := dial(t, s, "/ws/btcusdt@trade")
			for i := range 100 {
				m := c.object()
				require.Equal(t, "trade", m["e"])
				require.Equal(t, "BTCUSDT", m["s"])
				require.Regexp(t, `^\d+\.\d{8}$`, m["p"])
				require.Regexp(t, `^\d+\.\d{8}$`, m["q"])
				require.EqualValues(t, i+1, num(t, m["t"]))
				require.Greater(t, num(t, m["T"]), before)
				require.Less(t, num(t, m["T"]), clock.Nano())
				require.InDelta(t, time.Now().UnixMilli(), num(t, m["E"]), 60_000)
			}
			c.send(frame.Close, true, frame.AppendClose(nil, frame.CloseNormal, "done"))
			code, reason := c.closeFrame()
			require.Equal(t, frame.CloseNormal, code)
			require.Empty(t, reason)
			require.Empty(t, c.eof())
			require.NoError(t, s.Close())
			st := s.Stats()
			require.Equal(t, map[frame.CloseCode]uint64{frame.CloseNormal: 1}, st.ClientCloses)
			require.EqualValues(t, 1, st.Upgrades)
			require.Zero(t, st.Open)
			require.Empty(t, st.Drops)
			require.Equal(t, st.Messages, st.Streams["btcusdt@trade"].Last)
			require.GreaterOrEqual(t, st.Messages, uint64(100))
			require.GreaterOrEqual(t, st.Sent, uint64(100))
			require.LessOrEqual(t, st.Sent, st.Messages, "one client, one stream")
		})
	}
}

func TestCombinedStreamsKeepTheirSequences(t *testing.T) {
	s := start(t, fast)
	c := dial(t, s, "/stream?streams=btcusdt@trade/ethusdt@bookTicker/any_1@depth@100ms/btcusdt@trade")
	last := make(map[string]int64)
	for range 600 {
		m := c.object()
		name, data := m["stream"].(string), m["data"].(map[string]any)
		var first, next int64
		switch name {
		case "btcusdt@trade":
			next = num(t, data["t"])
			first = next
		case "ethusdt@bookTicker":
			require.Less(t, data["b"], data["a"])
			next = num(t, data["u"])
			first = next
		case "any_1@depth@100ms":
			require.Equal(t, "depthUpdate", data["e"])
			require.Equal(t, "ANY_1", data["s"])
			require.NotEmpty(t, data["b"])
			first, next = num(t, data["U"]), num(t, data["u"])
		default:
			t.Fatalf("unasked stream %q", name)
		}
		require.Equal(t, last[name]+1, first, name)
		last[name] = next
	}
	require.Len(t, last, 3)
}

func TestSubscribing(t *testing.T) {
	s := start(t, fast)
	c := dial(t, s, "/ws")
	require.Equal(t, `{"result":[],"id":1}`, c.request(`{"method":"LIST_SUBSCRIPTIONS","id":1}`))
	require.Equal(t, `{"result":null,"id":"two"}`, c.request(`{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":"two"}`))
	require.Equal(t, `{"result":["btcusdt@trade","ethusdt@trade"],"id":3}`, c.request(`{"method":"LIST_SUBSCRIPTIONS","params":null,"id":3}`))
	require.EqualValues(t, "trade", c.object()["e"])
	// In fragments, with a ping between them.
	c.send(frame.Text, false, []byte(`{"method":"UNSUBSCRIBE","params":["btc`))
	c.send(frame.Ping, true, []byte("between"))
	c.send(frame.Continuation, false, nil)
	c.send(frame.Continuation, true, []byte(`usdt@trade","none@trade"],"id":4}`))
	var pong, answered bool
	for !answered || !pong {
		h, payload, err := c.frame()
		require.NoError(t, err)
		if h.Opcode == frame.Pong {
			require.Equal(t, "between", string(payload))
			pong = true
		}
		answered = answered || string(payload) == `{"result":null,"id":4}`
	}
	for range 20 {
		require.Equal(t, "ETHUSDT", c.object()["s"], "none of the other stream behind the answer")
	}
	require.Equal(t, []string{"ethusdt@trade"}, s.Connections()[0].Streams)
	require.Equal(t, `{"result":null,"id":null}`, c.request(`{"method":"UNSUBSCRIBE","params":["ethusdt@trade"]}`))
	// Sequences go on where they were.
	last := s.Stats().Streams["ethusdt@trade"].Last
	c.request(`{"method":"SUBSCRIBE","params":["ethusdt@trade"],"id":5}`)
	require.EqualValues(t, last+1, num(t, c.object()["t"]))
}

func TestRequestErrors(t *testing.T) {
	s := start(t, fast)
	c := dial(t, s, "/ws")
	many := strings.TrimSuffix(strings.Repeat(`"a@trade",`, 10), ",")
	for i := range maxStreams {
		many += fmt.Sprintf(`,"s%d@trade"`, i)
	}
	for _, r := range []struct {
		request string
		code    int
		msg, id string
	}{
		{`{"method":"NO","id":7}`, 2, "unknown variant `NO`", `7`},
		{`{"method":"SUBSCRIBE","params":["btcusdt"],"id":8}`, 2, "bad stream name", `8`},
		{`{"method":"SUBSCRIBE","params":["BTC@trade"],"id":8}`, 2, "lower-case", `8`},
		{`{"method":"UNSUBSCRIBE","params":["@trade"],"id":8}`, 2, "1 to 32 characters", `8`},
		{`{"method":"SUBSCRIBE","params":[` + many + `],"id":8}`, 2, "more than 1024 streams", `8`},
		{`{"method":1,"id":9}`, 1, "Invalid value type", `9`},
		{`{"more":1,"id":9}`, 0, "Unknown property", ``},
		{`{"method":"NO","id":-1}`, 2, "request ID", `null`},
		{`{"method":"NO","id":{"a":1}}`, 2, "request ID", `null`},
		{`{"method`, 3, "Invalid JSON", `null`},
		{``, 3, "Invalid JSON", `null`},
		{`{} {}`, 3, "Invalid JSON", `null`},
	} {
		var got struct {
			Error requestError
			ID    json.RawMessage
		}
		require.NoError(t, json.Unmarshal([]byte(c.request(r.request)), &got))
		require.Equal(t, r.code, got.Error.Code, r.request)
		require.Contains(t, got.Error.Msg, r.msg)
		if r.id != "" {
			require.Equal(t, r.id, string(got.ID), r.request)
		}
	}
	require.EqualValues(t, 12, s.Stats().BadRequests)
	require.Empty(t, s.Connections()[0].Streams)
}

func TestUpgradesThatAreNone(t *testing.T) {
	s := start(t, Config{})
	for _, u := range []struct {
		path    string
		headers []string
		status  int
	}{
		{"/none", nil, 404},
		{"/feed", nil, 404},
		{"/ws/btcusdt", nil, 400},
		{"/stream?streams=a@none", nil, 400},
		{"/ws?fault=none", nil, 400},
		{"/ws", []string{"Sec-WebSocket-Key", ""}, 400},
		{"/ws", []string{"Sec-WebSocket-Key", "c2hvcnQ="}, 400},
		{"/ws", []string{"Sec-WebSocket-Version", ""}, 426},
		{"/ws", []string{"Sec-WebSocket-Version", "8"}, 426},
		{"/ws", []string{"Upgrade", ""}, 426},
		{"/ws", []string{"Connection", "close"}, 426},
		{"/ws", []string{"Host", ""}, 400},
		{"/ws", []string{"X-Large", strings.Repeat("x", headerLimit)}, 431},
	} {
		c := connect(t, s)
		c.ask(u.path, u.headers...)
		r := c.response()
		require.Equal(t, u.status, r.StatusCode, "%s %.40v", u.path, u.headers)
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.NotEmpty(t, body)
		if u.status == 426 {
			require.Equal(t, "13", r.Header.Get("Sec-Websocket-Version"))
		}
		require.Empty(t, c.eof())
	}
	c := connect(t, s)
	c.raw([]byte("POST /ws HTTP/1.1\r\nHost: x\r\n\r\n")...)
	require.Equal(t, 405, c.response().StatusCode)
	c = connect(t, s)
	c.raw([]byte("rubbish\r\n\r\n")...)
	require.Equal(t, 400, c.response().StatusCode)
	require.EqualValues(t, 15, s.Stats().Refused)
	require.Zero(t, s.Stats().Upgrades)
}

func TestClientViolations(t *testing.T) {
	s := start(t, Config{RequestRate: 3})
	for name, v := range map[string]struct {
		path string
		send func(c *client)
		code frame.CloseCode
	}{
		"unmasked":        {"/echo", func(c *client) { c.raw(0x81, 1, 'x') }, 1002},
		"reserved opcode": {"/echo", func(c *client) { c.send(3, true, nil) }, 1002},
		"rsv":             {"/echo", func(c *client) { c.raw(0xC1, 0x80, 0, 0, 0, 0) }, 1002},
		"orphan":          {"/echo", func(c *client) { c.send(frame.Continuation, true, nil) }, 1002},
		"interleaved":     {"/ws", func(c *client) { c.send(frame.Text, false, nil); c.text("x") }, 1002},
		"top bit":         {"/echo", func(c *client) { c.raw(0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4) }, 1002},
		"long ping":       {"/echo", func(c *client) { c.send(frame.Ping, true, make([]byte, 126)) }, 1002},
		"close body":      {"/ws", func(c *client) { c.send(frame.Close, true, []byte{3}) }, 1002},
		"utf-8":           {"/ws", func(c *client) { c.text("\xff") }, 1007},
		"utf-8 cut":       {"/echo", func(c *client) { c.text("\xc3") }, 1007},
		"close utf-8":     {"/ws", func(c *client) { c.send(frame.Close, true, []byte{3, 0xE8, 0xFF}) }, 1007},
		"large request":   {"/ws", func(c *client) { c.send(frame.Text, true, make([]byte, requestLimit+1)) }, 1009},
		"large in parts": {"/ws", func(c *client) {
			c.send(frame.Text, false, make([]byte, requestLimit))
			c.send(frame.Continuation, true, []byte{1})
		}, 1009},
		"large echo": {"/echo", func(c *client) { c.raw(0x82, 0xFF, 0, 0, 0, 0, 4, 0, 0, 1, 1, 2, 3, 4) }, 1009},
		"enormous":   {"/echo", func(c *client) { c.raw(0x82, 0xFF, 0x7F, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4) }, 1009},
		"too many": {"/ws", func(c *client) {
			for range 8 {
				_ = c.trySend(frame.Text, true, []byte("{}"))
			}
		}, 1008},
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, s, v.path)
			v.send(c)
			code, _ := c.closeFrame()
			require.Equal(t, v.code, code)
			require.Empty(t, c.eof())
		})
	}
}

func TestCloseWithoutCode(t *testing.T) {
	c := dial(t, start(t, Config{}), "/echo")
	c.send(frame.Close, true, nil)
	code, _ := c.closeFrame()
	require.Equal(t, frame.CloseNoStatus, code)
	require.Empty(t, c.eof())
}

func TestEcho(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "tls": {TLS: &TLS{}}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cfg)
			c := dial(t, s, "/echo")
			for _, n := range []int{0, 1, 125, 126, 65535, 65536, echoPiece - 1, echoPiece} {
				p := bytes.Repeat([]byte("é"), n)[:n&^1]
				c.send(frame.Text, true, p)
				h, got, err := c.frame()
				require.NoError(t, err)
				require.Equal(t, frame.Header{Fin: true, Opcode: frame.Text, Length: uint64(len(p))}, h)
				require.True(t, bytes.Equal(p, got))
			}
			// Counted when written, which the client may see first.
			eventually(t, func() bool { return s.Stats().Echoed == 8 }, "echoes")
		})
	}
}

// 16 MiB are written before any of it is read, in two fragments.
func TestEchoLarge(t *testing.T) {
	c := dial(t, start(t, Config{}), "/echo")
	want := make([]byte, 16<<20)
	for i := range want {
		want[i] = byte(i * 7 >> 5)
	}
	c.send(frame.Binary, false, want[:5<<20+1])
	c.send(frame.Ping, true, []byte("p"))
	c.send(frame.Continuation, true, want[5<<20+1:])
	var got []byte
	for fin, first := false, true; !fin; {
		h, p, err := c.frame()
		require.NoError(t, err)
		if h.Opcode == frame.Pong {
			continue
		}
		require.LessOrEqual(t, len(p), echoPiece)
		require.Equal(t, first, h.Opcode == frame.Binary)
		got, fin, first = append(got, p...), h.Fin, false
	}
	require.True(t, bytes.Equal(want, got))
}

func TestPings(t *testing.T) {
	// answered reports whether pongs keep a connection for twice the time-out.
	answered := func(s *Server, c *client, timeout time.Duration) bool {
		for deadline := time.Now().Add(2 * timeout); time.Now().Before(deadline); {
			h, p, err := c.frame()
			if err != nil {
				return false
			}
			require.Equal(t, frame.Ping, h.Opcode)
			if c.trySend(frame.Pong, true, p) != nil {
				return false
			}
		}
		return len(s.Stats().Drops) == 0
	}
	for timeout := 400 * time.Millisecond; ; timeout *= 2 { // a slow machine may need more
		s := start(t, Config{PingInterval: 10 * time.Millisecond, PongTimeout: timeout})
		c := dial(t, s, "/echo")
		if !answered(s, c, timeout) {
			require.Less(t, timeout, 10*time.Second, "a connection that answers lives")
			continue
		}
		_, _ = io.Copy(io.Discard, c.in) // no more pongs
		require.Equal(t, map[string]uint64{"no pong": 1}, s.Stats().Drops)
		return
	}
}

func TestRateIsKept(t *testing.T) {
	for _, rate := range []float64{50, 20_000} {
		s := start(t, Config{Rate: rate})
		c := dial(t, s, "/ws/btcusdt@bookTicker")
		first := num(t, c.object()["T"])
		var n, last int64
		for n, last = 1, 0; last-first < 400_000_000; n++ {
			last = num(t, c.object()["T"])
		}
		if s.Stats().Streams["btcusdt@bookTicker"].Skipped > 0 {
			continue // a machine that stood still
		}
		due := float64(last-first) / 1e9 * rate
		require.InDelta(t, due, float64(n), due/4+2, "rate %v", rate)
		require.NoError(t, s.Close())
	}
}

func TestPricesComeFromTheSeed(t *testing.T) {
	read := func(seed uint64) (prices []string) {
		s := start(t, Config{Rate: 5000, Seed: seed})
		c := dial(t, s, "/ws/newcoin@trade")
		for range 50 {
			m := c.object()
			prices = append(prices, m["p"].(string)+" "+m["q"].(string))
		}
		require.NoError(t, s.Close())
		return prices
	}
	a := read(1)
	require.Equal(t, a, read(1))
	require.NotEqual(t, a, read(2))
}

func TestSlowClientIsDropped(t *testing.T) {
	s := start(t, Config{Rate: 200_000, QueueBound: 1 << 20})
	slow := dial(t, s, "/ws/btcusdt@depth")
	good := dial(t, s, "/echo")
	for dropped := false; !dropped; dropped = s.Stats().Drops["slow"] == 1 {
		good.text("served on")
		require.Equal(t, "served on", good.message())
	}
	// Everything that arrives is whole and in order.
	last := int64(0)
	for {
		_, p, err := slow.frame()
		if err != nil {
			break
		}
		var m struct{ U, Last int64 }
		p = bytes.Replace(p, []byte(`"u":`), []byte(`"Last":`), 1)
		require.NoError(t, json.Unmarshal(p, &m))
		require.Equal(t, last+1, m.U)
		last = m.Last
	}
	require.Positive(t, last)
}

func TestSeveralServers(t *testing.T) {
	var clients []*client
	for i := range 4 {
		s := start(t, Config{Rate: 100, TLS: map[bool]*TLS{true: {}}[i%2 == 1]})
		clients = append(clients, dial(t, s, "/ws/btcusdt@trade"))
	}
	for _, c := range clients {
		require.EqualValues(t, 1, num(t, c.object()["t"]))
	}
}

func TestCloseSaysGoingAway(t *testing.T) {
	for name, cfg := range map[string]Config{"plain": {}, "tls": {TLS: &TLS{}}} {
		t.Run(name, func(t *testing.T) {
			s := start(t, cfg)
			c := dial(t, s, "/ws")
			silent := connect(t, s)
			require.NoError(t, s.Close())
			code, _ := c.closeFrame()
			require.Equal(t, frame.CloseGoingAway, code)
			c.eof()
			if cfg.TLS == nil {
				require.Empty(t, silent.eof())
			}
			require.ErrorIs(t, s.Close(), net.ErrClosed)
			_, err := net.Dial("tcp", s.Addr().String())
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	}
}

func TestMaxConns(t *testing.T) {
	s := start(t, Config{MaxConns: 1})
	dial(t, s, "/ws")
	_, err := connect(t, s).in.ReadByte()
	require.Error(t, err)
	require.Equal(t, map[string]uint64{"limit": 1}, s.Stats().Drops)
}

func TestCertificates(t *testing.T) {
	handshake := func(s *Server, name string) error {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(s.CA())
		c, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{RootCAs: roots, ServerName: name})
		if err == nil {
			require.NoError(t, c.Close())
		}
		return err
	}
	s := start(t, Config{TLS: &TLS{}})
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		require.NoError(t, handshake(s, name))
	}
	require.ErrorAs(t, handshake(s, "other.example"), new(x509.HostnameError))
	require.ErrorAs(t, handshake(start(t, Config{TLS: &TLS{WrongName: true}}), "localhost"), new(x509.HostnameError))
	var invalid x509.CertificateInvalidError
	require.ErrorAs(t, handshake(start(t, Config{TLS: &TLS{Expired: true}}), "localhost"), &invalid)
	require.Equal(t, x509.Expired, invalid.Reason)
	eventually(t, func() bool { return s.Stats().Drops["tls"] > 0 }, "failed handshakes are counted")

	// The same from files.
	pair, ca, err := new(TLS).issue(time.Now())
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	cert, keyFile := filepath.Join(t.TempDir(), "cert"), filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600))
	require.NoError(t, os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	s = start(t, Config{TLS: &TLS{CertFile: cert, KeyFile: keyFile}})
	require.Nil(t, s.CA())
	s.ca = ca
	require.NoError(t, handshake(s, "localhost"))
}

func TestConfigErrors(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad")
	require.NoError(t, os.WriteFile(bad, []byte("1\tok\nrubbish\n"), 0o600))
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	s := start(t, Config{})
	for says, cfg := range map[string]Config{
		"rate -1":                Config{Rate: -1},
		"speed -1":               Config{Speed: -1},
		"negative interval":      Config{PingInterval: -1},
		"negative limit":         Config{QueueBound: -1},
		"happens to upgrades":    {Faults: []Fault{{Kind: Refuse}}},
		`unknown kind "x"`:       Config{Faults: []Fault{{Kind: "x"}}},
		"go together":            Config{TLS: &TLS{CertFile: "x"}},
		"nothing to record":      Config{Feed: bad, Record: bad},
		bad + ": line 2: ":       Config{Feed: bad},
		"no message in " + empty: Config{Feed: empty},
		"no such file":           Config{Feed: filepath.Join(dir, "none")},
		"file exists":            Config{Record: bad},
		"no such file or dir":    Config{TLS: &TLS{CertFile: "none", KeyFile: "none"}},
		"address already in use": Config{Listen: s.Addr().String()},
	} {
		_, err := Start(cfg)
		require.ErrorContains(t, err, says)
	}
}

func TestControl(t *testing.T) {
	s := start(t, fast)
	get := func(path string) (int, string) {
		c := connect(t, s)
		c.raw([]byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")...)
		r := c.response()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return r.StatusCode, strings.TrimSpace(string(body))
	}
	c := dial(t, s, "/ws/btcusdt@trade")
	c.message()
	status, body := get("/control/stats")
	require.Equal(t, http.StatusOK, status)
	var st Stats
	require.NoError(t, json.Unmarshal([]byte(body), &st))
	require.Positive(t, st.Streams["btcusdt@trade"].Last)

	status, body = get("/control/connections")
	require.Equal(t, http.StatusOK, status)
	var all []Connection
	require.NoError(t, json.Unmarshal([]byte(body), &all))
	require.Len(t, all, 1)
	require.Equal(t, c.conn.LocalAddr().String(), all[0].Remote)
	require.Equal(t, "/ws/btcusdt@trade", all[0].Path)

	for path, want := range map[string]int{
		"/control/none": 404, "/control/fault?fault=none": 400, "/control/fault?fault=fin&next=x": 400,
		"/control/fault?fault=fin&id=-1": 400, "/control/fault?fault=upgrade-drop": 400, "/control/fault?fault=fin&next=-1": 400,
	} {
		status, _ = get(path)
		require.Equal(t, want, status, path)
	}
	_, body = get("/control/fault?fault=fin&remote=127.0.0.1:1")
	require.Equal(t, `{"selected":0}`, body)
	_, body = get("/control/fault?fault=upgrade-drop&next=1")
	require.Equal(t, `{"selected":1}`, body)
	_, body = get(fmt.Sprintf("/control/fault?fault=close&code=4000&reason=asked&id=%d", all[0].ID))
	require.Equal(t, `{"selected":1}`, body)
	code, reason := c.closeFrame()
	require.Equal(t, frame.CloseCode(4000), code)
	require.Equal(t, "asked", reason)
	c = connect(t, s)
	c.ask("/ws")
	require.Empty(t, c.eof())
}
