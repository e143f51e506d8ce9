package packets

import (
	"errors"
	"fmt"
	"io"
)

// Plain is what a TLS record held.
type Plain struct {
	FromClient bool
	Time       int64  // that of the Add with the record's last byte
	Data       []byte // not empty, unless it is an alert; valid until the function returns
	Alert      Alert
}

// Alert is an alert of TLS (RFC 8446, section 6). The zero value is none.
type Alert struct {
	Level       uint8 // 1 warning, 2 fatal
	Description uint8 // 0 close_notify, …; Error of crypto/tls.AlertError has the words
}

// TLSFacts are what the handshake of a connection says, as far as it was seen.
type TLSFacts struct {
	Random     [32]byte // of the client: what key logs are looked up by
	ServerName string   // the client's; with Encrypted Client Hello that of the outside
	Version    uint16   // as in crypto/tls
	Suite      uint16
	ALPN       string // TLS 1.3: only if the key log has the server's handshake secret
	Retried    bool   // by a HelloRetryRequest
}

// Opener opens a TLS connection that was captured, with the secrets of a key log: TLS
// 1.3 and 1.2 with the cipher suites of AES-GCM, without 0-RTT and renegotiation. It
// keeps at most a part of a record and of a handshake message for each direction. For
// one goroutine.
type Opener struct {
	keys *KeyLog
	fn   func(*Plain)

	facts   TLSFacts
	client  bool // a ClientHello was seen
	early   bool // it offers early data
	server  bool // the ServerHello was seen; then:
	random  [32]byte
	master  [32]byte // TLS 1.2: what its secret is looked up by
	suite   tlsSuite
	sides   [2]tlsSide // of the server, of the client
	plain   Plain
	scratch []byte
}

// NewOpener makes an opener. It calls fn in Add for each record of data and each
// alert, in their order; records without data are left out. What keys is told later
// counts up to the first record that needs it.
func NewOpener(keys *KeyLog, fn func(*Plain)) *Opener {
	return &Opener{keys: keys, fn: fn}
}

// Facts returns what is known up to now.
func (o *Opener) Facts() TLSFacts { return o.facts }

// Add takes the next bytes of a direction, in pieces of any size, which came at a
// time; data is not kept. The directions are to be added in the order in which they
// were captured. An error is a [*TLSError] and is returned again for all that comes
// behind it in that direction; records before it were given out.
func (o *Opener) Add(fromClient bool, time int64, data []byte) error {
	s := o.side(fromClient)
	for len(data) > 0 && s.err == nil {
		var record []byte
		if record, data = s.next(data); s.err == nil && record != nil {
			o.plain = Plain{FromClient: fromClient, Time: time}
			if err := o.record(s, record); err != nil {
				s.err = err
			}
			s.records++
			s.buf = s.buf[:0]
		}
		if s.err != nil {
			s.fail()
		}
	}
	return s.err
}

// Gap says that n bytes of a direction are missing: what comes behind them cannot be
// opened, and Add returns an [ErrGap]. None are missing if n is 0.
func (o *Opener) Gap(fromClient bool, n int64) {
	if s := o.side(fromClient); n > 0 && s.err == nil {
		s.err = s.wrong(ErrGap, "%d bytes are missing", n)
		s.fail()
	}
}

// End says that a direction has ended, and returns its error: that of Add; one that
// wraps io.ErrUnexpectedEOF when it ends inside of a record; or an [ErrDecrypt] when
// there were encrypted records and not one opened.
func (o *Opener) End(fromClient bool) error {
	s := o.side(fromClient)
	switch {
	case s.err != nil:
	case len(s.buf) > 0:
		s.err = s.wrong(io.ErrUnexpectedEOF, "it ends %d bytes into the record", len(s.buf))
	case s.skipped > 0:
		s.err = s.wrong(ErrDecrypt, "none of %d encrypted records opens", s.skipped)
	}
	return s.err
}

func (o *Opener) side(fromClient bool) *tlsSide {
	s := &o.sides[0]
	if fromClient {
		s = &o.sides[1]
	}
	s.client = fromClient
	return s
}

// handshake takes a whole message of the handshake, body without its header. last
// says that the record ends with it.
func (o *Opener) handshake(s *tlsSide, kind byte, body []byte, last bool) error {
	switch kind {
	case msgHelloRequest:
		if s.client {
			return s.wrong(ErrHandshake, "a HelloRequest of the client")
		}
		return nil // the client may decline it
	case msgClientHello:
		return o.clientHello(s, body)
	case msgServerHello:
		return o.serverHello(s, body, last)
	}
	if !o.server {
		return s.wrong(ErrHandshake, "message %d before the hellos: does the capture begin inside of the connection?", kind)
	}
	if o.facts.Version != versionTLS13 {
		return o.handshake12(s, kind, body)
	}
	switch {
	case s.stage == stagePlain:
		return s.wrong(ErrHandshake, "message %d is not encrypted", kind)
	case kind == msgEncryptedExtensions && !s.client && s.stage == stageHandshake:
		alpn, ok := parseEncryptedExtensions(body)
		if !ok {
			return s.wrong(ErrHandshake, "malformed EncryptedExtensions")
		}
		o.facts.ALPN = alpn
	case kind == msgFinished && s.stage == stageHandshake:
		if !last {
			return s.wrong(ErrHandshake, "more behind Finished in its record")
		}
		s.stage, s.keys = stageData, nil
	case kind == msgKeyUpdate:
		if s.stage != stageData || !last || len(body) != 1 || body[0] > 1 {
			return s.wrong(ErrHandshake, "malformed KeyUpdate")
		}
		keys, err := o.suite.update(s.keys)
		if err != nil {
			return s.wrong(err, "KeyUpdate")
		}
		s.keys = keys
	}
	return nil
}

