package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/boomnet-go/boomnet/internal/leak"
)

const feed = "feed.example."

var good = has(feed, 60, "192.0.2.1")

// raw is the answer to query with its counts set and records behind the question.
func raw(query []byte, answers uint16, rest ...byte) []byte {
	msg := reply(query)
	binary.BigEndian.PutUint16(msg[6:], answers)
	return append(msg, rest...)
}

// rawA is the head of an A record whose name is to stand before it.
func rawA(length uint16, data ...byte) []byte {
	b := []byte{0, 1, 0, 1, 0, 0, 0, 60}
	return append(binary.BigEndian.AppendUint16(b, length), data...)
}

// What else comes in is not seen: the wait goes on, and the answer counts.
func TestStraysAreNotSeen(t *testing.T) {
	for what, stray := range map[string]func(query []byte) []byte{
		"wrong id":   func(q []byte) []byte { m := reply(q, has(feed, 60, "203.0.113.66")); m[0] ^= 1; return m },
		"wrong name": func(q []byte) []byte { return reply(renamed(q), has(feed, 60, "203.0.113.66")) },
		"wrong type": func(q []byte) []byte {
			return reply(q, func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeMX })
		},
		"wrong class": func(q []byte) []byte {
			return reply(q, func(m *dnsmessage.Message) { m.Questions[0].Class = dnsmessage.ClassCHAOS })
		},
		"no question": func(q []byte) []byte {
			return reply(q, has(feed, 60, "203.0.113.66"), func(m *dnsmessage.Message) { m.Questions = nil })
		},
		"two questions": func(q []byte) []byte {
			return reply(q, func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) })
		},
		"the query back": func(q []byte) []byte { return q },
		"another opcode": func(q []byte) []byte { return reply(q, func(m *dnsmessage.Message) { m.OpCode = 4 }) },
		"nothing":        func([]byte) []byte { return []byte{} },
		"half a header":  func(q []byte) []byte { return reply(q)[:7] },
		"a bare header":  func(q []byte) []byte { return reply(q, func(m *dnsmessage.Message) { m.Questions = nil }) },
		"forged truncate": func(q []byte) []byte {
			m := reply(q, func(m *dnsmessage.Message) { m.Truncated = true })
			m[1] ^= 1
			return m
		},
	} {
		t.Run(what, func(t *testing.T) {
			f := &fakeServer{udp: func(query []byte, send func([]byte)) {
				send(stray(query))
				send(stray(query))
				send(reply(query, good))
			}}
			got, err := stubOf(t, []netip.AddrPort{f.start(t)}).LookupNetIP(t.Context(), "ip4", feed)
			require.NoError(t, err)
			require.Equal(t, addrs("192.0.2.1"), got)
			require.Len(t, f.asked(), 1)
		})
	}
}

// renamed is query for another name of the same length.
func renamed(query []byte) []byte {
	return []byte(strings.Replace(string(query), "feed", "need", 1))
}

// An answer from another address does not get through the kernel.
func TestAnotherSource(t *testing.T) {
	other, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer other.Close()
	f := new(fakeServer)
	var to net.Addr
	f.udp = func(query []byte, send func([]byte)) {
		_, err := other.WriteTo(reply(query, has(feed, 60, "203.0.113.66")), to)
		if err == nil {
			send(reply(query, good))
		}
	}
	// The fake does not tell the port of its client: a server in front of it does.
	front, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		n, from, err := front.ReadFrom(buf)
		if err == nil {
			to = from
			f.udp(buf[:n], func(msg []byte) { _, _ = front.WriteTo(msg, from) })
		}
	}()
	got, err := stubOf(t, []netip.AddrPort{netip.MustParseAddrPort(front.LocalAddr().String())}).LookupNetIP(t.Context(), "ip4", feed)
	require.NoError(t, front.Close())
	<-done
	require.NoError(t, err)
	require.Equal(t, addrs("192.0.2.1"), got)
}

// Whoever goes on guessing makes the query go where it cannot be guessed into.
func TestManyStraysLeadToTCP(t *testing.T) {
	f := always(good)
	f.udp = func(query []byte, send func([]byte)) {
		for range maxStrays {
			m := reply(query, has(feed, 60, "203.0.113.66"))
			m[1] ^= 0x55
			send(m)
		}
	}
	r, err := stubOf(t, []netip.AddrPort{f.start(t)}).Lookup(t.Context(), "ip4", feed)
	require.NoError(t, err)
	require.Len(t, r.Addrs, 1)
	require.Equal(t, TCP, r.Addrs[0].Transport)
	require.Equal(t, "192.0.2.1", r.Addrs[0].String())
}

