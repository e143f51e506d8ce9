package ws

import (
	"strconv"
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"
)

func TestClaim(t *testing.T) {
	for _, zero := range []bool{false, true} {
		for _, n := range []int{0, 1, 125, 126, 65535, 65536, 300 << 10} {
			s := new(script)
			o := testOptions()
			o.ZeroMask = zero
			c := New(s, o, nil)
			p, err := c.Claim(frame.Binary, n)
			require.NoError(t, err)
			require.Len(t, p, n)
			require.Equal(t, n, cap(p))
			for i := range p {
				p[i] = byte(i)
			}
			want := string(p)
			require.Empty(t, s.out, "nothing is sent before Commit")
			require.NoError(t, c.Commit())
			require.Equal(t, []sentFrame{{frame.Binary, want}}, sent(t, s.out))
			require.Equal(t, 1, s.writes)
			require.EqualValues(t, len(s.out), c.Counters().BytesWritten)
			require.Equal(t, ErrNoClaim, c.Commit(), "once")
		}
	}
}

func TestCommitN(t *testing.T) {
	s := new(script)
	c := New(s, testOptions(), nil)
	p, err := c.Claim(frame.Text, 200)
	require.NoError(t, err)
	require.NoError(t, c.CommitN(len(strconv.AppendInt(append(p[:0], "id="...), 42, 10))))
	p, err = c.Claim(frame.Text, 10)
	require.NoError(t, err)
	require.Len(t, p, 10)
	require.NoError(t, c.CommitN(0))
	require.Equal(t, []sentFrame{{frame.Text, "id=42"}, {frame.Text, ""}}, sent(t, s.out))
	for _, n := range []int{-1, 11} {
		_, err := c.Claim(frame.Text, 10)
		require.NoError(t, err)
		require.ErrorContains(t, c.CommitN(n), "claimed 10")
		require.Equal(t, ErrNoClaim, c.Commit())
	}
}

// Whatever comes between Claim and Commit takes the claim away.
func TestClaimIsLost(t *testing.T) {
	lent := stream.NewScratch()
	newConn := func() *Conn {
		c := New(new(script), testOptions(), nil)
		c.Lend(lent)
		return c
	}
	other := newConn()
	for name, between := range map[string]func(*Conn){
		"a write":                    func(c *Conn) { require.NoError(t, c.WriteText([]byte("x"))) },
		"a fragment":                 func(c *Conn) { require.NoError(t, c.WriteFragment(frame.Text, nil, false)) },
		"another connection's write": func(*Conn) { require.NoError(t, other.WriteText([]byte("x"))) },
		"another connection's claim": func(*Conn) { _, err := other.Claim(frame.Text, 5); require.NoError(t, err) },
		"other memory":               func(c *Conn) { c.Lend(stream.NewScratch()) },
		"a close":                    func(c *Conn) { require.NoError(t, c.Close(frame.CloseNormal, "")) },
		"the end":                    func(c *Conn) { require.NoError(t, c.Discard()) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newConn()
			_, err := c.Claim(frame.Text, 5)
			require.NoError(t, err)
			between(c)
			writes := c.Counters().Writes
			require.Error(t, c.Commit())
			require.Equal(t, writes, c.Counters().Writes)
		})
	}
	c := newConn()
	p, err := c.Claim(frame.Text, 5)
	require.NoError(t, err)
	copy(p, "claim")
	require.NoError(t, c.Ping([]byte("a control frame has its own memory")))
	require.NoError(t, c.Commit())
	require.Equal(t, frame.Text, sent(t, c.s.(*script).out)[1].Op)

	p, err = c.Claim(frame.Text, 5) // given up without a word
	require.NoError(t, err)
	copy(p, "never")
	require.NoError(t, c.WriteText([]byte("other")))
	require.Equal(t, "other", sent(t, c.s.(*script).out)[2].Payload)
}

func TestClaimIsRefused(t *testing.T) {
	c := New(new(script), testOptions(), nil)
	require.Equal(t, ErrNoClaim, c.Commit())
	_, err := c.Claim(frame.Ping, 5)
	require.ErrorContains(t, err, "ping frame")
	_, err = c.Claim(frame.Text, -1)
	require.ErrorContains(t, err, "-1 bytes")
	_, err = c.Claim(frame.Text, 5)
	require.NoError(t, err)
	c.s.(*script).refuse = stream.ErrBackPressured
	require.True(t, c.Commit() == stream.ErrBackPressured)
	require.Equal(t, ErrNoClaim, c.Commit())
	require.NoError(t, c.Err())
	c.s.(*script).refuse = nil
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	_, err = c.Claim(frame.Text, 5)
	require.Equal(t, ErrClosing, err)
	c = nil
	_, err = c.Claim(frame.Text, 5)
	require.Equal(t, ErrNotConnected, err)
	require.Equal(t, ErrNotConnected, c.Commit())
	require.Equal(t, ErrNotConnected, c.WriteFragment(frame.Text, nil, true))
	require.Equal(t, ErrNotConnected, c.WritePrepared(nil))
}

