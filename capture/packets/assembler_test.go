package packets

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/pcapng"
)

var (
	tcpClient = netip.MustParseAddrPort("10.0.0.1:40000")
	tcpServer = netip.MustParseAddrPort("192.0.2.7:443")
)

// tcpScript makes the packets of a conversation.
type tcpScript struct {
	packets []Packet
	seq     [2]uint32 // of client and server
}

func newTCPScript(client0, server0 uint32) *tcpScript {
	return &tcpScript{seq: [2]uint32{client0, server0}}
}

func (s *tcpScript) send(fromClient bool, change func(*Packet), data string) {
	p := Packet{Src: tcpClient, Dst: tcpServer, Seq: s.seq[0], Ack: s.seq[1], ACK: true, Payload: []byte(data)}
	me := &s.seq[0]
	if !fromClient {
		p.Src, p.Dst, p.Seq, p.Ack = tcpServer, tcpClient, s.seq[1], s.seq[0]
		me = &s.seq[1]
	}
	if change != nil {
		change(&p)
	}
	*me += uint32(len(data))
	if p.SYN || p.FIN {
		*me++
	}
	s.packets = append(s.packets, p)
}

func syn(p *Packet)    { p.SYN, p.ACK = true, false }
func synAck(p *Packet) { p.SYN = true }
func tcpFIN(p *Packet) { p.FIN = true }
func rst(p *Packet)    { p.RST = true }

func (s *tcpScript) handshake() *tcpScript {
	s.send(true, syn, "")
	s.send(false, synAck, "")
	s.send(true, nil, "")
	return s
}

// assembled is what an Assembler has handed out.
type assembled struct {
	*Assembler
	text  [2]bytes.Buffer // from the client, from the server; gaps as "<n>"
	lines []string
}

func assemble(cfg Config, packets []Packet) *assembled {
	t := new(assembled)
	t.Assembler = New(cfg, func(c *Chunk) {
		i := 1
		if c.FromClient {
			i = 0
		}
		if c.Gap > 0 {
			fmt.Fprintf(&t.text[i], "<%d>", c.Gap)
		}
		t.text[i].Write(c.Data)
		if c.End != Open {
			fmt.Fprintf(&t.text[i], "[%v]", c.End)
		}
		t.lines = append(t.lines, fmt.Sprintf("%d %v at %d: %d bytes gap %d %v", c.Conn, c.FromClient, c.Time, len(c.Data), c.Gap, c.End))
	})
	for i := range packets {
		t.Add(int64(i), &packets[i])
	}
	t.Flush()
	return t
}

func TestAConversationInOrder(t *testing.T) {
	s := newTCPScript(1000, 5000).handshake()
	s.send(true, nil, "GET / ")
	s.send(true, nil, "HTTP/1.1")
	s.send(false, nil, "200 OK")
	s.send(false, tcpFIN, "")
	s.send(true, tcpFIN, "")
	got := assemble(Config{}, s.packets)
	require.Equal(t, "GET / HTTP/1.1[FIN]", got.text[0].String())
	require.Equal(t, "200 OK[FIN]", got.text[1].String())
	require.Equal(t, []string{
		"0 true at 3: 6 bytes gap 0 open", "0 true at 4: 8 bytes gap 0 open", "0 false at 5: 6 bytes gap 0 open",
		"0 false at 6: 0 bytes gap 0 FIN", "0 true at 7: 0 bytes gap 0 FIN",
	}, got.lines)
	c := got.Connections()[0]
	require.Equal(t, tcpClient, c.Client)
	require.Equal(t, tcpServer, c.Server)
	require.True(t, c.Started)
	require.EqualValues(t, 14, c.ToServer.Bytes)
	require.EqualValues(t, 6, c.ToClient.Bytes)
	require.EqualValues(t, 7, c.Last)
	require.Equal(t, FIN, c.ToServer.End)
}

