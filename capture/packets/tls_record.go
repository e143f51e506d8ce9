package packets

import (
	"encoding/binary"
	"errors"
)

// Bounds of TLS.
const (
	recordHeader  = 5
	maxPlaintext  = 1 << 14             // RFC 8446, section 5.1
	maxCiphertext = maxPlaintext + 2048 // RFC 5246, section 6.2.3; 256 in TLS 1.3
	// maxHandshake is how long a handshake message may be.
	maxHandshake = 1 << 16
	// maxSkipped is how many encrypted records may stand before the first one of data,
	// if there are no handshake secrets.
	maxSkipped = 64
)

const (
	recordChangeCipherSpec = 20
	recordAlert            = 21
	recordHandshake        = 22
	recordData             = 23
	recordHeartbeat        = 24
)

const (
	msgHelloRequest        = 0
	msgClientHello         = 1
	msgServerHello         = 2
	msgNewSessionTicket    = 4
	msgEncryptedExtensions = 8
	msgServerHelloDone     = 14
	msgFinished            = 20
	msgKeyUpdate           = 24
)

// tlsStage is what the records of a direction are encrypted with.
type tlsStage int

const (
	stagePlain     tlsStage = iota
	stageHandshake          // TLS 1.3: the handshake secrets
	stageData
)

// tlsSide is a direction of a connection.
type tlsSide struct {
	client  bool
	stage   tlsStage
	keys    *recordKeys // of the stage; nil until the first record that needs them
	buf     []byte      // a part of a record
	msg     []byte      // a part of a handshake message
	records int
	skipped int // records that did not open, as of the handshake
	err     error
}

// fail lets go of what is of no use after an error.
func (s *tlsSide) fail() { s.buf, s.msg, s.keys = nil, nil, nil }

// next returns the next whole record, if there is one, and the rest of data. The
// record is part of data or of buf.
func (s *tlsSide) next(data []byte) (record, rest []byte) {
	need := recordHeader
	if len(s.buf) == 0 && len(data) >= need {
		if need += s.length(data); s.err != nil {
			return nil, nil
		}
		if len(data) >= need {
			return data[:need:need], data[need:]
		}
	}
	if n := recordHeader - len(s.buf); n > 0 {
		n = min(n, len(data))
		s.buf, data = append(s.buf, data[:n]...), data[n:]
		if len(s.buf) < recordHeader {
			return nil, nil
		}
	}
	need = recordHeader + s.length(s.buf)
	if s.err != nil {
		return nil, nil
	}
	n := min(need-len(s.buf), len(data))
	s.buf, data = append(s.buf, data[:n]...), data[n:]
	if len(s.buf) < need {
		return nil, nil
	}
	return s.buf, data
}

// length checks the header of a record and returns how long its body is.
func (s *tlsSide) length(header []byte) int {
	n := int(binary.BigEndian.Uint16(header[3:]))
	switch {
	case header[0] < recordChangeCipherSpec || header[0] > recordHeartbeat || header[1] != 3:
		err := ErrRecord
		if s.records == 0 {
			err = ErrNotTLS
		}
		s.err = s.wrong(err, "it begins with % x", header[:recordHeader])
	case n > maxCiphertext:
		s.err = s.wrong(ErrRecord, "%d bytes, over %d", n, maxCiphertext)
	}
	return n
}

// record takes a whole record.
func (o *Opener) record(s *tlsSide, record []byte) error {
	kind, header, body := record[0], record[:recordHeader], record[recordHeader:]
	if kind == recordChangeCipherSpec {
		return o.changeCipherSpec(s, body)
	}
	if s.stage == stagePlain {
		return o.content(s, kind, body)
	}
	if o.facts.Version != versionTLS13 {
		return o.open12(s, kind, header, body)
	}
	if kind == recordAlert && s.stage == stageHandshake && len(body) == 2 {
		return o.content(s, kind, body) // of one who has no keys yet
	}
	if kind != recordData {
		return s.wrong(ErrRecord, "of type %d, where all are encrypted", kind)
	}
	if s.stage == stageHandshake && o.early && s.client {
		return o.afterEarly(s, header, body)
	}
	return o.open13(s, header, body)
}

// changeCipherSpec takes a record which in TLS 1.2 says that those behind it are
// encrypted, and in TLS 1.3 nothing (RFC 8446, appendix D.4).
func (o *Opener) changeCipherSpec(s *tlsSide, body []byte) error {
	if len(body) != 1 || body[0] != 1 {
		return s.wrong(ErrRecord, "malformed ChangeCipherSpec")
	}
	if !o.server || o.facts.Version == versionTLS13 {
		return nil
	}
	if s.stage == stageData {
		return s.wrong(ErrRenegotiation, "a second ChangeCipherSpec")
	}
	if len(s.msg) > 0 {
		return s.wrong(ErrHandshake, "a ChangeCipherSpec inside of a message")
	}
	s.stage = stageData
	return nil
}

