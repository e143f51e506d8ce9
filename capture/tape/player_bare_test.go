package tape

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// A stream without a reactor is played read by read, each followed by one that would
// block, and says when the recording has ended; a write that differs is told of.
func TestABareStreamIsPlayed(t *testing.T) {
	peer, err := json.Marshal(Peer{Layer: Plain})
	require.NoError(t, err)
	m := Memory{
		{Kind: KindBegin, Flags: Setup, At: 1, Text: []byte("poller"), Data: make([]byte, 32)},
		{Kind: KindConnect, Flags: Setup, At: 1, Conn: 1, Text: []byte("quotes")},
		{Kind: KindDialed, Flags: Setup, At: 2, Conn: 1, Text: []byte("tcp://x:1"), Data: peer, Arg: 1000},
		{Kind: KindWrite, Flags: Setup, At: 3, Conn: 1, Data: []byte("hello"), Arg: 5},
		{Kind: KindRead, Flags: Setup, At: 4, Conn: 1, Data: []byte("world")},
		{Kind: KindRead, Flags: Setup, At: 9, Conn: 1, Data: []byte("!")},
	}
	p, err := NewPlayer(m, PlayConfig{})
	require.NoError(t, err)
	_, err = p.Bare("others", endpoint.Seams{})
	require.Error(t, err)

	p, err = NewPlayer(m, PlayConfig{})
	require.NoError(t, err)
	c, err := p.Bare("quotes", endpoint.Seams{})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	s, err := c.Seams().Dial(ctx, "tcp://x:1", nil)
	require.NoError(t, err)
	n, err := s.Write([]byte("hullo"))
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Equal(t, 5, s.Queued())
	require.Equal(t, 995, s.Room())
	first, total := p.Divergences()
	require.Equal(t, 1, total)
	require.Equal(t, 1, first[0].Offset)
	require.Equal(t, "hello", string(first[0].Want))
	require.Equal(t, "hullo", string(first[0].Got))

	b := make([]byte, 3)
	var got []byte
	for at := []int64{4, 4, 9}; ; {
		n, err := s.Read(b)
		if errors.Is(err, stream.ErrWouldBlock) {
			continue
		}
		if err != nil {
			require.ErrorIs(t, err, ErrEnd)
			break
		}
		got = append(got, b[:n]...)
		require.Equal(t, at[0], c.Now())
		at = at[1:]
	}
	require.Equal(t, "world!", string(got))
}