// Packets that come out of order, again, and cut otherwise, in any permutation within a
// window and across the wrap of the sequence numbers, give the same bytes.
func TestAnyOrderGivesTheSameBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		s := newTCPScript(random.Uint32(), -uint32(random.IntN(2000))).handshake()
		head := len(s.packets)
		first := s.seq[1]
		whole := make([]byte, 3000)
		for i := range whole {
			whole[i] = byte(random.Uint32())
		}
		for at := 0; at < len(whole); {
			n := min(1+random.IntN(200), len(whole)-at)
			s.send(false, nil, string(whole[at:at+n]))
			at += n
		}
		body := s.packets[head:]
		for range 20 { // again, cut otherwise
			from := random.IntN(len(whole))
			n := min(1+random.IntN(300), len(whole)-from)
			p := body[0]
			p.Seq, p.Payload = first+uint32(from), whole[from:from+n]
			body = append(body, p)
		}
		for i := range body { // within a window of eight, and anywhere for those that come again
			j := i + random.IntN(min(8, len(body)-i))
			body[i], body[j] = body[j], body[i]
		}
		got := assemble(Config{}, append(s.packets[:head:head], body...))
		require.Equal(t, string(whole), got.text[1].String(), "round %d", round)
		c := got.Connections()[0]
		require.Zero(t, c.ToClient.Gaps+c.ToClient.Differing)
		require.NotZero(t, c.ToClient.Repeated)
		require.Zero(t, got.total)
	}
}

func TestWhatWasNotCapturedIsAGap(t *testing.T) {
	s := newTCPScript(1, 1).handshake()
	s.send(false, nil, "one.")
	s.send(false, nil, "two.")
	s.send(false, nil, "three.")
	without := append(append([]Packet(nil), s.packets[:4]...), s.packets[5:]...)
	require.Equal(t, "one.<4>three.", assemble(Config{}, without).text[1].String(), "at the end")

	s.send(true, nil, "") // which acknowledges all of it
	s.send(false, nil, "four.")
	got := assemble(Config{}, append(append([]Packet(nil), s.packets[:4]...), s.packets[5:]...))
	require.Equal(t, "one.<4>three.four.", got.text[1].String())
	require.Contains(t, got.lines[1], "at 6: 11 bytes gap 4", "assembled when it is certain")

	last := append([]Packet(nil), s.packets[:5]...) // the last one is missing, and acknowledged
	last = append(last, s.packets[6])
	require.Equal(t, "one.two.<6>", assemble(Config{}, last).text[1].String())

	// A packet cut by the snap length.
	cut := append([]Packet(nil), s.packets...)
	cut[4].Payload, cut[4].Cut = cut[4].Payload[:1], 3
	require.Equal(t, "one.t<3>three.four.", assemble(Config{}, cut).text[1].String())

	var many []Packet
	s = newTCPScript(1, 1).handshake()
	many = append(many, s.packets...)
	s.send(false, nil, "lost")
	for range 100 {
		s.send(false, nil, string(make([]byte, 1000)))
	}
	many = append(many, s.packets[4:]...)
	bounded := assemble(Config{MaxWaiting: 10_000}, many)
	require.Equal(t, 1, int(bounded.Connections()[0].ToClient.Gaps))
	require.Equal(t, 3+100_000, bounded.text[1].Len())
	require.Contains(t, bounded.lines[0], "gap 4")
	total := assemble(Config{MaxTotal: 10_000}, many)
	require.Equal(t, bounded.text[1].String(), total.text[1].String())
	require.Contains(t, total.lines[0], "62000 bytes gap 4", "what a direction may hold whatever others do")
}

