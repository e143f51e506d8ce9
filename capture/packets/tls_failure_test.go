package packets

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is a connection of a version that has ended.
func sample(t *testing.T, version uint16) (s *session, client, server []byte) {
	t.Helper()
	c := clientConfig()
	c.MaxVersion = version
	s = connect(t, c, serverConfig())
	client, server = talk(t, s)
	return s, client, server
}

var versions = []uint16{tls.VersionTLS12, tls.VersionTLS13}

func TestNoKeys(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		s, _, _ := sample(t, version)
		for _, keys := range []*KeyLog{nil, {}} {
			r := open(keys, s.tap.segments(), 0)
			for i := range r.errs {
				require.ErrorIs(t, r.errs[i], ErrNoKeys)
				require.Regexp(t, `^packets: no TLS keys: record \d from the (client|server): the key log has no line \w+ [0-9a-f]{64}$`, r.errs[i].Error())
				require.Empty(t, r.data[i])
			}
			require.Equal(t, version, r.o.Facts().Version)
			require.Equal(t, "feed.example", r.o.Facts().ServerName)
		}
	}
}

// The secrets of another connection under the name of this one.
func TestWrongKeys(t *testing.T) {
	t.Parallel()
	random := regexp.MustCompile(`(?m)^(\w+) \w+ `)
	for _, version := range versions {
		s, _, _ := sample(t, version)
		other, _, _ := sample(t, version)
		own := regexp.MustCompile(`[0-9a-f]{64}`).Find(s.keys.Bytes())
		lines := random.ReplaceAll(other.keys.Bytes(), slices.Concat([]byte("$1 "), own, []byte(" ")))
		r := open(keyLog(t, lines), s.tap.segments(), 0)
		for i := range r.errs {
			require.ErrorIs(t, r.errs[i], ErrDecrypt)
			require.Empty(t, r.data[i])
		}
		// Without the handshake secrets what does not open could be the handshake's.
		lines = regexp.MustCompile(`(?m)^\w+_HANDSHAKE_.*\n`).ReplaceAll(lines, nil)
		r = open(keyLog(t, lines), s.tap.segments(), 0)
		require.ErrorIs(t, r.o.End(false), ErrDecrypt)
		require.ErrorIs(t, r.o.End(true), ErrDecrypt)
		require.Empty(t, r.data[0])
		require.Empty(t, r.data[1])
	}
	short := []byte("SERVER_HANDSHAKE_TRAFFIC_SECRET ")
	s, _, _ := sample(t, tls.VersionTLS13)
	lines := regexp.MustCompile(string(short)+`(\w+) \w+`).ReplaceAll(s.keys.Bytes(), slices.Concat(short, []byte("$1 "), bytes.Repeat([]byte("ab"), 48)))
	r := open(keyLog(t, lines), s.tap.segments(), 0)
	require.ErrorContains(t, r.errs[0], "SERVER_HANDSHAKE_TRAFFIC_SECRET has 48 bytes in the key log, 32 are needed")
	require.NoError(t, r.errs[1])
}

// What is before a cut is opened, and End says that there is a cut.
func TestTruncated(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		s, client, server := sample(t, version)
		segs := s.tap.segments()
		for n := range segs {
			cut := slices.Clone(segs[:n+1])
			last := &cut[n]
			last.data = last.data[:len(last.data)-1]
			r := open(keyLog(t, s.keys.Bytes()), cut, 0)
			require.Equal(t, [2]error{}, r.errs)
			require.ErrorIs(t, r.o.End(last.fromClient), io.ErrUnexpectedEOF)
			require.NoError(t, r.o.End(!last.fromClient))
			require.True(t, bytes.HasPrefix(server, r.data[0]))
			require.True(t, bytes.HasPrefix(client, r.data[1]))
		}
	}
}

// No bit can change without that there is an error or the same data: what is
// encrypted is authenticated.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		s, client, server := sample(t, version)
		keys := keyLog(t, s.keys.Bytes())
		segs := s.tap.segments()
		for n, seg := range segs {
			for at := 0; at < len(seg.data); at += 1 + len(seg.data)/40 {
				flipped := slices.Clone(segs)
				flipped[n].data = bytes.Clone(seg.data)
				flipped[n].data[at] ^= 1 << (at % 8)
				r := open(keys, flipped, 1<<20)
				require.True(t, bytes.HasPrefix(server, r.data[0]))
				require.True(t, bytes.HasPrefix(client, r.data[1]))
				if len(r.data[0]) < len(server) || len(r.data[1]) < len(client) {
					require.Error(t, errors.Join(r.o.End(false), r.o.End(true)))
				}
			}
		}
	}
}

