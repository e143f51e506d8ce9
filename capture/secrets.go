package capture

import (
	"bytes"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
)

// Who reads a capture once from front to back needs the secrets before the packets
// which they decrypt; the first of these are read before there are any secrets. So
// from the first bytes that a connection receives below TLS, blocks are held back
// until the last of its secrets has come, and the secrets go in front of them. Who
// waits in vain, as for a handshake that fails, is given up after maxHold.

// awaitKeys begins to hold back what is received, if secrets may come.
func (e *encoder) awaitKeys(f *flow, r *tape.Record) {
	if f.peer.Layer != tape.BelowTLS || f.keys || len(r.Data) == 0 || r.Flags&tape.Setup == 0 {
		return
	}
	f.keys = true
	if e.hold < 0 {
		e.flush()
		e.hold = len(e.buf)
	}
	f.hold = e.holdNo
	e.holders++
}

// unhold says that no more secrets of f are awaited.
func (e *encoder) unhold(f *flow) {
	if e.hold < 0 || f.hold != e.holdNo {
		return
	}
	f.hold = 0
	if e.holders--; e.holders == 0 {
		e.release()
	}
}

// release lets go what was held back.
func (e *encoder) release() {
	if e.hold >= 0 {
		e.hold, e.holders = -1, 0
		e.holdNo++
	}
}

// The labels of the last secrets of a handshake in the order of crypto/tls: of TLS
// 1.3, and of those before it, which have one.
var lastSecrets = [][]byte{[]byte("SERVER_TRAFFIC_SECRET_0 "), []byte("CLIENT_RANDOM ")}

// keys appends secrets: they are a block of their own, where a reader needs it, and
// the record refers to it.
func (e *encoder) keys(f *flow, r *tape.Record) {
	if len(r.Data) == 0 || len(r.Data) > maxInline {
		e.toBatch(r, false)
		return
	}
	if e.hold < 0 {
		e.flush()
	}
	from := len(e.buf)
	e.value = appendMark(e.value[:0], markSecrets, r.Seq)
	e.options = append(e.options[:0], pcapng.Option{Code: pcapng.OptCustom, Value: e.value})
	e.secrets = pcapng.Secrets{Type: pcapng.SecretsTLS, Data: r.Data, Options: e.options}
	e.buf = pcapng.AppendSecrets(e.buf, &e.secrets)
	if e.hold >= 0 {
		block := bytes.Clone(e.buf[from:])
		copy(e.buf[e.hold+len(block):], e.buf[e.hold:from])
		copy(e.buf[e.hold:], block)
		e.hold += len(block)
	}
	e.entry(r, false, true)
	if f != nil && containsAny(r.Data, lastSecrets) {
		e.unhold(f)
	}
}

func containsAny(b []byte, of [][]byte) bool {
	for _, o := range of {
		if bytes.Contains(b, o) {
			return true
		}
	}
	return false
}