func TestOddConversations(t *testing.T) {
	// The capture begins in the midst of it; the client is assembled by ports, or by the user.
	s := newTCPScript(77, 88)
	s.send(false, nil, "late")
	s.send(true, nil, "hello")
	got := assemble(Config{}, s.packets)
	require.Equal(t, "hello", got.text[0].String())
	require.Equal(t, "late", got.text[1].String())
	require.False(t, got.Connections()[0].Started)
	got = assemble(Config{Client: func(a, _ netip.AddrPort) bool { return a == tcpServer }}, s.packets)
	require.Equal(t, "late", got.text[0].String())

	// A reset, and what is behind it.
	s = newTCPScript(1, 1).handshake()
	s.send(false, nil, "data")
	s.send(false, rst, "")
	s.send(false, nil, "ghost")
	require.Equal(t, "data[RST]", assemble(Config{}, s.packets).text[1].String())

	// The same ends once more.
	again := newTCPScript(9000, 9000).handshake()
	again.send(false, nil, "second")
	got = assemble(Config{}, append(append([]Packet(nil), s.packets...), again.packets...))
	require.Len(t, got.Connections(), 2)
	require.Equal(t, "data[RST]second", got.text[1].String())

	// A SYN that comes again is no second connection; keep-alives and other bytes for
	// the same place change nothing.
	s = newTCPScript(1, 1)
	s.send(true, syn, "")
	s.packets = append(s.packets, s.packets[0])
	s.send(false, synAck, "")
	s.send(false, nil, "abc")
	probe := s.packets[len(s.packets)-1]
	probe.Seq, probe.Payload = probe.Seq+2, []byte{0}
	other := s.packets[len(s.packets)-1]
	other.Seq, other.Payload = other.Seq+3, []byte("d")
	late := other
	late.Seq, late.Payload = late.Seq+1, []byte("ef")
	differs := late
	differs.Payload = []byte("eX")
	got = assemble(Config{}, append(s.packets, probe, late, differs, other))
	require.Len(t, got.Connections(), 1)
	require.Equal(t, "abcdef", got.text[1].String())
	c := got.Connections()[0].ToClient
	require.EqualValues(t, 1, c.WindowProbe)
	require.EqualValues(t, 1, c.Differing)
}

// Captures of several queues, or merged ones, have packets a little before those that
// they answer.
func TestHandshakesAndAcknowledgementsOutOfPlace(t *testing.T) {
	make := func() []Packet { // SYN, SYN-ACK, ACK, one., two., ACK
		s := newTCPScript(1, 1).handshake()
		s.send(false, nil, "one.")
		s.send(false, nil, "two.")
		s.send(true, nil, "")
		return s.packets
	}
	p := make()
	for name, order := range map[string][]Packet{
		"an acknowledgement before its data": {p[0], p[1], p[2], p[5], p[3], p[4]},
		"between two":                        {p[0], p[1], p[2], p[3], p[5], p[4]},
		"SYN-ACK again, and data again":      {p[0], p[1], p[2], p[3], p[1], p[3], p[4]},
		"SYN-ACK again, after data":          {p[0], p[1], p[2], p[3], p[1], p[4]},
		"SYN-ACK behind data":                {p[0], p[2], p[3], p[1], p[4]},
		"SYN again, after data":              {p[0], p[1], p[2], p[3], p[0], p[4]},
	} {
		got := assemble(Config{}, order)
		require.Equal(t, "one.two.", got.text[1].String(), name)
		require.Len(t, got.Connections(), 1, name)
		require.Zero(t, got.Connections()[0].ToClient.Gaps, name)
	}

	// A new connection of the same ends, of which the SYN was not captured.
	s := newTCPScript(1, 1).handshake()
	s.send(false, nil, "first")
	s.send(false, tcpFIN, "")
	s.send(true, tcpFIN, "")
	again := newTCPScript(1<<30, 1<<31).handshake()
	again.send(false, nil, "second")
	got := assemble(Config{}, append(s.packets, again.packets[1:]...))
	require.Len(t, got.Connections(), 2)
	require.Equal(t, "first[FIN]second", got.text[1].String())

	// A reset from far outside, the text of one inside, and data behind it.
	s = newTCPScript(1, 1).handshake()
	s.send(false, nil, "one.")
	s.send(false, func(p *Packet) { p.RST, p.Seq = true, 1<<31 }, "")
	s.send(false, nil, "two.")
	s.send(false, rst, "why")
	s.send(false, nil, "ghost")
	got = assemble(Config{}, s.packets)
	require.Equal(t, "one.two.[RST]", got.text[1].String())
	require.Zero(t, got.total)

	// What others hold is not paid for by who holds little.
	other := newTCPScript(1, 1).handshake()
	other.send(false, nil, "lost")
	other.send(false, nil, string(bytes.Repeat([]byte("x"), 100_000)))
	for i := range other.packets {
		p := &other.packets[i]
		for _, a := range []*netip.AddrPort{&p.Src, &p.Dst} {
			if *a == tcpClient {
				*a = netip.MustParseAddrPort("10.0.0.9:40001")
			}
		}
	}
	s = newTCPScript(1, 1).handshake()
	s.send(false, nil, "a")
	s.send(false, nil, "b")
	s.packets[3], s.packets[4] = s.packets[4], s.packets[3]
	got = assemble(Config{MaxTotal: 110_000}, append(append(other.packets[:3:3], other.packets[4:]...), s.packets...))
	require.Contains(t, got.text[1].String(), "ab")
	require.Zero(t, got.Connections()[1].ToClient.Gaps)
}

