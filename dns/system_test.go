package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
)

// server runs a name server on a local UDP socket and returns a resolver that
// asks nobody else. reply makes an answer of each query; nil: none is sent.
func server(t *testing.T, reply func(query []byte) []byte) system {
	t.Helper()
	pc, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := pc.ReadFrom(buf)
			if err != nil {
				return
			}
			if msg := reply(buf[:n]); msg != nil {
				if _, err := pc.WriteTo(msg, from); err != nil {
					return
				}
			}
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, pc.Close())
		<-done
	})
	return newSystem(func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", pc.LocalAddr().String())
	})
}

// RFC 1035, section 4.1.1.
const (
	headerLen  = 12
	flagAnswer = 0x8180 // response, recursion desired and available
	codeNoName = 3
)

// respond makes the answer to query: its id and question, the response code and
// the records (RFC 1035, section 4.1).
func respond(query []byte, code uint16, records ...[]byte) []byte {
	end := headerLen
	for query[end] != 0 { // labels, up to the root
		end += 1 + int(query[end])
	}
	end += 5 // the root, type and class
	msg := append([]byte(nil), query[:end]...)
	binary.BigEndian.PutUint16(msg[2:], flagAnswer|code)
	binary.BigEndian.PutUint16(msg[4:], 1) // questions
	binary.BigEndian.PutUint16(msg[6:], uint16(len(records)))
	binary.BigEndian.PutUint32(msg[8:], 0) // no authority, nothing additional
	for _, r := range records {
		msg = append(msg, r...)
	}
	return msg
}

// questionType is the type that query asks for: 1 is A, 28 is AAAA.
func questionType(query []byte) uint16 {
	end := headerLen
	for query[end] != 0 {
		end += 1 + int(query[end])
	}
	return binary.BigEndian.Uint16(query[end+1:])
}

// record is a resource record for the name of the question (a pointer to it).
func record(kind uint16, data []byte) []byte {
	r := []byte{0xc0, headerLen}
	r = binary.BigEndian.AppendUint16(r, kind)
	r = binary.BigEndian.AppendUint16(r, 1)  // class IN
	r = binary.BigEndian.AppendUint32(r, 60) // seconds to live
	r = binary.BigEndian.AppendUint16(r, uint16(len(data)))
	return append(r, data...)
}

func TestSystemAnswers(t *testing.T) {
	r := server(t, func(query []byte) []byte {
		if questionType(query) == 1 {
			return respond(query, 0, record(1, []byte{192, 0, 2, 2}), record(1, []byte{192, 0, 2, 1}))
		}
		return respond(query, 0)
	})
	for _, network := range []string{"ip", "ip4"} {
		got, err := r.LookupNetIP(t.Context(), network, "feed.example.com.")
		require.NoError(t, err, network)
		require.ElementsMatch(t, addrs("192.0.2.2", "192.0.2.1"), got, "unmapped")
	}
	_, err := r.LookupNetIP(t.Context(), "ip6", "feed.example.com.")
	requireNotFound(t, err, "feed.example.com.")
}

func TestSystemNoSuchName(t *testing.T) {
	r := server(t, func(query []byte) []byte { return respond(query, codeNoName) })
	_, err := r.LookupNetIP(t.Context(), "ip", "dead.example.com.")
	requireNotFound(t, err, "dead.example.com.")
}

func TestSystemSilentServer(t *testing.T) {
	asked := make(chan struct{}, 1)
	r := server(t, func([]byte) []byte {
		select {
		case asked <- struct{}{}:
		default:
		}
		return nil
	})

	t.Run("deadline", func(t *testing.T) {
		leak.Check(t) // the query itself must be gone, too
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := r.LookupNetIP(ctx, "ip", "silent.example.com.")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		require.True(t, dns.IsTimeout)
	})
	t.Run("cancelled", func(t *testing.T) {
		leak.Check(t)
		select { // a query of the run above may have come late
		case <-asked:
		default:
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		_, err := r.LookupNetIP(ctx, "ip", "silent2.example.com.")
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestSystemUnreachableServer(t *testing.T) {
	refused := errors.New("refused")
	r := newSystem(func(context.Context, string, string) (net.Conn, error) { return nil, refused })
	_, err := r.LookupNetIP(t.Context(), "ip", "feed.example.com.")
	require.ErrorContains(t, err, "refused")
}

func TestSystemIsReady(t *testing.T) {
	got, err := System.LookupNetIP(t.Context(), "ip", "127.0.0.1")
	require.NoError(t, err)
	require.Equal(t, addrs("127.0.0.1"), got)
}