func TestPrepared(t *testing.T) {
	payload := []byte(strings.Repeat("subscribe ", 40))
	p, err := Prepare(frame.Text, payload)
	require.NoError(t, err)
	want := string(payload)
	clear(payload)
	require.Equal(t, want, string(p.Payload()), "it has a copy")
	for _, o := range []*Options{{Rand: fixedRand()}, {ZeroMask: true}, {Rand: fixedRand(), Compression: &Compression{Threshold: 1}}} {
		s := new(script)
		c := New(s, o, nil)
		require.NoError(t, c.WritePrepared(p))
		require.NoError(t, c.WritePrepared(p))
		require.Equal(t, []sentFrame{{frame.Text, want}, {frame.Text, want}}, sent(t, s.out))
		first, _, _ := frame.ParseHeader(s.out)
		second, _, _ := frame.ParseHeader(s.out[len(s.out)/2:])
		require.Equal(t, o.ZeroMask, first.Key == second.Key, "a fresh key for each")
		require.EqualValues(t, 2, c.Counters().Writes)
		s.refuse = stream.ErrBackPressured
		require.True(t, c.WritePrepared(p) == stream.ErrBackPressured)
		s.refuse = nil
		require.NoError(t, c.Close(frame.CloseNormal, ""))
		require.Equal(t, ErrClosing, c.WritePrepared(p))
	}
	_, err = Prepare(frame.Close, nil)
	require.ErrorContains(t, err, "close frame")
}

func TestFragments(t *testing.T) {
	s := &script{reads: [][]byte{ping("between")}}
	c := New(s, testOptions(), nil)
	require.ErrorContains(t, c.WriteFragment(frame.Continuation, nil, true), "continuation frame")
	require.NoError(t, c.WriteFragment(frame.Text, []byte("one"), false))
	require.ErrorContains(t, c.WriteFragment(frame.Binary, nil, true), "binary fragment inside a text message")
	_, err := c.Claim(frame.Text, 1)
	require.Equal(t, ErrFragmented, err)
	require.Equal(t, ErrFragmented, c.WriteText([]byte("no")))
	prepared, err := Prepare(frame.Text, nil)
	require.NoError(t, err)
	require.Equal(t, ErrFragmented, c.WritePrepared(prepared))
	require.NoError(t, c.Ping([]byte("ping")))
	_, _ = c.Fill()
	require.False(t, c.HasNext())
	s.refuse = stream.ErrBackPressured
	require.True(t, c.WriteFragment(frame.Text, []byte("two"), true) == stream.ErrBackPressured)
	s.refuse = nil
	require.NoError(t, c.WriteFragment(frame.Text, []byte("two"), false))
	require.NoError(t, c.WriteFragment(frame.Text, nil, true))
	require.NoError(t, c.WriteBinary([]byte("next")))
	require.NoError(t, c.WriteFragment(frame.Binary, []byte("alone"), true))
	require.NoError(t, c.WriteFragment(frame.Binary, []byte("given up"), false))
	require.NoError(t, c.Close(frame.CloseNormal, ""))
	require.Equal(t, ErrClosing, c.WriteFragment(frame.Binary, nil, true))

	type shape struct {
		fin     bool
		op      frame.Opcode
		payload string
	}
	var got []shape
	for _, f := range sentRaw(t, s.out) {
		got = append(got, shape{f.Fin, f.Opcode, f.payload})
	}
	require.Equal(t, []shape{
		{false, frame.Text, "one"}, {true, frame.Ping, "ping"}, {true, frame.Pong, "between"},
		{false, frame.Continuation, "two"}, {true, frame.Continuation, ""},
		{true, frame.Binary, "next"}, {true, frame.Binary, "alone"}, {false, frame.Binary, "given up"}, {true, frame.Close, "\x03\xe8"},
	}, got)
}

func TestNothingAllocatesForClaimsFragmentsAndPrepared(t *testing.T) {
	for _, zero := range []bool{false, true} {
		s := &script{out: make([]byte, 0, 1<<20)}
		c := New(s, &Options{ZeroMask: zero}, nil)
		prepared, err := Prepare(frame.Text, quotes(300))
		require.NoError(t, err)
		piece := quotes(100)
		require.Zero(t, testing.AllocsPerRun(200, func() {
			s.out = s.out[:0]
			p, err := c.Claim(frame.Text, 200)
			if err != nil {
				panic(err)
			}
			p = strconv.AppendInt(append(p[:0], "id="...), 42, 10)
			if c.CommitN(len(p)) != nil || c.WritePrepared(prepared) != nil ||
				c.WriteFragment(frame.Text, piece, false) != nil || c.WriteFragment(frame.Text, piece, true) != nil {
				panic("refused")
			}
		}))
	}
}
