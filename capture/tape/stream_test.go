package tape

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// scripted is a stream that answers as the test says.
type scripted struct {
	stream.Unqueued
	read     func(p []byte) (int, error)
	writeErr error
	flushErr error
	waitErr  error
	queued   int
	buffered bool
	calls    []string
	stamp    stream.Stamp
	stamps   stream.Timestamps
	lent     *stream.Scratch
}

func (s *scripted) Read(p []byte) (int, error) {
	if s.read == nil {
		return 0, stream.ErrWouldBlock
	}
	return s.read(p)
}

func (s *scripted) Write(p []byte) (int, error) {
	if s.writeErr != nil {
		return 0, s.writeErr
	}
	return len(p), nil
}

func (s *scripted) note(call string) error {
	s.calls = append(s.calls, call)
	return nil
}

func (s *scripted) WriteControl(p []byte) (int, error) { return s.Write(p) }
func (s *scripted) Flush() error                       { return s.flushErr }
func (s *scripted) Queued() int                        { return s.queued }
func (s *scripted) Room() int                          { return 1000 - s.queued }
func (s *scripted) Buffered() bool                     { return s.buffered }
func (s *scripted) Source() stream.Source              { return stream.Source{FD: 77} }
func (s *scripted) Close() error                       { return s.note("close") }
func (s *scripted) Wait(context.Context, bool) error   { return errors.Join(s.note("wait"), s.waitErr) }
func (s *scripted) Detach() error                      { return s.note("detach") }
func (s *scripted) Unwatch() error                     { return s.note("unwatch") }
func (s *scripted) Lend(l *stream.Scratch)             { s.lent = l }
func (s *scripted) LocalAddr() netip.AddrPort          { return netip.MustParseAddrPort("10.0.0.1:1000") }
func (s *scripted) RemoteAddr() netip.AddrPort         { return netip.MustParseAddrPort("10.0.0.2:443") }
func (s *scripted) Timestamps() stream.Timestamps      { return s.stamps }
func (s *scripted) Stamp() stream.Stamp                { return s.stamp }

// securedStream speaks TLS, too.
type securedStream struct{ *scripted }

func (securedStream) ConnectionState() tls.ConnectionState {
	return tls.ConnectionState{Version: tls.VersionTLS13, CipherSuite: 7, NegotiatedProtocol: "h9", ServerName: "name", DidResume: true}
}

// bareStream is a stream and nothing else.
type bareStream struct{ stream.Stream }

// rig is a recorder under a manual clock, and a connection.
type rig struct {
	rec   *Recorder
	clock *clock.Manual
	c     *Conn
}

func newRig(t testing.TB, cfg Config, user endpoint.Seams) *rig {
	g := &rig{rec: newRecorder(t, cfg), clock: clock.NewManual(1000)}
	_, err := g.rec.Use("rig", g.clock, nil)
	require.NoError(t, err)
	g.rec.Turn(g.clock.Now())
	g.c = g.rec.Connect(5, "name", 3, 1, user)
	require.Len(t, drain(g.rec), 2)
	return g
}

// take are the records since the last time, without what all of them have.
func (g *rig) take(t testing.TB) Memory {
	m := drain(g.rec)
	for i := range m {
		require.EqualValues(t, 1, m[i].Conn)
		require.EqualValues(t, 5, m[i].Slot)
		m[i].Conn, m[i].Slot, m[i].Seq, m[i].Turn, m[i].Begin = 0, 0, 0, 0, 0
		m[i].Flags &^= Setup
		if len(m[i].Data) == 0 {
			m[i].Data = nil
		}
		if len(m[i].Text) == 0 {
			m[i].Text = nil
		}
	}
	return m
}