func (o *Opener) open12(s *tlsSide, kind byte, header, body []byte) (err error) {
	if s.keys == nil {
		if s.keys, err = o.traffic(s, masterSecret, true); err != nil {
			return err
		}
	}
	p, ok := s.keys.open12(o.room(), header, body)
	if !ok {
		return s.wrong(ErrDecrypt, "")
	}
	return o.content(s, kind, p)
}

// open13 opens a record with the keys of its stage. Where there are no handshake
// secrets, what does not open with those of the data is taken as of the handshake.
func (o *Opener) open13(s *tlsSide, header, body []byte) (err error) {
	handshake, data := serverHandshake, serverTraffic
	if s.client {
		handshake, data = clientHandshake, clientTraffic
	}
	if s.keys == nil && s.stage == stageHandshake {
		if s.keys, err = o.traffic(s, handshake, false); err != nil {
			return err
		}
	}
	skip := s.keys == nil && s.stage == stageHandshake || s.skipped > 0
	if s.keys == nil {
		if s.keys, err = o.traffic(s, data, true); err != nil {
			return err
		}
		if skip {
			s.stage = stageData
		}
	}
	p, ok := s.keys.open13(o.room(), header, body)
	if !ok {
		if s.skipped++; skip && s.skipped <= maxSkipped {
			return nil
		}
		return s.wrong(ErrDecrypt, "")
	}
	s.skipped = 0
	n := len(p)
	for n > 0 && p[n-1] == 0 {
		n-- // padding
	}
	if n == 0 {
		return s.wrong(ErrRecord, "without a type")
	}
	return o.content(s, p[n-1], p[:n-1])
}

// afterEarly takes a record of a client that has offered early data: it is such, if
// it does not open as one of the handshake.
func (o *Opener) afterEarly(s *tlsSide, header, body []byte) (err error) {
	if s.keys == nil {
		if s.keys, err = o.traffic(s, clientHandshake, false); err != nil {
			return err
		}
	}
	if s.keys == nil {
		return s.wrong(ErrEarlyData, "the client has offered it, and there is no handshake secret to tell it apart")
	}
	if err = o.open13(s, header, body); errors.Is(err, ErrDecrypt) {
		return s.wrong(ErrEarlyData, "a record before the client's Finished does not open")
	}
	return err
}

// room is where a record is opened.
func (o *Opener) room() []byte {
	if o.scratch == nil {
		o.scratch = make([]byte, 0, maxCiphertext)
	}
	return o.scratch[:0]
}

// content takes what a record holds.
func (o *Opener) content(s *tlsSide, kind byte, p []byte) error {
	if len(p) > maxPlaintext {
		return s.wrong(ErrRecord, "%d bytes of content, over %d", len(p), maxPlaintext)
	}
	if len(s.msg) > 0 && kind != recordHandshake {
		return s.wrong(ErrHandshake, "a record of type %d inside of a message", kind)
	}
	switch kind {
	case recordHandshake:
		return o.messages(s, p)
	case recordAlert:
		if len(p) != 2 {
			return s.wrong(ErrRecord, "an alert of %d bytes", len(p))
		}
		o.plain.Alert = Alert{Level: p[0], Description: p[1]}
		o.give()
	case recordData:
		switch {
		case s.stage == stagePlain && s.client && o.early:
			return s.wrong(ErrEarlyData, "data before the ServerHello")
		case s.stage == stagePlain:
			return s.wrong(ErrHandshake, "data before the handshake: does the capture begin inside of the connection?")
		case s.stage == stageHandshake:
			return s.wrong(ErrHandshake, "data before Finished")
		}
		if len(p) > 0 {
			o.plain.Data = p
			o.give()
		}
	case recordHeartbeat:
	default:
		return s.wrong(ErrRecord, "content of type %d", kind)
	}
	return nil
}

func (o *Opener) give() {
	if o.fn != nil {
		o.fn(&o.plain)
	}
}

// messages takes handshake bytes: the whole messages among them, and a part of one.
func (o *Opener) messages(s *tlsSide, p []byte) error {
	s.msg = append(s.msg, p...)
	p = s.msg
	for len(p) >= 4 {
		n := int(p[1])<<16 | int(p[2])<<8 | int(p[3])
		if n > maxHandshake {
			return s.wrong(ErrHandshake, "message %d of %d bytes, over %d", p[0], n, maxHandshake)
		}
		if len(p) < 4+n {
			break
		}
		kind, body := p[0], p[4:4+n]
		p = p[4+n:]
		if err := o.handshake(s, kind, body, len(p) == 0); err != nil {
			return err
		}
	}
	switch {
	case len(p) == 0:
		s.msg = nil
	case len(p) < len(s.msg):
		s.msg = append(s.msg[:0], p...)
	}
	return nil
}
