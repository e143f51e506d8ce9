package packets

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// forged is a connection of TLS 1.3 whose records a test makes itself.
type forged struct {
	o      *Opener
	got    []byte
	client [2]*recordKeys // of the handshake, of the data
	server [2]*recordKeys
}

func forge(t *testing.T, extensions ...byte) *forged {
	t.Helper()
	f := &forged{}
	suite, keys := tls13Suites[0x1301], &KeyLog{}
	made := func(l keyLabel) *recordKeys {
		secret := bytes.Repeat([]byte{byte(l)}, 32)
		require.NoError(t, keys.Add(fmt.Appendf(nil, "%v %064x %x\n", l, 0, secret)))
		k, err := suite.trafficKeys(secret)
		require.NoError(t, err)
		return k
	}
	f.client = [2]*recordKeys{made(clientHandshake), made(clientTraffic)}
	f.server = [2]*recordKeys{made(serverHandshake), made(serverTraffic)}
	f.o = NewOpener(keys, func(p *Plain) { f.got = append(f.got, p.Data...) })
	require.NoError(t, f.o.Add(true, 0, clientHelloRecord(extensions...)))
	require.NoError(t, f.o.Add(false, 0, serverAnswer(4, make([]byte, 32))))
	return f
}

var finished = []byte{msgFinished, 0, 0, 0}

func (f *forged) says(kind byte, p []byte) error {
	return f.o.Add(true, 0, sealRecord(f.client[0], kind, p))
}

// finishes ends the handshake of the client, whose records are then data.
func (f *forged) finishes(t *testing.T) {
	t.Helper()
	require.NoError(t, f.says(recordHandshake, finished))
	f.client[0] = f.client[1]
}

// Early data is refused, what the server sends is not.
func TestEarlyData(t *testing.T) {
	t.Parallel()
	f := forge(t, 0, extEarlyData, 0, 0)
	require.ErrorIs(t, f.o.Add(true, 0, sealRecord(f.client[1], recordData, []byte("early"))), ErrEarlyData)
	require.NoError(t, f.o.Add(false, 0, sealRecord(f.server[0], recordHandshake, finished)))
	require.NoError(t, f.o.Add(false, 0, sealRecord(f.server[1], recordData, []byte("data"))))
	require.Equal(t, "data", string(f.got))
	require.ErrorIs(t, f.o.End(true), ErrEarlyData)
	require.NoError(t, f.o.End(false))

	f = forge(t, 0, extEarlyData, 0, 0) // offered, and not sent
	f.finishes(t)
	require.NoError(t, f.says(recordData, []byte("data")))
	require.Equal(t, "data", string(f.got))
}

func TestForgedRecords(t *testing.T) {
	t.Parallel()
	f := forge(t)
	f.finishes(t)
	require.NoError(t, f.says(recordData, nil), "no data is no harm")
	require.Empty(t, f.got)
	require.NoError(t, f.says(recordHandshake, []byte{msgNewSessionTicket, 0, 1, 0, 0}))
	require.ErrorIs(t, f.says(recordData, nil), ErrHandshake, "inside of a message")

	for text, c := range map[string]struct {
		before bool // Finished
		kind   byte
		p      []byte
	}{
		"bytes, over 65536":     {false, recordHandshake, []byte{msgNewSessionTicket, 0xff, 0, 0}},
		"without a type":        {false, 0, nil},
		"content of type 20":    {false, recordChangeCipherSpec, []byte{1}},
		"data before Finished":  {true, recordData, []byte("x")},
		"more behind Finished":  {true, recordHandshake, append(bytes.Clone(finished), 1)},
		"malformed KeyUpdate":   {false, recordHandshake, []byte{msgKeyUpdate, 0, 0, 1, 2}},
		"second ClientHello":    {false, recordHandshake, clientHelloRecord()[recordHeader:]},
		"a HelloRequest of the": {false, recordHandshake, make([]byte, 4)},
		"16385 bytes of":        {false, recordData, make([]byte, maxPlaintext+1)},
	} {
		f := forge(t)
		if !c.before {
			f.finishes(t)
		}
		require.ErrorContains(t, f.says(c.kind, c.p), text)
		require.ErrorContains(t, f.says(recordData, []byte("later")), text, "it stays")
		require.Empty(t, f.got)
	}
}

// A long message in many small records costs no more than its length.
func TestLongMessage(t *testing.T) {
	t.Parallel()
	f := forge(t)
	message := append([]byte{11, 1, 0, 0}, make([]byte, maxHandshake)...)
	for rest := message; len(rest) > 0; {
		n := min(10, len(rest))
		require.NoError(t, f.says(recordHandshake, rest[:n]))
		rest = rest[n:]
	}
	require.Empty(t, f.o.sides[1].msg)
	f.finishes(t)
	require.NoError(t, f.says(recordData, []byte("data")))
	require.Equal(t, "data", string(f.got))
}