// encode is p as an IP packet of a link.
func encode(link uint16, p *Packet) []byte {
	be := binary.BigEndian
	var b []byte
	v6 := p.Src.Addr().Is6()
	kind := uint16(etherIPv4)
	if v6 {
		kind = etherIPv6
	}
	switch link {
	case pcapng.LinkEthernet:
		b = append(make([]byte, 12), 0x81, 0, 0, 5)
		b = be.AppendUint16(b, kind)
	case pcapng.LinkSLL:
		b = be.AppendUint16(make([]byte, 14), kind)
	case pcapng.LinkSLL2:
		b = append(be.AppendUint16(nil, kind), make([]byte, 18)...)
	case pcapng.LinkNull, pcapng.LinkLoop:
		b = make([]byte, 4)
	}
	size := 20 + len(p.Payload)
	if v6 {
		b = append(b, 0x60, 0, 0, 0)
		b = be.AppendUint16(b, uint16(size+8))
		b = append(b, 0, 64) // hop by hop first
		b = append(append(b, p.Src.Addr().AsSlice()...), p.Dst.Addr().AsSlice()...)
		b = append(b, protoTCP, 0, 0, 0, 0, 0, 0, 0)
	} else {
		b = append(b, 0x46, 0)
		b = be.AppendUint16(b, uint16(24+size))
		b = append(b, 0, 0, 0x40, 0, 64, protoTCP, 0, 0)
		b = append(append(b, p.Src.Addr().AsSlice()...), p.Dst.Addr().AsSlice()...)
		b = append(b, 1, 1, 1, 1) // options
	}
	b = be.AppendUint16(be.AppendUint16(b, p.Src.Port()), p.Dst.Port())
	b = be.AppendUint32(be.AppendUint32(b, p.Seq), p.Ack)
	flags := byte(0)
	for i, set := range []bool{p.FIN, p.SYN, p.RST, false, p.ACK} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(b, 0x50, flags, 0, 0, 0, 0, 0, 0)
	return append(b, p.Payload...)
}

var links = []uint16{pcapng.LinkNull, pcapng.LinkEthernet, pcapng.LinkRaw, pcapng.LinkLoop, pcapng.LinkSLL, pcapng.LinkIPv4, pcapng.LinkSLL2}

func TestDecode(t *testing.T) {
	p := Packet{Src: tcpClient, Dst: tcpServer, Seq: 1 << 31, Ack: 7, ACK: true, FIN: true, Payload: []byte("payload")}
	six := p
	six.Src, six.Dst = netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:65535")
	for _, link := range links {
		for _, want := range []Packet{p, six} {
			b := encode(link, &want)
			got, err := Decode(link, b)
			require.NoError(t, err, "link %d", link)
			require.Equal(t, want, got)
			short, err := Decode(link, b[:len(b)-3])
			require.NoError(t, err)
			require.Equal(t, 3, short.Cut)
			require.Equal(t, "payl", string(short.Payload))
			for n := range len(b) - len(want.Payload) {
				_, err := Decode(link, b[:n])
				require.Error(t, err, "link %d, %d bytes", link, n)
			}
			padded, err := Decode(link, append(b, 0, 0, 0, 0)) // Ethernet's
			require.NoError(t, err)
			require.Equal(t, want, padded)
			require.Zero(t, testing.AllocsPerRun(10, func() { _, _ = Decode(link, b) }))
		}
	}
	_, err := Decode(147, encode(pcapng.LinkRaw, &p))
	require.ErrorIs(t, err, ErrLink)
	require.ErrorContains(t, err, "147")
	udp := encode(pcapng.LinkRaw, &p)
	udp[9] = 17
	_, err = Decode(pcapng.LinkRaw, udp)
	require.ErrorIs(t, err, ErrNotTCP)
	fragment := encode(pcapng.LinkRaw, &p)
	fragment[6] = 0x20
	_, err = Decode(pcapng.LinkRaw, fragment)
	require.ErrorIs(t, err, ErrFragment)
}