// A recorded stream is what the stream below is.
func TestARecordedStreamHandsOnWhatTheStreamIs(t *testing.T) {
	g := newRig(t, Config{}, endpoint.Seams{})
	s := &scripted{stamps: stream.TimestampsSoftware, stamp: stream.Stamp{Software: 1, Hardware: 2}, queued: 3, buffered: true}
	w := g.c.wrap(s)
	require.Equal(t, 77, w.Source().FD)
	require.Equal(t, []int{3, 997}, []int{w.Queued(), w.Room()})
	require.True(t, w.Buffered())
	require.NoError(t, w.(stream.Waiter).Wait(context.Background(), true))
	require.NoError(t, w.(stream.Detacher).Detach())
	require.NoError(t, w.(stream.Unwatcher).Unwatch())
	require.NoError(t, w.Close())
	require.Equal(t, []string{"wait", "detach", "unwatch", "close"}, s.calls)
	scratch := stream.NewScratch()
	w.(stream.Borrower).Lend(scratch)
	require.Same(t, scratch, s.lent)
	require.Equal(t, "10.0.0.1:1000", w.(stream.Addressed).LocalAddr().String())
	require.Equal(t, "10.0.0.2:443", w.(stream.Addressed).RemoteAddr().String())
	require.Equal(t, stream.TimestampsSoftware, w.(stream.Stamped).Timestamps())
	require.Equal(t, stream.Stamp{Software: 1, Hardware: 2}, w.(stream.Stamped).Stamp())
	_, secured := w.(stream.Secured)
	require.False(t, secured)
	w = g.c.wrap(securedStream{s})
	require.EqualValues(t, 7, w.(stream.Secured).ConnectionState().CipherSuite)
	require.Equal(t, "10.0.0.2:443", w.(stream.Addressed).RemoteAddr().String())
}

// A stream that is nothing but a stream is none of the others to any effect.
func TestARecordedStreamIsNoMoreThanTheStream(t *testing.T) {
	g := newRig(t, Config{}, endpoint.Seams{})
	w := g.c.wrap(bareStream{&scripted{}})
	require.NoError(t, w.(stream.Detacher).Detach())
	require.NoError(t, w.(stream.Unwatcher).Unwatch())
	w.(stream.Borrower).Lend(stream.NewScratch())
	require.False(t, w.(stream.Addressed).LocalAddr().IsValid())
	require.False(t, w.(stream.Addressed).RemoteAddr().IsValid())
	require.Equal(t, stream.TimestampsOff, w.(stream.Stamped).Timestamps())
	require.Equal(t, stream.Stamp{}, w.(stream.Stamped).Stamp())
	_, secured := w.(stream.Secured)
	require.False(t, secured)
	require.NoError(t, w.(stream.Waiter).Wait(context.Background(), false), "a nap")
	gone := errors.New("gone")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(gone)
	require.ErrorIs(t, w.(stream.Waiter).Wait(ctx, false), gone)
	m := g.take(t)
	require.Equal(t, Memory{{Kind: KindWait, At: 1000, Err: Error{Class: Other, Text: "gone"}}}, m)
}

// Reads: bytes, what is queued and buffered then, kernel stamps, errors; nothing when
// there was nothing.
func TestReadsAreRecorded(t *testing.T) {
	for _, attached := range []bool{false, true} {
		g := newRig(t, Config{}, endpoint.Seams{})
		s := &scripted{stamps: stream.TimestampsHardware}
		if attached {
			g.c.Attach()
		}
		w := g.c.wrap(s)
		buf := make([]byte, 100)
		n, err := w.Read(buf)
		require.Equal(t, []any{0, stream.ErrWouldBlock}, []any{n, err})
		require.Empty(t, g.take(t))

		s.read = func(p []byte) (int, error) { return copy(p, "some bytes"), nil }
		s.buffered, s.queued, s.stamp = true, 9, stream.Stamp{Software: 1 << 60, Hardware: -5}
		g.clock.Advance(10)
		n, err = w.Read(buf)
		require.Equal(t, []any{10, nil}, []any{n, err})
		s.buffered, s.queued, s.stamp = false, 0, stream.Stamp{}
		n, err = w.Read(buf[:4])
		require.Equal(t, []any{4, nil}, []any{n, err})
		s.read = func(p []byte) (int, error) { return 0, io.EOF }
		for range 2 {
			n, err = w.Read(buf)
			require.Equal(t, []any{0, io.EOF}, []any{n, err})
		}
		s.read = func(p []byte) (int, error) { return copy(p, "last"), io.ErrUnexpectedEOF } // as io.Reader allows
		n, err = w.Read(buf)
		require.Equal(t, []any{4, io.ErrUnexpectedEOF}, []any{n, err})
		hardware := int64(-5)
		stamp := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 1<<60), uint64(hardware))
		require.Equal(t, Memory{
			{Kind: KindRead, Flags: Buffered, At: 1010, Arg: 9, Data: []byte("some bytes"), Text: stamp},
			{Kind: KindRead, At: 1010, Data: []byte("some"), Text: make([]byte, stampSize)},
			{Kind: KindRead, At: 1010, Err: Error{Class: EOF}},
			{Kind: KindRead, At: 1010, Err: Error{Class: EOF}},
			{Kind: KindRead, At: 1010, Data: []byte("last"), Text: make([]byte, stampSize), Err: Error{Class: UnexpectedEOF}},
		}, g.take(t))
	}
}

