package capture

import (
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/clock"
)

// manual is a recorder without its goroutine: the test gives it records and turns
// its clock.
type manual struct {
	*Recorder
	t     *testing.T
	clock *clock.Manual
	seq   uint64
}

func newManual(t *testing.T, path string, o Options) *manual {
	t.Helper()
	c := clock.NewManual(1)
	if o.clock == nil {
		o.clock = c
	}
	if o.wall == nil {
		o.wall = func() int64 { return 1_700_000_000e9 }
	}
	r, err := create(path, o)
	require.NoError(t, err)
	close(r.done)
	return &manual{Recorder: r, t: t, clock: c}
}

// put gives it records, numbered.
func (m *manual) put(records ...tape.Record) {
	for _, r := range records {
		m.seq++
		r.Seq = m.seq
		m.take(&r)
	}
}

func (m *manual) end() {
	m.t.Helper()
	require.NoError(m.t, m.finish())
}

// readAll reads all that a source has.
func readAll(t testing.TB, from tape.Recording) tape.Memory {
	t.Helper()
	got, err := readSome(from)
	require.NoError(t, err)
	return got
}

func readSome(from tape.Recording) (got tape.Memory, err error) {
	s, err := from.Open()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for {
		r, err := s.Next()
		if errors.Is(err, io.EOF) {
			return got, nil
		}
		if err != nil {
			return got, err
		}
		got.Keep(r)
	}
}

func openAll(t testing.TB, path string) *File {
	t.Helper()
	parts, err := Parts(path)
	require.NoError(t, err)
	f, err := Open(parts...)
	require.NoError(t, err)
	return f
}

func at(t testing.TB) string { return filepath.Join(t.TempDir(), "feed.pcapng") }

func peer(layer, local, remote string) []byte {
	p := tape.Peer{Layer: layer, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)}
	if layer == tape.AboveTLS {
		p.Version, p.Suite, p.ALPN, p.ServerName = 0x304, 0x1301, "http/1.1", "example.com"
	}
	b, _ := json.Marshal(&p)
	return b
}

// session is what a connection records from its begin until it is open.
func session(conn uint32, layer, remote string) []tape.Record {
	return []tape.Record{
		{Kind: tape.KindConnect, Conn: conn, Text: []byte("quotes"), Arg: int64(conn) + 100, Arg2: 1},
		{Kind: tape.KindResolve, Flags: tape.Setup, Conn: conn, Text: []byte("example.com"), Data: []byte("10.0.0.2")},
		{Kind: tape.KindDialed, Flags: tape.Setup, Conn: conn, Text: []byte("tls:example.com:443"), Data: peer(layer, "10.0.0.1:4000", remote), Arg: 1 << 20},
		{Kind: tape.KindWrite, Flags: tape.Setup, Conn: conn, Data: []byte("GET /ws HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")},
		{Kind: tape.KindRead, Flags: tape.Setup, Conn: conn, Data: []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n")},
		{Kind: tape.KindOutcome, Conn: conn},
		{Kind: tape.KindState, Conn: conn, Arg: 5},
	}
}

func begin() tape.Record {
	return tape.Record{Kind: tape.KindBegin, Flags: tape.Setup, At: 1000, Arg: 1_700_000_000e9, Text: []byte("feed"), Data: make([]byte, 32)}
}

// frame is a read of one WebSocket text frame.
func frame(conn uint32, n int) tape.Record {
	b := append([]byte{0x81, 126, byte(n >> 8), byte(n)}, make([]byte, n)...)
	for i := range n {
		b[4+i] = byte('a' + i%26)
	}
	return tape.Record{Kind: tape.KindRead, Conn: conn, Data: b}
}

// random is any record.
func random(rnd *rand.Rand) tape.Record {
	r := tape.Record{
		Kind: tape.Kind(1 + rnd.IntN(int(tape.KindSecrets))), Flags: tape.Flags(rnd.IntN(8)),
		At: rnd.Int64N(1e12), Turn: rnd.Uint64(), Begin: rnd.Int64(), Parked: rnd.Int64(),
		Conn: uint32(rnd.IntN(4)), Slot: uint32(rnd.IntN(3)), Arg: rnd.Int64() - rnd.Int64(), Arg2: rnd.Int64N(100),
	}
	if rnd.IntN(4) == 0 {
		r.Err = tape.Error{Class: tape.Class(rnd.IntN(15)), Phase: uint8(rnd.IntN(3)), Errno: uint32(rnd.IntN(100)), Text: string(blob(rnd, 20))}
		if rnd.IntN(20) == 0 {
			r.Err.Text = string(blob(rnd, tape.MaxText))
		}
	}
	text, data := 30, 300
	switch rnd.IntN(40) {
	case 0:
		text = tape.MaxText
	case 1:
		data = 200_000
	case 2:
		data = 3 << 20
	}
	r.Text, r.Data = blob(rnd, text), blob(rnd, data)
	if r.Kind == tape.KindDialed && rnd.IntN(2) == 0 {
		r.Data, r.Err = peer(tape.AboveTLS, "10.0.0.1:4000", "10.0.0.2:443"), tape.Error{}
	}
	return r
}

// blob is up to n bytes, nil for none.
func blob(rnd *rand.Rand, n int) []byte {
	n = rnd.IntN(n + 1)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}