func (o *Opener) handshake12(s *tlsSide, kind byte, body []byte) error {
	switch kind {
	case msgServerHelloDone: // not resumed
		o.master = o.facts.Random
	case msgNewSessionTicket:
		ticket, ok := parseTicket(body)
		if !ok || s.client {
			return s.wrong(ErrHandshake, "malformed NewSessionTicket")
		}
		o.keys.learn(ticket, o.master)
	}
	return nil
}

func (o *Opener) clientHello(s *tlsSide, body []byte) error {
	h, ok := parseClientHello(body)
	switch {
	case !s.client:
		return s.wrong(ErrHandshake, "a ClientHello of the server")
	case !ok:
		return s.wrong(ErrHandshake, "malformed ClientHello")
	case o.server:
		return s.wrong(ErrRenegotiation, "a second ClientHello")
	case o.client && (!o.facts.Retried || h.random != o.facts.Random):
		return s.wrong(ErrHandshake, "a second ClientHello that was not asked for")
	}
	o.client, o.early = true, h.early
	o.facts.Random, o.facts.ServerName = h.random, h.serverName
	o.resume(h.ticket)
	return nil
}

func (o *Opener) serverHello(s *tlsSide, body []byte, last bool) error {
	h, ok := parseServerHello(body)
	switch {
	case s.client:
		return s.wrong(ErrHandshake, "a ServerHello of the client")
	case !o.client:
		return s.wrong(ErrHandshake, "a ServerHello without a ClientHello")
	case !ok:
		return s.wrong(ErrHandshake, "malformed ServerHello")
	case o.server:
		return s.wrong(ErrRenegotiation, "a second ServerHello")
	case h.retry && o.facts.Retried:
		return s.wrong(ErrHandshake, "a second HelloRetryRequest")
	case len(o.side(true).msg) > 0:
		return s.wrong(ErrHandshake, "a ServerHello inside of a message of the client")
	case h.version == versionTLS13 && !last:
		return s.wrong(ErrHandshake, "more behind ServerHello in its record")
	case o.facts.Retried && (h.version != versionTLS13 || h.suite != o.facts.Suite):
		return s.wrong(ErrHandshake, "the ServerHello is not what the HelloRetryRequest was")
	}
	o.facts.Version, o.facts.Suite = h.version, h.suite
	if o.suite, ok = findSuite(h.version, h.suite); !ok {
		err := s.wrong(&SuiteError{Version: h.version, Suite: h.suite}, "")
		if c := o.side(true); c.err == nil {
			c.err = c.wrong(err.Err, "")
			c.fail()
		}
		return err
	}
	if h.retry {
		o.facts.Retried = true
		return nil
	}
	o.server, o.random, o.facts.ALPN = true, h.random, h.alpn
	if h.version == versionTLS13 {
		for i := range o.sides {
			o.sides[i].stage = stageHandshake
		}
	}
	return nil
}

// traffic looks up a secret and makes keys of it: none without an error if it is not
// needed.
func (o *Opener) traffic(s *tlsSide, label keyLabel, needed bool) (*recordKeys, error) {
	secret := o.keys.secret(o.facts.Random, label)
	if secret == nil && label == masterSecret {
		secret = o.keys.secret(o.master, label)
	}
	if secret == nil {
		if !needed {
			return nil, nil
		}
		return nil, s.wrong(ErrNoKeys, "the key log has no line %v %x", label, o.facts.Random)
	}
	var keys *recordKeys
	var err error
	if label == masterSecret {
		keys, err = o.suite.masterKeys(secret, o.facts.Random, o.random, s.client)
	} else if n := o.suite.hash().Size(); len(secret) != n {
		return nil, s.wrong(ErrDecrypt, "%v has %d bytes in the key log, %d are needed", label, len(secret), n)
	} else {
		keys, err = o.suite.trafficKeys(secret)
	}
	if err != nil {
		return nil, s.wrong(err, "keys of %v", label)
	}
	return keys, nil
}

// wrong makes the error of a direction.
func (s *tlsSide) wrong(err error, format string, args ...any) *TLSError {
	var is *TLSError
	if errors.As(err, &is) {
		return is
	}
	return &TLSError{Err: err, FromClient: s.client, Record: s.records, Detail: fmt.Sprintf(format, args...)}
}