// Writes: what was accepted, or how much was not and why; flushes of what was queued
// and those that failed.
func TestWritesAndFlushesAreRecorded(t *testing.T) {
	g := newRig(t, Config{}, endpoint.Seams{})
	s := &scripted{}
	g.c.Attach()
	w := g.c.wrap(s)
	_, err := w.Write([]byte("hello"))
	require.NoError(t, err)
	s.queued = 4
	_, err = w.WriteControl([]byte("pong"))
	require.NoError(t, err)
	s.writeErr = stream.ErrBackPressured
	n, err := w.Write([]byte("refused"))
	require.Equal(t, []any{0, stream.ErrBackPressured}, []any{n, err})
	s.flushErr = stream.ErrWouldBlock
	require.Equal(t, stream.ErrWouldBlock, w.Flush())
	s.flushErr, s.queued = nil, 0
	require.NoError(t, w.Flush()) // nothing was queued: no record
	s.flushErr = io.ErrClosedPipe
	require.Equal(t, io.ErrClosedPipe, w.Flush())
	g.clock.Advance(1)
	require.NoError(t, w.Close())
	require.Equal(t, Memory{
		{Kind: KindWrite, At: 1000, Data: []byte("hello")},
		{Kind: KindControl, At: 1000, Data: []byte("pong"), Arg: 4},
		{Kind: KindWrite, At: 1000, Arg: 4, Arg2: 7, Err: Error{Class: BackPressured}},
		{Kind: KindFlush, At: 1000, Arg: 4, Err: Error{Class: WouldBlock}},
		{Kind: KindFlush, At: 1000, Err: Error{Class: Other, Text: io.ErrClosedPipe.Error()}},
		{Kind: KindClose, At: 1001},
	}, g.take(t))
}

// TLS may answer something in a read that brings no data: what is queued then is
// recorded, as nothing else tells of it.
func TestAnAnswerQueuedByAReadIsRecorded(t *testing.T) {
	g := newRig(t, Config{}, endpoint.Seams{})
	s := &scripted{}
	g.c.Attach()
	w := g.c.wrap(securedStream{s})
	answer := func(queued int) {
		s.queued = queued
		_, err := w.Read(make([]byte, 10))
		require.Equal(t, stream.ErrWouldBlock, err)
	}
	answer(0)
	answer(24)
	answer(24)
	answer(0)
	require.Equal(t, Memory{
		{Kind: KindRead, At: 1000, Arg: 24, Err: Error{Class: WouldBlock}},
		{Kind: KindRead, At: 1000, Err: Error{Class: WouldBlock}},
	}, g.take(t))
}

