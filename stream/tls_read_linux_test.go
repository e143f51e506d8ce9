package stream

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// deliver writes bytes below the server's TLS and waits until the kernel has
// them on the client's side.
func (s *session) deliver(t testing.TB, b []byte) {
	_, err := s.raw.Write(b)
	require.NoError(t, err)
	require.NoError(t, s.lower.Wait(testCtx(t), false))
}

func TestTLSManyRecordsInOneRead(t *testing.T) {
	s, seal, _ := forged(t, ScratchRaw)
	var wire, want []byte
	for i := range 100 {
		m := pattern(100, byte(i))
		wire, want = append(wire, seal.seal(typeData, m, 0)...), append(want, m...)
	}
	s.deliver(t, wire)
	p := make([]byte, 32<<10)
	n, err := s.client.Read(p)
	require.NoError(t, err)
	require.True(t, bytes.Equal(want, p[:n]))
	require.Equal(t, 1, s.lower.reads, "one system call")
	require.False(t, s.client.Buffered())
	_, err = s.client.Read(p)
	require.Equal(t, ErrWouldBlock, err)
}

// What p cannot take is kept, in the stream's own memory: the lent scratch may
// go to another stream in the meantime.
func TestTLSSmallReadBuffer(t *testing.T) {
	for _, size := range []int{1, 50, 99, 100, 116, 117, 118, 150, 1000} {
		s, seal, _ := forged(t, ScratchRaw)
		scratch := NewScratch()
		s.client.Lend(scratch)
		var wire, want []byte
		for i := range 20 {
			m := pattern(100, byte(i))
			wire, want = append(wire, seal.seal(typeData, m, i%3*10)...), append(want, m...)
		}
		last := seal.seal(typeData, []byte("last"), 0)
		s.deliver(t, append(wire, last[:9]...))
		var got []byte
		p := make([]byte, size)
		for more := true; more; more = s.client.Buffered() {
			n, err := s.client.Read(p)
			require.NoError(t, err, "Buffered said so")
			got = append(got, p[:n]...)
			clear(scratch.Raw)
			if s.client.Buffered() {
				require.NoError(t, s.client.Wait(testCtx(t), false))
			}
		}
		require.True(t, bytes.Equal(want, got), "size %d", size)
		require.Equal(t, 1, s.lower.reads)
		_, err := s.client.Read(p)
		require.Equal(t, ErrWouldBlock, err)
		s.deliver(t, last[9:])
		tail := make([]byte, 10)
		n, err := s.client.Read(tail)
		require.NoError(t, err)
		require.Equal(t, "last", string(tail[:n]))
		require.LessOrEqual(t, cap(s.client.in.held), keepHeld)
	}
}

func TestTLSRecordsWithoutData(t *testing.T) {
	s, seal, _ := forged(t, ScratchRaw)
	p := make([]byte, 100)
	// Empty records around data, and padding.
	var wire []byte
	for range 8 {
		wire = append(wire, seal.seal(typeData, nil, 0)...)
	}
	wire = append(wire, seal.seal(typeData, []byte("a"), 300)...)
	wire = append(wire, seal.seal(typeData, nil, 30)...)
	s.deliver(t, wire)
	n, err := s.client.Read(p)
	require.NoError(t, err)
	require.Equal(t, "a", string(p[:n]))
	// An empty record alone is nothing to read, not (0, nil).
	s.deliver(t, seal.seal(typeData, nil, 0))
	n, err = s.client.Read(p)
	require.Zero(t, n)
	require.Equal(t, ErrWouldBlock, err)
	// Too many of them end the connection.
	wire = nil
	for range 40 {
		wire = append(wire, seal.seal(typeData, nil, 0)...)
	}
	s.deliver(t, wire)
	_, err = s.client.Read(p)
	require.ErrorContains(t, err, "too many ignored records")
	_, again := s.client.Read(p)
	require.Equal(t, err, again)
}

func TestTLSKeyUpdate(t *testing.T) {
	for _, max := range []int{1, ScratchRaw} {
		s, seal, open := forged(t, max)
		var wire []byte
		// Plain updates, then one that asks for ours, cut into two records.
		for range 3 {
			wire = append(wire, seal.seal(typeHandshake, keyUpdate, 0)...)
			seal.update()
			wire = append(wire, seal.seal(typeData, []byte("x"), 0)...)
		}
		wire = append(wire, seal.seal(typeHandshake, keyUpdateAnswer[:2], 0)...)
		wire = append(wire, seal.seal(typeHandshake, keyUpdateAnswer[2:], 0)...)
		seal.update()
		wire = append(wire, seal.seal(typeData, []byte("y"), 0)...)
		s.deliver(t, wire)
		p := make([]byte, 100)
		var got []byte
		for len(got) < 4 {
			n, err := readSome(t, s.client, p)
			require.NoError(t, err)
			got = append(got, p[:n]...)
		}
		require.Equal(t, "xxxy", string(got))

		// Our side: the answer under the old keys, data under the new ones.
		_, err := s.client.Write([]byte("after"))
		require.NoError(t, err)
		b := make([]byte, recordHeader+len(keyUpdate)+17+recordHeader+len("after")+17)
		_, err = io.ReadFull(s.raw, b)
		require.NoError(t, err)
		kind, payload, rest := open.open(b)
		require.Equal(t, byte(typeHandshake), kind)
		require.Equal(t, keyUpdate, payload)
		open.update()
		kind, payload, _ = open.open(rest)
		require.Equal(t, byte(typeData), kind)
		require.Equal(t, "after", string(payload))
	}
}