// What is the answer, and is no good, fails the try at once.
func TestBadAnswers(t *testing.T) {
	many := func(n int) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) {
			for i := range n {
				has(feed, 60, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}).String())(m)
			}
		}
	}
	chain := func(n int) func(*dnsmessage.Message) {
		return func(m *dnsmessage.Message) {
			from := feed
			for i := range n {
				to := fmt.Sprintf("a%d.example.", i)
				aliasOf(from, to, 60)(m)
				from = to
			}
			has(from, 60, "192.0.2.1")(m)
		}
	}
	udp := func(answer func(query []byte) []byte) *fakeServer {
		return &fakeServer{
			udp: func(query []byte, send func([]byte)) { send(answer(query)) },
			tcp: func(query []byte, c net.Conn) { _, _ = c.Write(framed(answer(query))) },
		}
	}
	truncated := func(tcp func(query []byte, c net.Conn)) *fakeServer {
		return &fakeServer{tcp: tcp, udp: func(query []byte, send func([]byte)) {
			send(reply(query, func(m *dnsmessage.Message) { m.Truncated = true }))
		}}
	}
	for _, c := range []struct {
		what      string
		server    *fakeServer
		want      error // nil: it is good
		transport Transport
		temporary bool
	}{
		{"refused", always(code(dnsmessage.RCodeRefused)), Refused, UDP, false},
		{"server failure", always(code(dnsmessage.RCodeServerFailure)), ServFail, UDP, true},
		{"an unknown code", always(code(11)), RCode(11), UDP, false},
		{"a lame referral", always(func(m *dnsmessage.Message) {
			m.RecursionAvailable = false
			m.Authorities = append(m.Authorities, dnsmessage.Resource{Header: header("example.", dnsmessage.TypeNS, 60), Body: &dnsmessage.NSResource{NS: name("ns.example.")}})
		}), ErrLame, UDP, false},

		{"loop of aliases", always(aliasOf(feed, "b.example.", 60), aliasOf("b.example.", feed, 60)), ErrChain, UDP, false},
		{"alias of itself", always(aliasOf(feed, feed, 60)), ErrChain, UDP, false},
		{"as many aliases as may be", always(chain(MaxChain)), nil, UDP, false},
		{"one alias more", always(chain(MaxChain + 1)), ErrChain, UDP, false},

		{"more records than there are", udp(func(q []byte) []byte { return raw(q, 5) }), ErrMalformed, UDP, false},
		{"cut in a record", udp(func(q []byte) []byte { m := reply(q, good); return m[:len(m)-3] }), ErrMalformed, UDP, false},
		{"a pointer to itself", udp(func(q []byte) []byte {
			m := reply(q)
			at := len(m)
			return raw(q, 1, append([]byte{0xc0 | byte(at>>8), byte(at)}, rawA(4, 192, 0, 2, 1)...)...)
		}), ErrMalformed, UDP, false},
		{"a chain of pointers", udp(func(q []byte) []byte {
			b := []byte{0} // the root, to which all lead
			at := len(reply(q))
			for range 12 {
				to := at + len(b) - 1
				if len(b) > 1 {
					to = at + len(b) - 2
				}
				b = append(b, 0xc0|byte(to>>8), byte(to))
			}
			return raw(q, 1, append(b, rawA(4, 192, 0, 2, 1)...)...)
		}), ErrMalformed, UDP, false},
		{"an address of 3 bytes", udp(func(q []byte) []byte { return raw(q, 1, append([]byte{0xc0, 12}, rawA(3, 192, 0, 2)...)...) }), ErrMalformed, UDP, false},
		{"an address of 5 bytes", udp(func(q []byte) []byte { return raw(q, 1, append([]byte{0xc0, 12}, rawA(5, 192, 0, 2, 1, 9)...)...) }), ErrMalformed, UDP, false},

		{"larger than asked for", always(many(100)), nil, TCP, false},
		{"more addresses than are kept", always(many(MaxAddrs + 1)), nil, TCP, false},
		{"as many records as may be", always(many(maxRecords)), nil, TCP, false},
		{"one record more", always(many(maxRecords + 1)), ErrMalformed, TCP, false},
		{"truncated", truncated(func(q []byte, c net.Conn) { _, _ = c.Write(framed(reply(q, good))) }), nil, TCP, false},
		{"truncated, no TCP", truncated(nil), syscall.ECONNREFUSED, TCP, true},
		{"truncated, closed", truncated(func(_ []byte, c net.Conn) { _ = c.(*net.TCPConn).CloseWrite() }), io.EOF, TCP, false},
		{"TCP cut", truncated(func(q []byte, c net.Conn) {
			_, _ = c.Write(framed(reply(q, good))[:20])
			_ = c.(*net.TCPConn).CloseWrite()
		}), io.ErrUnexpectedEOF, TCP, false},
		{"TCP byte by byte", truncated(func(q []byte, c net.Conn) {
			for _, b := range framed(reply(q, good)) {
				_, _ = c.Write([]byte{b})
			}
		}), nil, TCP, false},
		{"TCP of no bytes", truncated(func(_ []byte, c net.Conn) { _, _ = c.Write([]byte{0, 0}) }), ErrMalformed, TCP, false},
		{"TCP wrong id", truncated(func(q []byte, c net.Conn) {
			m := reply(q, good)
			m[0] ^= 1
			_, _ = c.Write(framed(m))
		}), ErrMalformed, TCP, false},
		{"TCP wrong question", truncated(func(q []byte, c net.Conn) { _, _ = c.Write(framed(reply(renamed(q), good))) }), ErrMalformed, TCP, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			server := c.server.start(t)
			s := stubOf(t, []netip.AddrPort{server})
			r, err := s.Lookup(t.Context(), "ip4", feed)
			if c.want == nil {
				require.NoError(t, err)
				require.LessOrEqual(t, len(r.Addrs), MaxAddrs)
				require.Equal(t, c.transport, r.Addrs[0].Transport)
				return
			}
			require.ErrorIs(t, err, c.want)
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns)
			require.Equal(t, server.String(), dns.Server)
			require.Equal(t, c.temporary, dns.IsTemporary)
			require.False(t, dns.IsTimeout)
			require.False(t, dns.IsNotFound)
			var tries *TriesError
			require.ErrorAs(t, err, &tries)
			require.Len(t, tries.Tries, 1)
			require.Equal(t, c.transport, tries.Tries[0].Transport)
			require.Equal(t, "A", tries.Tries[0].Type)
		})
	}
}