// What is longer than a record can be is read in parts, and written in one call and
// recorded in parts.
func TestMessagesLongerThanARecord(t *testing.T) {
	g := newRig(t, Config{}, endpoint.Seams{})
	most := g.rec.fullMessage()
	require.Equal(t, MinRing/8-HeaderSize-stampSize, most)
	rng := rand.New(rand.NewPCG(1, 1))
	long := make([]byte, 2*most+10)
	for i := range long {
		long[i] = byte(rng.Uint32())
	}
	s := &scripted{stamps: stream.TimestampsSoftware}
	left := long
	s.read = func(p []byte) (int, error) {
		n := copy(p, left)
		left = left[n:]
		return n, nil
	}
	g.c.Attach()
	w := g.c.wrap(s)
	var got, recorded []byte
	buf := make([]byte, len(long))
	for len(got) < len(long) {
		n, err := w.Read(buf)
		require.NoError(t, err)
		require.LessOrEqual(t, n, most)
		got = append(got, buf[:n]...)
	}
	require.True(t, slices.Equal(long, got))
	m := g.take(t)
	require.Len(t, m, 3)
	for _, rec := range m {
		recorded = append(recorded, rec.Data...)
	}
	require.True(t, slices.Equal(long, recorded))

	for _, size := range []int{0, 1, most - 1, most, most + 1, 2 * most, len(long)} {
		n, err := w.Write(long[:size])
		require.NoError(t, err)
		require.Equal(t, size, n)
		m := g.take(t)
		require.Len(t, m, max(1, (size+most-1)/most), "%d bytes", size)
		recorded = nil
		for i := range m {
			require.Equal(t, i < len(m)-1, m[i].Flags&More != 0)
			recorded = append(recorded, m[i].Data...)
		}
		require.True(t, slices.Equal(long[:size], recorded))
	}
	require.Zero(t, g.rec.Lost())
}

// After a read the connection's clock says when that was, once, and at no cost. It
// does not when something else has happened since: then it would be late.
func TestTheClockSaysWhenTheReadWas(t *testing.T) {
	bytes := func(p []byte) (int, error) { return copy(p, "x"), nil }
	for name, c := range map[string]struct {
		attached bool
		then     func(g *rig, s *scripted, w stream.Stream)
		late     bool
	}{
		"at once":                   {true, func(*rig, *scripted, stream.Stream) {}, false},
		"set-up, at once":           {false, func(*rig, *scripted, stream.Stream) {}, false},
		"questions":                 {true, func(_ *rig, _ *scripted, w stream.Stream) { w.Queued(); w.Room(); w.Buffered(); w.Source() }, false},
		"nothing to flush":          {true, func(_ *rig, _ *scripted, w stream.Stream) { _ = w.Flush() }, false},
		"another turn":              {true, func(g *rig, _ *scripted, _ stream.Stream) { g.rec.Turn(0) }, true},
		"a write":                   {true, func(_ *rig, _ *scripted, w stream.Stream) { _, _ = w.Write(nil) }, true},
		"a read that finds nothing": {true, func(_ *rig, s *scripted, w stream.Stream) { s.read = nil; _, _ = w.Read(make([]byte, 1)) }, true},
		"a wait":                    {false, func(_ *rig, _ *scripted, w stream.Stream) { _ = w.(stream.Waiter).Wait(context.Background(), false) }, true},
		"the take-over":             {false, func(g *rig, _ *scripted, _ stream.Stream) { g.c.Attach() }, true},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, Config{}, endpoint.Seams{})
			s := &scripted{read: bytes}
			if c.attached {
				g.c.Attach()
			}
			w := g.c.wrap(s)
			g.clock.Advance(5)
			_, err := w.Read(make([]byte, 1))
			require.NoError(t, err)
			g.clock.Advance(5)
			c.then(g, s, w)
			g.take(t)
			first, second := g.c.Now(), g.c.Now()
			require.EqualValues(t, 1010, second)
			if c.late {
				require.EqualValues(t, 1010, first)
				require.Equal(t, Memory{{Kind: KindClock, At: 1010, Arg: 1010, Arg2: 1005}, {Kind: KindClock, At: 1010, Arg: 1010}}, g.take(t))
			} else {
				require.EqualValues(t, 1005, first)
				require.Equal(t, Memory{{Kind: KindClock, At: 1010, Arg: 1010}}, g.take(t))
			}
		})
	}
}

