package dns

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"
)

// fakeServer is a name server of which a test decides every byte.
type fakeServer struct {
	udp func(query []byte, send func([]byte)) // nil: silence
	tcp func(query []byte, c net.Conn)        // nil: nobody listens

	pc      net.PacketConn
	mu      sync.Mutex
	queries []dnsmessage.Message
}

// start serves on a free port of 127.0.0.1 until the test ends.
func (f *fakeServer) start(t *testing.T) netip.AddrPort {
	t.Helper()
	var running sync.WaitGroup
	var l net.Listener
	f.pc, l = listenBoth(t, f.tcp != nil)
	if l != nil {
		running.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				running.Go(func() { f.serveTCP(c) })
			}
		})
	}
	running.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := f.pc.ReadFrom(buf)
			if err != nil {
				return
			}
			f.note(buf[:n])
			if f.udp != nil {
				f.udp(append([]byte(nil), buf[:n]...), func(msg []byte) { _, _ = f.pc.WriteTo(msg, from) })
			}
		}
	})
	t.Cleanup(func() {
		require.NoError(t, f.pc.Close())
		if l != nil {
			require.NoError(t, l.Close())
		}
		running.Wait()
	})
	return netip.MustParseAddrPort(f.pc.LocalAddr().String())
}

// listenBoth listens on a free port for UDP, and on the same one for TCP.
func listenBoth(t *testing.T, tcp bool) (net.PacketConn, net.Listener) {
	t.Helper()
	for range 20 {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		if !tcp {
			return pc, nil
		}
		if l, err := net.Listen("tcp", pc.LocalAddr().String()); err == nil {
			return pc, l
		}
		require.NoError(t, pc.Close()) // TCP has that port in use
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

func (f *fakeServer) serveTCP(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return
	}
	query := make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, query); err != nil {
		return
	}
	f.note(query)
	f.tcp(query, c)
	_, _ = io.Copy(io.Discard, c) // until the client closes
}

func (f *fakeServer) note(query []byte) {
	var m dnsmessage.Message
	if m.Unpack(query) == nil {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.queries = append(f.queries, m)
	}
}

func (f *fakeServer) asked() []dnsmessage.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.queries
}

// framed is msg as TCP carries it.
func framed(msg []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
}

// reply makes an answer to query and lets change do with it what it likes.
func reply(query []byte, change ...func(m *dnsmessage.Message)) []byte {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		panic(err)
	}
	m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionDesired: true, RecursionAvailable: true}
	m.Additionals = nil
	for _, f := range change {
		f(&m)
	}
	out, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return out
}

func name(s string) dnsmessage.Name { return dnsmessage.MustNewName(s) }

func header(owner string, kind dnsmessage.Type, ttl uint32) dnsmessage.ResourceHeader {
	return dnsmessage.ResourceHeader{Name: name(owner), Type: kind, Class: dnsmessage.ClassINET, TTL: ttl}
}

// has adds the addresses of owner of the type asked for.
func has(owner string, ttl uint32, list ...string) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		for _, a := range addrs(list...) {
			switch kind := m.Questions[0].Type; {
			case kind == dnsmessage.TypeA && a.Is4():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(owner, kind, ttl), Body: &dnsmessage.AResource{A: a.As4()}})
			case kind == dnsmessage.TypeAAAA && a.Is6():
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(owner, kind, ttl), Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
	}
}

func aliasOf(owner, target string, ttl uint32) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		m.Answers = append(m.Answers, dnsmessage.Resource{Header: header(owner, dnsmessage.TypeCNAME, ttl), Body: &dnsmessage.CNAMEResource{CNAME: name(target)}})
	}
}

func code(c dnsmessage.RCode) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) { m.RCode = c }
}

func soa(zone string, ttl, minimum uint32) func(*dnsmessage.Message) {
	return func(m *dnsmessage.Message) {
		m.Authorities = append(m.Authorities, dnsmessage.Resource{Header: header(zone, dnsmessage.TypeSOA, ttl),
			Body: &dnsmessage.SOAResource{NS: name("ns.example."), MBox: name("root.example."), MinTTL: minimum}})
	}
}

// always answers every query, over both transports, alike.
func always(change ...func(*dnsmessage.Message)) *fakeServer {
	return &fakeServer{
		udp: func(query []byte, send func([]byte)) { send(reply(query, change...)) },
		tcp: func(query []byte, c net.Conn) { _, _ = c.Write(framed(reply(query, change...))) },
	}
}

// stubOf asks these servers and knows no file. Its servers get a minute: what
// depends on silence says so by change.
func stubOf(t *testing.T, servers []netip.AddrPort, change ...func(*Stub)) *Stub {
	t.Helper()
	s := &Stub{
		Config:    &Config{Servers: servers, Timeout: time.Minute, Attempts: 1},
		HostsFile: "/dev/null",
		Stagger:   time.Minute, ResolutionDelay: -1,
	}
	for _, f := range change {
		f(s)
	}
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