// An answer to a KeyUpdate finds room although the queue and its reserve are
// full, and is sent in its turn.
func TestTLSKeyUpdateUnderBackPressure(t *testing.T) {
	s, seal, open := forgedPipe(t)
	want := s.fill(t)
	for err := error(nil); err == nil; {
		if _, err = s.client.WriteControl([]byte("control")); err == nil {
			want = append(want, "control"...)
		} else {
			require.Equal(t, ErrBackPressured, err)
		}
	}
	require.Zero(t, s.client.Room())

	s.deliver(t, seal.seal(typeHandshake, keyUpdateAnswer, 0))
	seal.update()
	_, err := s.client.Read(make([]byte, 10))
	require.Equal(t, ErrWouldBlock, err)
	_, err = s.client.Write([]byte("x"))
	require.Equal(t, ErrBackPressured, err)
	require.Equal(t, ErrWouldBlock, s.client.Flush())

	var got []byte
	wire, p, updates := []byte(nil), make([]byte, 256<<10), 0
	for len(got) < len(want) || updates == 0 {
		require.NoError(t, ignoreWouldBlock(s.client.Flush()))
		n, err := s.raw.Read(p)
		require.NoError(t, err)
		wire = append(wire, p[:n]...)
		for size := recordSize(wire); size > 0 && size <= len(wire); size = recordSize(wire) {
			var kind byte
			var payload []byte
			kind, payload, wire = open.open(wire)
			if kind == typeHandshake {
				require.Equal(t, keyUpdate, payload)
				open.update()
				updates++
				continue
			}
			got = append(got, payload...)
		}
	}
	require.True(t, bytes.Equal(want, got))
	require.NoError(t, s.client.Flush())
	require.Zero(t, s.client.Queued())
	require.Equal(t, plainRoom(DefaultQueueBound, overhead13), s.client.Room())

	s.deliver(t, seal.seal(typeData, []byte("fine"), 0))
	n, err := s.client.Read(p)
	require.NoError(t, err)
	require.Equal(t, "fine", string(p[:n]))
}

func ignoreWouldBlock(err error) error {
	if err == ErrWouldBlock {
		return nil
	}
	return err
}

// A peer that provokes answers and reads none of them is cut off.
func TestTLSAnswersAreBounded(t *testing.T) {
	s, seal, _ := forgedPipe(t)
	s.fill(t)
	p := make([]byte, 10)
	var err error
	for i := 0; i < 500 && (err == nil || err == ErrWouldBlock); i++ {
		wire := seal.seal(typeHandshake, keyUpdateAnswer, 0)
		seal.update()
		s.deliver(t, append(wire, seal.seal(typeData, []byte("x"), 0)...))
		for err = nil; err == nil; {
			_, err = s.client.Read(p)
		}
	}
	require.ErrorContains(t, err, "answers that the peer does not read")
	require.LessOrEqual(t, len(s.client.owed), 2*ControlReserve)
	_, err = s.client.Write([]byte("x"))
	require.ErrorContains(t, err, "answers that the peer does not read")
}