func TestGap(t *testing.T) {
	t.Parallel()
	for _, version := range versions {
		s, client, _ := sample(t, version)
		o := NewOpener(keyLog(t, s.keys.Bytes()), nil)
		var said []byte
		o.fn = func(p *Plain) {
			if p.FromClient {
				said = append(said, p.Data...)
			}
		}
		o.Gap(true, 0)
		big := 0
		for _, seg := range s.tap.segments() {
			if !seg.fromClient && len(said) > 0 && len(seg.data) > 1100 {
				if big++; big == 1 {
					o.Gap(false, int64(len(seg.data)))
					continue
				}
			}
			err := o.Add(seg.fromClient, 0, seg.data)
			if !seg.fromClient && big > 0 {
				require.ErrorIs(t, err, ErrGap)
				require.ErrorContains(t, err, "bytes are missing")
			} else {
				require.NoError(t, err)
			}
		}
		require.NotZero(t, big)
		require.ErrorIs(t, o.End(false), ErrGap)
		require.NoError(t, o.End(true))
		require.Equal(t, client, said)
	}
}

// A suite that is not opened is named, to both directions.
func TestSuiteError(t *testing.T) {
	t.Parallel()
	for _, suite := range []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA} {
		c, sc := clientConfig(), serverConfig()
		c.MaxVersion, c.CipherSuites, sc.CipherSuites = tls.VersionTLS12, []uint16{suite}, []uint16{suite}
		s := connect(t, c, sc)
		s.close(t)
		r := open(keyLog(t, s.keys.Bytes()), s.tap.segments(), 0)
		for i := range r.errs {
			var is *SuiteError
			require.ErrorAs(t, r.errs[i], &is)
			require.Equal(t, SuiteError{tls.VersionTLS12, suite}, *is)
			require.ErrorContains(t, r.errs[i], tls.CipherSuiteName(suite)+" of TLS 1.2 is not supported")
		}
	}
}

// hello is a ClientHello with extensions, as a record.
func hello(extensions ...byte) []byte {
	b := slices.Concat([]byte{3, 3}, make([]byte, 32), []byte{0, 0, 2, 0x13, 1, 1, 0, 0, byte(len(extensions))}, extensions)
	return record(recordHandshake, slices.Concat([]byte{msgClientHello, 0, 0, byte(len(b))}, b))
}

func record(kind byte, p []byte) []byte {
	return slices.Concat([]byte{kind, 3, 3, byte(len(p) >> 8), byte(len(p))}, p)
}

// serverAnswer is a ServerHello of TLS 1.3, as a record.
func serverAnswer(version byte, random []byte) []byte {
	b := slices.Concat([]byte{3, 3}, random, []byte{0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, version})
	return record(recordHandshake, slices.Concat([]byte{msgServerHello, 0, 0, byte(len(b))}, b))
}