// Phases, names, addresses, TLS parameters, seeds and what went wrong.
func TestASetupIsRecorded(t *testing.T) {
	s := &scripted{}
	refused := &stream.DialError{Phase: stream.Connecting, Target: "tcp://down:1", Err: io.ErrUnexpectedEOF}
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("fe80::1%eth0")}
	noName := errors.New("no such host")
	answer, answerErr := addrs, error(nil)
	user := endpoint.Seams{
		Resolver: lookup(func() ([]netip.Addr, error) { return answer, answerErr }),
		Rand:     func() rand.Source { return rand.NewPCG(1, 2) },
	}
	user.Dial = func(ctx context.Context, target string, o *stream.Options) (stream.Stream, error) {
		if _, err := o.Resolver.LookupNetIP(ctx, "ip", "host"); err != nil {
			return nil, err
		}
		switch target {
		case "tcp://down:1":
			return nil, refused
		case "tls://host:443":
			return securedStream{s}, nil
		}
		return s, nil
	}
	g := newRig(t, Config{}, user)
	seams := g.c.Seams()
	require.Same(t, g.c, seams.Clock)
	g.c.Enter(endpoint.Resolving)
	w, err := seams.Dial(context.Background(), "tcp://host:80", nil)
	require.NoError(t, err)
	require.Same(t, s, w.(*recorded).Stream.(*scripted))
	_, err = seams.Dial(context.Background(), "tls://host:443", nil)
	require.NoError(t, err)
	_, err = seams.Dial(context.Background(), "tcp://down:1", nil)
	require.Same(t, refused, err)
	answer, answerErr = nil, noName
	_, err = seams.Dial(context.Background(), "tcp://host:80", nil)
	require.Same(t, noName, err)

	source := seams.Rand()
	m := g.take(t)
	require.Equal(t, []Kind{KindEnter, KindResolve, KindDialed, KindResolve, KindDialed, KindResolve, KindDialed, KindResolve, KindDialed, KindSeed}, kindsOf(m))
	require.EqualValues(t, endpoint.Resolving, m[0].Arg)
	require.Equal(t, "host", string(m[1].Text))
	require.Equal(t, "10.0.0.2 fe80::1%eth0", string(m[1].Data))
	require.Equal(t, Error{Class: Other, Text: "no such host"}, m[7].Err)
	require.Equal(t, "tcp://host:80", string(m[2].Text))
	require.EqualValues(t, 1000, m[2].Arg)
	var peer Peer
	require.NoError(t, json.Unmarshal(m[2].Data, &peer))
	require.Equal(t, Peer{Layer: Plain, Local: s.LocalAddr(), Remote: s.RemoteAddr()}, peer)
	peer = Peer{}
	require.NoError(t, json.Unmarshal(m[4].Data, &peer))
	require.Equal(t, Peer{Layer: AboveTLS, Local: s.LocalAddr(), Remote: s.RemoteAddr(),
		Version: tls.VersionTLS13, Suite: 7, Resumed: true, ALPN: "h9", ServerName: "name"}, peer)
	require.Equal(t, Error{Class: UnexpectedEOF, Phase: uint8(stream.Connecting), Text: refused.Error()}, m[6].Err)
	require.Empty(t, m[6].Data)

	again := newSeeded([32]byte(m[9].Data))
	for range 10 {
		require.Equal(t, again.Uint64(), source.Uint64())
	}
}