func TestSilence(t *testing.T) {
	leak.Check(t)
	mute := truncatedThenMute()
	for what, f := range map[string]*fakeServer{"udp": {}, "tcp": mute} {
		t.Run(what, func(t *testing.T) {
			server := f.start(t)
			silent := "A " + server.String() + " " + what + ": no answer in time"
			var err error
			for timeout := 20 * time.Millisecond; timeout < time.Minute; timeout *= 2 { // the way there has to fit into it, too
				s := stubOf(t, []netip.AddrPort{server}, func(s *Stub) { s.Config.Timeout = timeout })
				_, err = s.LookupNetIP(t.Context(), "ip4", feed)
				require.ErrorIs(t, err, ErrNoAnswer)
				if strings.Contains(err.Error(), silent) {
					break
				}
			}
			require.ErrorContains(t, err, silent)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's time is not over")
			var dns *net.DNSError
			require.ErrorAs(t, err, &dns)
			require.True(t, dns.IsTimeout)
			require.True(t, dns.IsTemporary)
			require.Equal(t, server.String(), dns.Server)
		})
	}
}

func truncatedThenMute() *fakeServer {
	return &fakeServer{
		udp: func(query []byte, send func([]byte)) {
			send(reply(query, func(m *dnsmessage.Message) { m.Truncated = true }))
		},
		tcp: func([]byte, net.Conn) {},
	}
}

// A lookup that is given up ends its sockets with it, and says who was silent.
func TestGivenUp(t *testing.T) {
	asked := make(chan struct{}, 4)
	f := &fakeServer{udp: func([]byte, func([]byte)) { asked <- struct{}{} }}
	server := f.start(t)
	s := stubOf(t, []netip.AddrPort{server})
	t.Run("cancelled", func(t *testing.T) {
		leak.Check(t)
		why := errors.New("no longer needed")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { <-asked; cancel(why) }()
		_, err := s.LookupNetIP(ctx, "ip4", feed)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, why)
		require.ErrorContains(t, err, server.String())
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		require.False(t, dns.IsTimeout)
	})
	t.Run("deadline", func(t *testing.T) {
		leak.Check(t)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		_, err := s.LookupNetIP(ctx, "ip", feed)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		var dns *net.DNSError
		require.ErrorAs(t, err, &dns)
		require.True(t, dns.IsTimeout)
	})
	t.Run("before it began", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := s.LookupNetIP(ctx, "ip4", "other.example")
		require.ErrorIs(t, err, context.Canceled)
		for _, q := range f.asked() { // those of the runs above may come late
			require.NotContains(t, q.Questions[0].Name.String(), "other")
		}
	})
}

