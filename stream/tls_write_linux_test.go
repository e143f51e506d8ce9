package stream

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTLSWriteSeals(t *testing.T) {
	s, _, open := forged(t, ScratchRaw)
	s.client.Lend(NewScratch())
	// The sizes of messages, and the number of records that each becomes.
	for size, records := range map[int]int{1: 1, 200: 1, maxPlaintext: 1, maxPlaintext + 1: 2, 100_000: 7} {
		m := pattern(size, 3)
		n, err := s.client.Write(m)
		require.NoError(t, err)
		require.Equal(t, size, n)
		wire := make([]byte, sealedSize(size, overhead13))
		_, err = io.ReadFull(s.raw, wire)
		require.NoError(t, err)
		var got []byte
		for range records {
			var payload []byte
			_, payload, wire = open.open(wire)
			got = append(got, payload...)
		}
		require.Empty(t, wire, "the bound is exact in TLS 1.3")
		require.True(t, bytes.Equal(m, got))
	}
	n, err := s.client.Write(nil)
	require.Zero(t, n)
	require.NoError(t, err)
}

// counting counts the writes that reach the layer below, and their sizes.
type counting struct {
	*TCP
	sizes []int
}

func (c *counting) Write(p []byte) (int, error) {
	c.sizes = append(c.sizes, len(p))
	return c.TCP.Write(p)
}

func TestTLSWriteIsOneWriteBelow(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			s := handshake(t, version, ScratchRaw, nil, nil, nil)
			below := &counting{TCP: s.lower.TCP}
			s.client.lower = below
			for _, size := range []int{100, 16 << 10, 50_000, 200_000} {
				below.sizes = nil
				done := make(chan error)
				got := make([]byte, size)
				go func() {
					_, err := io.ReadFull(s.server, got)
					done <- err
				}()
				_, err := s.client.Write(pattern(size, 1))
				require.NoError(t, err)
				require.Len(t, below.sizes, 1)
				require.LessOrEqual(t, below.sizes[0], sealedSize(size, s.client.overhead))
				for s.client.Flush() != nil {
					require.NoError(t, s.client.Wait(testCtx(t), true))
				}
				require.NoError(t, <-done)
				require.True(t, bytes.Equal(pattern(size, 1), got))
			}
		})
	}
}

func TestTLSRoomIsExact(t *testing.T) {
	s, _, _ := forgedPipe(t)
	for s.client.Queued() == 0 {
		_, err := s.client.Write(make([]byte, 100_000))
		require.NoError(t, err)
	}
	for s.client.Room() > 0 {
		room := s.client.Room()
		if room > 70_000 {
			room = 70_000
		} else {
			n, err := s.client.Write(make([]byte, room+1))
			require.Zero(t, n)
			require.Equal(t, ErrBackPressured, err)
		}
		_, err := s.client.Write(make([]byte, room))
		require.NoError(t, err)
	}
	require.NoError(t, s.client.werr, "a refusal is no failure")
	_, err := s.client.Write(make([]byte, DefaultQueueBound+1))
	require.Equal(t, ErrTooLarge, err)
	_, err = s.client.WriteControl(make([]byte, 125))
	require.NoError(t, err, "the reserve")
}

func TestSizes(t *testing.T) {
	for _, overhead := range []int{overhead13, maxOverhead} {
		for room := range 3 * (maxPlaintext + maxOverhead) {
			n := plainRoom(room, overhead)
			if n > 0 && sealedSize(n, overhead) > room || sealedSize(n+1, overhead) <= room {
				t.Fatalf("room %d overhead %d: %d", room, overhead, n)
			}
		}
	}
	require.Zero(t, sealedSize(0, overhead13))
	require.Positive(t, plainRoom(Unqueued{}.Room(), maxOverhead), "no overflow")
}

// fussy is a stream of a user's own below TLS, which queues nothing and
// refuses when told so.
type fussy struct {
	Unqueued
	*TCP
	refuse error
	wrote  int
}

func (f *fussy) Flush() error   { return f.Unqueued.Flush() }
func (f *fussy) Queued() int    { return f.Unqueued.Queued() }
func (f *fussy) Room() int      { return f.Unqueued.Room() }
func (f *fussy) Buffered() bool { return f.Unqueued.Buffered() }
func (f *fussy) Write(p []byte) (int, error) {
	if f.refuse != nil {
		return 0, f.refuse
	}
	f.wrote++
	return f.TCP.Write(p)
}
func (f *fussy) WriteControl(p []byte) (int, error) { return f.Write(p) }