// Below TLS it is the stream under it that is recorded, inside the user's own Wrap;
// where a dialer of the user's knows nothing of Wrap it is the one it made.
func TestBelowTLSItIsTheStreamUnderIt(t *testing.T) {
	lower := &scripted{}
	var order []string
	wraps := true
	user := endpoint.Seams{Dial: func(_ context.Context, target string, o *stream.Options) (stream.Stream, error) {
		if !wraps || o.Wrap == nil {
			return securedStream{lower}, nil
		}
		if o.TLS != nil && o.TLS.KeyLogWriter != nil {
			_, _ = o.TLS.KeyLogWriter.Write([]byte("CLIENT_RANDOM 00 00\n"))
		}
		s, err := o.Wrap(lower)
		if err != nil {
			return nil, err
		}
		order = append(order, "dialled")
		_, _ = s.Write([]byte("client hello"))
		return s, nil
	}}
	g := newRig(t, Config{BelowTLS: true, Secrets: true}, user)
	var log keyLines
	config := &tls.Config{KeyLogWriter: &log}
	o := &stream.Options{TLS: config, Wrap: func(s stream.Stream) (stream.Stream, error) {
		order = append(order, "user")
		return s, nil
	}}
	wrapOf := func() Peer {
		m := g.take(t)
		for i := range m {
			if m[i].Kind == KindDialed {
				var p Peer
				require.NoError(t, json.Unmarshal(m[i].Data, &p))
				return p
			}
		}
		t.Fatal("no Dialed")
		return Peer{}
	}
	_, err := g.c.Seams().Dial(context.Background(), "tls://host:443", o)
	require.NoError(t, err)
	m := drain(g.rec)
	require.Equal(t, []Kind{KindSecrets, KindDialed, KindWrite}, kindsOf(m))
	require.Equal(t, "CLIENT_RANDOM 00 00\n", string(m[0].Data))
	require.Equal(t, "CLIENT_RANDOM 00 00\n", string(log), "the user's own log goes on")
	require.Contains(t, string(m[1].Data), BelowTLS)
	require.Equal(t, "client hello", string(m[2].Data))
	require.Equal(t, []string{"user", "dialled"}, order)
	require.Same(t, config.KeyLogWriter, &log, "the caller's config is left alone")

	wraps = false
	s, err := g.c.Seams().Dial(context.Background(), "tls://host:443", nil)
	require.NoError(t, err)
	require.IsType(t, &recordedTLS{}, s)
	require.Equal(t, AboveTLS, wrapOf().Layer)

	wraps = true
	bad := errors.New("wrap refuses")
	_, err = g.c.Seams().Dial(context.Background(), "tls://host:443", &stream.Options{Wrap: func(stream.Stream) (stream.Stream, error) { return nil, bad }})
	require.ErrorIs(t, err, bad)
	m = g.take(t)
	require.Equal(t, []Kind{KindSecrets, KindDialed}, kindsOf(m))
	require.Equal(t, "wrap refuses", m[1].Err.Text)
}

// lookup is a resolver.
type lookup func() ([]netip.Addr, error)

func (f lookup) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return f() }

type keyLines []byte

func (k *keyLines) Write(p []byte) (int, error) {
	*k = append(*k, p...)
	return len(p), nil
}

// From the take-over to the end a connection's records are in the ring, before and
// behind that they are not: two goroutines never write to one place.
func TestAConnectionRecordsWhereItIs(t *testing.T) {
	g := newRig(t, Config{}, endpoint.Seams{})
	w := g.c.wrap(&scripted{})
	step := func() Flags {
		_, _ = w.Write([]byte("x"))
		m := drain(g.rec)
		require.Len(t, m, 1)
		require.Equal(t, m[0].Flags&Setup == 0, m[0].Turn == 1, "a set-up is in no turn")
		return m[0].Flags
	}
	require.Equal(t, Setup, step())
	g.c.Attach()
	require.Zero(t, step())
	g.c.Detach()
	require.Equal(t, Setup, step())
}

// Streams without a reactor go through the same.
func TestBare(t *testing.T) {
	rec := newRecorder(t, Config{})
	bare, err := rec.Bare("poller")
	require.NoError(t, err)
	_, err = rec.Bare("poller")
	require.ErrorIs(t, err, ErrInUse)
	s := &scripted{read: func(p []byte) (int, error) { return copy(p, "data"), nil }}
	user := endpoint.Seams{Dial: func(context.Context, string, *stream.Options) (stream.Stream, error) { return s, nil }}
	var ends []stream.Stream
	for range 2 {
		w, err := bare.Connection("quotes", user).Seams().Dial(context.Background(), "tcp://host:1", nil)
		require.NoError(t, err)
		ends = append(ends, w)
	}
	for _, w := range ends {
		n, err := w.Read(make([]byte, 10))
		require.Equal(t, []any{4, nil}, []any{n, err})
	}
	before := time.Now()
	bare.End()
	require.Less(t, time.Since(before), time.Minute)
	m := drain(rec)
	inOrder(t, m, 1)
	require.Equal(t, []Kind{KindBegin, KindConnect, KindDialed, KindConnect, KindDialed, KindRead, KindRead, KindEnd}, kindsOf(m))
	require.Equal(t, []uint32{1, 2, 1, 2}, []uint32{m[1].Conn, m[3].Conn, m[5].Conn, m[6].Conn})
	require.Equal(t, "quotes", string(m[3].Text))
	require.True(t, rec.Ended())
}