func TestRefused(t *testing.T) {
	t.Parallel()
	zero := make([]byte, 32)
	big := []byte{11, 1, 0, 1}
	for name, c := range map[string]struct {
		segs   []segment
		client bool // whose error it is
		err    error
		text   string
	}{
		"HTTP":                {[]segment{{true, []byte("GET / HTTP/1.1\r\n")}}, true, ErrNotTLS, "47 45 54 20 2f"},
		"later":               {[]segment{{true, hello()}, {true, []byte("GET / HTTP/1.1\r\n")}}, true, ErrRecord, "record 1 from the client"},
		"long record":         {[]segment{{true, []byte{22, 3, 1, 0xff, 0xff}}}, true, ErrRecord, "65535 bytes, over 18432"},
		"long content":        {[]segment{{true, record(22, make([]byte, maxPlaintext+1))}}, true, ErrRecord, "16385 bytes of content, over 16384"},
		"long message":        {[]segment{{true, hello()}, {false, record(22, big)}}, false, ErrHandshake, "message 11 of 65537 bytes, over 65536"},
		"inside":              {[]segment{{true, record(23, zero)}}, true, ErrHandshake, "does the capture begin inside"},
		"inside, server":      {[]segment{{false, serverAnswer(4, zero)}}, false, ErrHandshake, "without a ClientHello"},
		"early data":          {[]segment{{true, hello(0, 42, 0, 0)}, {true, record(23, zero)}}, true, ErrEarlyData, "before the ServerHello"},
		"early data, later":   {[]segment{{true, hello(0, 42, 0, 0)}, {false, serverAnswer(4, zero)}, {true, record(23, zero)}}, true, ErrEarlyData, "no handshake secret"},
		"twice":               {[]segment{{true, hello()}, {true, hello()}}, true, ErrHandshake, "not asked for"},
		"retried twice":       {[]segment{{true, hello()}, {false, serverAnswer(4, retryRandom[:])}, {true, hello()}, {false, serverAnswer(4, retryRandom[:])}}, false, ErrHandshake, "second HelloRetryRequest"},
		"TLS 1.2 of 1.3":      {[]segment{{true, hello()}, {false, serverAnswer(3, zero)}}, false, nil, "not supported"},
		"extension":           {[]segment{{true, hello(0, 0, 0, 9, 1)}}, true, ErrHandshake, "malformed ClientHello"},
		"server name":         {[]segment{{true, hello(0, 0, 0, 3, 0, 9, 1)}}, true, ErrHandshake, "malformed ClientHello"},
		"ChangeCipherSpec":    {[]segment{{true, record(20, []byte{2})}}, true, ErrRecord, "malformed ChangeCipherSpec"},
		"alert":               {[]segment{{true, record(21, []byte{2})}}, true, ErrRecord, "an alert of 1 bytes"},
		"alert inside":        {[]segment{{true, hello()[:9]}}, true, nil, ""},
		"not encrypted":       {[]segment{{true, hello()}, {false, serverAnswer(4, zero)}, {false, record(22, zero)}}, false, ErrRecord, "where all are encrypted"},
		"ServerHello of 1.3+": {[]segment{{true, hello()}, {false, append(serverAnswer(4, zero), 1)}}, false, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, size := range sizes {
				r := open(nil, c.segs, size)
				i := 0
				if c.client {
					i = 1
				}
				if c.text == "" {
					require.Equal(t, [2]error{}, r.errs)
					require.ErrorIs(t, r.o.End(c.client), io.ErrUnexpectedEOF)
					continue
				}
				require.ErrorContains(t, r.errs[i], c.text)
				if c.err != nil {
					require.ErrorIs(t, r.errs[i], c.err)
				}
				var is *TLSError
				require.ErrorAs(t, r.errs[i], &is)
				require.Equal(t, c.client, is.FromClient)
			}
		})
	}
}

// A second handshake of TLS 1.2 on the keys of the first.
func TestRenegotiation(t *testing.T) {
	t.Parallel()
	c := clientConfig()
	c.MaxVersion = tls.VersionTLS12
	s := connect(t, c, serverConfig())
	s.send(t, true, []byte("data"))
	r := open(keyLog(t, s.keys.Bytes()), s.tap.segments(), 0)
	k := r.o.sides[1].keys
	p := hello()[recordHeader:]
	aad := slices.Concat([]byte{0, 0, 0, 0, 0, 0, 0, byte(k.seq), recordHandshake, 3, 3, 0, byte(len(p))})
	nonce := append(bytes.Clone(k.iv), 9, 9, 9, 9, 9, 9, 9, 9)
	sealed := k.aead.Seal(bytes.Repeat([]byte{9}, 8), nonce, p, aad)
	require.ErrorIs(t, r.o.Add(true, 0, record(recordHandshake, sealed)), ErrRenegotiation)
	require.ErrorIs(t, r.o.Add(true, 0, []byte{20}), ErrRenegotiation)
}

// A client that gives up answers without encryption.
func TestPlainAlert(t *testing.T) {
	t.Parallel()
	r := open(nil, []segment{{true, hello()}, {false, serverAnswer(4, make([]byte, 32))}, {true, record(21, []byte{2, 47})}}, 0)
	require.Equal(t, [2]error{}, r.errs)
	require.Equal(t, []Alert{{Level: 2, Description: 47}}, r.alerts[1])
	require.Equal(t, "tls: illegal parameter", tls.AlertError(r.alerts[1][0].Description).Error())
}

// Opening a record allocates nothing.
func TestOpenAllocs(t *testing.T) {
	s := connect(t, clientConfig(), serverConfig())
	s.send(t, false, []byte("data"))
	o := open(keyLog(t, s.keys.Bytes()), s.tap.segments(), 0).o
	k := *o.sides[0].keys
	got := 0
	o.fn = func(p *Plain) { got += len(p.Data) }
	var records [][]byte
	for range 101 {
		records = append(records, seal(&k, recordData, []byte("data")))
	}
	n := 0
	require.Zero(t, testing.AllocsPerRun(100, func() {
		if err := o.Add(false, 0, records[n]); err != nil {
			panic(err)
		}
		n++
	}))
	require.Equal(t, 4*101, got)
}