func TestTLSEnds(t *testing.T) {
	type state struct {
		*session
		seal *halfConn
	}
	end := func(t testing.TB, s state) { require.NoError(t, s.raw.CloseWrite()) }
	for name, c := range map[string]struct {
		peer func(t testing.TB, s state)
		data string
		is   error
		text string
	}{
		"close_notify": {
			peer: func(t testing.TB, s state) { s.deliver(t, s.seal.seal(typeAlert, closeNotify, 0)) },
			is:   io.EOF,
		},
		"data and close_notify and fin": {
			peer: func(t testing.TB, s state) {
				s.deliver(t, append(s.seal.seal(typeData, []byte("bye"), 0), s.seal.seal(typeAlert, closeNotify, 0)...))
				end(t, s)
			},
			data: "bye", is: io.EOF,
		},
		"bare fin": {peer: end, is: io.ErrUnexpectedEOF},
		"data and bare fin": {
			peer: func(t testing.TB, s state) { s.deliver(t, s.seal.seal(typeData, []byte("bye"), 0)); end(t, s) },
			data: "bye", is: io.ErrUnexpectedEOF,
		},
		"fin in a header": {
			peer: func(t testing.TB, s state) { s.deliver(t, s.seal.seal(typeData, []byte("bye"), 0)[:3]); end(t, s) },
			is:   io.ErrUnexpectedEOF,
		},
		"fin in a record": {
			peer: func(t testing.TB, s state) {
				b := append(s.seal.seal(typeData, []byte("bye"), 0), s.seal.seal(typeData, []byte("gone"), 0)...)
				s.deliver(t, b[:len(b)-1])
				end(t, s)
			},
			data: "bye", is: io.ErrUnexpectedEOF,
		},
		"reset": {
			peer: func(t testing.TB, s state) { reset(t, s.raw); settled(t, s.lower.FD()) },
			is:   syscall.ECONNRESET,
		},
		"data and alert": {
			peer: func(t testing.TB, s state) {
				s.deliver(t, append(s.seal.seal(typeData, []byte("bye"), 0), s.seal.seal(typeAlert, []byte{2, 80}, 0)...))
			},
			data: "bye", text: "internal error",
		},
		"flipped byte behind data": {
			peer: func(t testing.TB, s state) {
				b := append(s.seal.seal(typeData, []byte("bye"), 0), s.seal.seal(typeData, []byte("bad"), 0)...)
				b[len(b)-20] ^= 1
				s.deliver(t, b)
			},
			data: "bye", text: "bad record MAC",
		},
		"oversized record": {
			peer: func(t testing.TB, s state) { s.deliver(t, []byte{typeData, 3, 3, 0x48, 0x01}) },
			text: "oversized record received with length 18433",
		},
		"oversized for TLS 1.3": {
			peer: func(t testing.TB, s state) {
				s.deliver(t, append([]byte{typeData, 3, 3, 0x41, 0x01}, make([]byte, 0x4101)...))
			},
			text: "oversized record received with length 16641",
		},
		"empty record body": {
			peer: func(t testing.TB, s state) { s.deliver(t, []byte{typeData, 3, 3, 0, 0}) },
			text: "bad record MAC",
		},
		"unknown type": {
			peer: func(t testing.TB, s state) { s.deliver(t, s.seal.seal(99, []byte("x"), 0)) },
			text: "unexpected message",
		},
		"not TLS at all": {
			peer: func(t testing.TB, s state) { s.deliver(t, []byte("HTTP/1.1 200 OK\r\n")) },
			text: "tls:",
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, max := range []int{1, ScratchRaw} {
				s, seal, _ := forged(t, max)
				c.peer(t, state{s, seal})
				got, err := readAll(t, s.client)
				require.Equal(t, c.data, string(got))
				if c.is != nil {
					require.ErrorIs(t, err, c.is)
				}
				require.ErrorContains(t, err, c.text)
				require.False(t, s.client.Buffered(), "the error was told")
				_, again := s.client.Read(make([]byte, 1))
				require.Equal(t, err, again)
				require.NotErrorIs(t, err, net.ErrClosed)
			}
		})
	}
}

// An error found behind data is announced by Buffered, because the kernel has
// nothing more to say.
func TestTLSErrorBehindDataIsBuffered(t *testing.T) {
	s, seal, _ := forged(t, ScratchRaw)
	s.deliver(t, append(seal.seal(typeData, []byte("bye"), 0), seal.seal(typeAlert, closeNotify, 0)...))
	p := make([]byte, 10)
	n, err := s.client.Read(p[:2])
	require.NoError(t, err)
	require.Equal(t, "by", string(p[:n]))
	for _, want := range []string{"e", ""} {
		require.True(t, s.client.Buffered())
		n, err = s.client.Read(p)
		require.Equal(t, want, string(p[:n]))
	}
	require.Equal(t, io.EOF, err)
	require.False(t, s.client.Buffered())

	// Half-closed: writing still works.
	_, err = s.client.Write([]byte("late"))
	require.NoError(t, err)
}

// Every byte of a stretch of records, flipped, is an error, never other data.
func TestTLSFlippedBytes(t *testing.T) {
	for name, version := range versions {
		t.Run(name, func(t *testing.T) {
			const message = "flip me"
			for i := 0; ; i++ {
				s := handshake(t, version, ScratchRaw, nil, &tls.Config{SessionTicketsDisabled: true}, nil)
				s.tap.hold = true
				_, err := s.server.Write([]byte(message))
				require.NoError(t, err)
				if i >= len(s.tap.wire) {
					break
				}
				s.tap.wire[i] ^= 0x20
				s.deliver(t, s.tap.wire)
				require.NoError(t, s.raw.CloseWrite())
				got, err := readAll(t, s.client)
				require.Empty(t, got, "byte %d", i)
				require.Error(t, err)
				require.NotEqual(t, io.EOF, err)
				require.NoError(t, s.client.Close())
				require.NoError(t, s.raw.Close())
			}
		})
	}
}