// What the layer below refuses after it was sealed is not lost and not
// overtaken.
func TestTLSOverUnqueued(t *testing.T) {
	s, _, open := forged(t, ScratchRaw)
	below := &fussy{TCP: s.lower.TCP, refuse: ErrBackPressured}
	s.client.lower = below
	_, err := s.client.Write([]byte("first"))
	require.NoError(t, err)
	require.Equal(t, sealedSize(5, overhead13), s.client.Queued())
	require.Zero(t, s.client.Room())
	_, err = s.client.Write([]byte("refused"))
	require.Equal(t, ErrBackPressured, err)
	_, err = s.client.WriteControl([]byte("second"))
	require.NoError(t, err)
	_, err = s.client.WriteControl(make([]byte, ControlReserve))
	require.Equal(t, ErrBackPressured, err)
	require.Equal(t, ErrWouldBlock, s.client.Flush())
	below.refuse = nil
	_, err = s.client.Write([]byte("third"))
	require.NoError(t, err)
	require.Zero(t, s.client.Queued())
	require.NoError(t, s.client.Flush())

	wire := make([]byte, sealedSize(5, overhead13)+sealedSize(6, overhead13)+sealedSize(5, overhead13))
	_, err = io.ReadFull(s.raw, wire)
	require.NoError(t, err)
	for _, want := range []string{"first", "second", "third"} {
		var payload []byte
		_, payload, wire = open.open(wire)
		require.Equal(t, want, string(payload))
	}

	below.refuse = ErrWouldBlock
	_, err = s.client.Write(make([]byte, 5000))
	require.NoError(t, err)
	broken := errors.New("broken")
	below.refuse = broken
	_, err = s.client.Write([]byte("x"))
	require.ErrorIs(t, err, broken)
	_, again := s.client.Write([]byte("x"))
	require.Equal(t, err, again)
	require.Equal(t, err, s.client.Flush())
	require.Zero(t, s.client.Room())
}

func TestTLSWriteAfterReset(t *testing.T) {
	s, _, _ := forged(t, ScratchRaw)
	reset(t, s.raw)
	settled(t, s.lower.FD())
	_, err := s.client.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.ECONNRESET)
	_, err = s.client.Read(make([]byte, 1))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestTLSClose(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			s := handshake(t, version, ScratchRaw, nil, nil, nil)
			_, err := s.client.Write([]byte("last words"))
			require.NoError(t, err)
			// Leave nothing unread: the kernel would send a reset for it.
			for _, err := s.client.Read(make([]byte, 10)); err != ErrWouldBlock; {
				require.NoError(t, err)
			}
			require.NoError(t, s.client.Close())
			require.NoError(t, s.client.Close())
			got, err := io.ReadAll(s.server)
			require.NoError(t, err, "close_notify was sent")
			require.Equal(t, "last words", string(got))
			require.Equal(t, -1, s.client.Source().FD)
			require.False(t, s.client.Buffered())
			_, err = s.client.Read(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
			_, err = s.client.Write([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
			_, err = s.client.WriteControl([]byte("x"))
			require.ErrorIs(t, err, net.ErrClosed)
			require.ErrorIs(t, s.client.Flush(), net.ErrClosed)
			require.ErrorIs(t, s.client.Wait(testCtx(t), false), net.ErrClosed)
		})
	}
}

// Close does not wait for a peer that does not read.
func TestTLSCloseUnderBackPressure(t *testing.T) {
	s, _, _ := forgedPipe(t)
	s.fill(t)
	require.NoError(t, s.client.Close())
	require.Positive(t, s.client.Queued())
}

// Sessions are resumed with the tickets that came behind the handshake, cut
// anywhere.
func TestTLSTickets(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			client := &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(1)}
			server := &tls.Config{}
			server.SetSessionTicketKeys([][32]byte{{1}})
			for i := range 2 {
				s := handshake(t, version, 1, client, server, nil)
				require.Equal(t, i == 1, s.client.ConnectionState().DidResume)
				_, err := s.server.Write([]byte("x"))
				require.NoError(t, err)
				_, err = readSome(t, s.client, make([]byte, 1))
				require.NoError(t, err)
			}
		})
	}
}