// The first server's answer counts although the second was asked meanwhile.
func TestLateAnswerCounts(t *testing.T) {
	second := make(chan struct{})
	late := &fakeServer{udp: func(query []byte, send func([]byte)) {
		<-second
		send(reply(query, good))
	}}
	mute := &fakeServer{udp: func([]byte, func([]byte)) { close(second) }}
	first := late.start(t)
	s := stubOf(t, []netip.AddrPort{first, mute.start(t)}, func(s *Stub) { s.Stagger = 10 * time.Millisecond })
	r, err := s.Lookup(t.Context(), "ip4", feed)
	require.NoError(t, err)
	require.Equal(t, first, r.Addrs[0].Server)
}

// Each server that fails is followed by the next at once.
func TestNextServer(t *testing.T) {
	// A socket that is connected elsewhere refuses what others send, and keeps its port.
	closed, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9})
	require.NoError(t, err)
	defer closed.Close()
	gone := netip.MustParseAddrPort(closed.LocalAddr().String())
	failing, fine := always(code(dnsmessage.RCodeServerFailure)), always(good)
	servers := []netip.AddrPort{gone, failing.start(t), fine.start(t)}
	r, err := stubOf(t, servers).Lookup(t.Context(), "ip4", feed)
	require.NoError(t, err)
	require.Equal(t, servers[2], r.Addrs[0].Server)

	s := stubOf(t, servers[:2], func(s *Stub) { s.Config.Attempts = 2 })
	_, err = s.LookupNetIP(t.Context(), "ip4", feed)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorIs(t, err, ServFail)
	var tries *TriesError
	require.ErrorAs(t, err, &tries)
	require.Len(t, tries.Tries, 4)
	var dns *net.DNSError
	require.ErrorAs(t, err, &dns)
	require.Empty(t, dns.Server, "there were two")
	require.True(t, dns.IsTemporary)
}

func TestWithoutEDNS(t *testing.T) {
	old := func(code dnsmessage.RCode, bare bool) *fakeServer {
		return &fakeServer{udp: func(query []byte, send func([]byte)) {
			var m dnsmessage.Message
			if m.Unpack(query) != nil {
				return
			}
			switch {
			case len(m.Additionals) == 0:
				send(reply(query, good))
			case bare:
				h := reply(query, func(m *dnsmessage.Message) { m.RCode = code; m.Questions = nil })
				send(h)
			default:
				send(reply(query, func(m *dnsmessage.Message) { m.RCode = code }))
			}
		}}
	}
	for what, f := range map[string]*fakeServer{
		"format error": old(dnsmessage.RCodeFormatError, false),
		"bare header":  old(dnsmessage.RCodeFormatError, true),
		"not known":    old(dnsmessage.RCodeNotImplemented, false),
	} {
		t.Run(what, func(t *testing.T) {
			s := stubOf(t, []netip.AddrPort{f.start(t)}, func(s *Stub) { s.Cache.Size = -1 })
			for range 2 {
				got, err := s.LookupNetIP(t.Context(), "ip4", feed)
				require.NoError(t, err)
				require.Equal(t, addrs("192.0.2.1"), got)
			}
			require.Len(t, f.asked(), 3, "with EDNS, without; and then it is known")
		})
	}
	f := always(good)
	s := stubOf(t, []netip.AddrPort{f.start(t)})
	_, err := s.LookupNetIP(t.Context(), "ip4", feed)
	require.NoError(t, err)
	opt := f.asked()[0].Additionals[0].Header
	require.Equal(t, dnsmessage.TypeOPT, opt.Type)
	require.EqualValues(t, maxUDP, opt.Class, "the size it takes")
}

func TestIDsAndPortsAreNotTheSame(t *testing.T) {
	f := always(good)
	s := stubOf(t, []netip.AddrPort{f.start(t)}, func(s *Stub) { s.Cache.Size = -1 })
	ids := make(map[uint16]bool)
	for range 20 {
		_, err := s.LookupNetIP(t.Context(), "ip4", feed)
		require.NoError(t, err)
	}
	for _, q := range f.asked() {
		ids[q.ID] = true
	}
	require.Greater(t, len(ids), 10)
}