func TestReadAFile(t *testing.T) {
	s := newTCPScript(1, 1).handshake()
	s.send(true, nil, "question")
	s.send(false, nil, "answer")
	for _, link := range links {
		file := pcapng.AppendSection(nil, &pcapng.Section{})
		file = pcapng.AppendInterface(file, &pcapng.Interface{LinkType: link})
		file = pcapng.AppendInterface(file, &pcapng.Interface{LinkType: 147})
		file = pcapng.AppendSecrets(file, &pcapng.Secrets{Type: pcapng.SecretsTLS, Data: []byte("CLIENT_RANDOM " + fmt.Sprintf("%064x", 1) + " " + fmt.Sprintf("%096x", 2) + "\n")})
		for i := range s.packets {
			file = pcapng.AppendPacket(file, &pcapng.Packet{Time: int64(i), Data: encode(link, &s.packets[i])})
		}
		file = pcapng.AppendPacket(file, &pcapng.Packet{Interface: 1, Data: []byte("?")})
		var text [2]string
		keys, err := ParseKeyLog(bytes.NewReader(nil))
		require.NoError(t, err)
		a := New(Config{}, func(c *Chunk) {
			if c.FromClient {
				text[0] += string(c.Data)
			} else {
				text[1] += string(c.Data)
			}
		})
		passed, err := Read(bytes.NewReader(file), a, keys)
		require.NoError(t, err)
		require.Equal(t, [2]string{"question", "answer"}, text)
		require.EqualValues(t, len(s.packets)+1, passed.Packets)
		require.EqualValues(t, 1, passed.Links)
		require.ErrorIs(t, passed.Err, ErrLink)
		require.Equal(t, 1, keys.Sessions())
	}
}

func FuzzDecode(f *testing.F) {
	p := Packet{Src: tcpClient, Dst: tcpServer, Payload: []byte("payload")}
	for _, link := range links {
		f.Add(link, encode(link, &p))
	}
	f.Fuzz(func(t *testing.T, link uint16, b []byte) {
		p, err := Decode(link, b)
		if err == nil && (p.Cut < 0 || len(p.Payload) > len(b)) {
			t.Fatalf("%+v of %d bytes", p, len(b))
		}
	})
}

// Each four bytes are a packet: who, flags, where, how long.
func FuzzAssembler(f *testing.F) {
	f.Add([]byte{0, 2, 0, 0, 1, 18, 0, 0, 1, 16, 1, 9, 1, 16, 5, 9, 0, 16, 1, 1, 1, 17, 20, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		var given, out int64
		a := New(Config{MaxWaiting: 1000, MaxTotal: 2000}, func(c *Chunk) {
			if out += int64(len(c.Data)); c.Gap < 0 {
				t.Fatal("a gap of", c.Gap)
			}
		})
		for ; len(b) >= 4; b = b[4:] {
			p := Packet{Src: tcpClient, Dst: tcpServer, Seq: uint32(b[2]) - 100, Ack: uint32(b[2]) ^ uint32(b[0])<<3, Payload: make([]byte, b[3])}
			if b[0]&1 == 1 {
				p.Src, p.Dst = tcpServer, tcpClient
			}
			p.FIN, p.SYN, p.RST, p.ACK = b[1]&1 != 0, b[1]&2 != 0, b[1]&4 != 0, b[1]&16 != 0
			p.Cut = int(b[0] >> 4)
			given += int64(len(p.Payload))
			a.Add(0, &p)
			if a.total < 0 || a.total > 2*fairShare+1000 {
				t.Fatal("waiting:", a.total)
			}
		}
		a.Flush()
		if out > given || a.total != 0 {
			t.Fatalf("%d bytes of %d, %d wait", out, given, a.total)
		}
	})
}
