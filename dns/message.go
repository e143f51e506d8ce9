package dns

import (
	"fmt"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// maxUDP is the size of datagram that we say we take: it passes every path
	// without fragments.
	maxUDP = 1232
	// plainUDP is the size that all may send (RFC 1035, section 4.2.1).
	plainUDP = 512
	// headerSize is that of a message (RFC 1035, section 4.1.1).
	headerSize = 12
)

// question is what is asked for, and the key of the cache. The name is as
// normalize makes it.
type question struct {
	name string
	kind dnsmessage.Type // TypeA or TypeAAAA
}

// kindName is "A" or "AAAA".
func (q question) kindName() string {
	if q.kind == dnsmessage.TypeA {
		return "A"
	}
	return "AAAA"
}

// pack makes the query (RFC 1035, section 4.1).
func (q question) pack(id uint16, edns bool) ([]byte, error) {
	name, err := dnsmessage.NewName(q.name + ".")
	if err != nil {
		return nil, fmt.Errorf("dns: %q: %w", q.name, err)
	}
	b := dnsmessage.NewBuilder(make([]byte, 0, plainUDP), dnsmessage.Header{ID: id, RecursionDesired: true})
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(dnsmessage.Question{Name: name, Type: q.kind, Class: dnsmessage.ClassINET}); err != nil {
		return nil, err
	}
	if edns {
		if err := b.StartAdditionals(); err != nil {
			return nil, err
		}
		var h dnsmessage.ResourceHeader
		if err := h.SetEDNS0(maxUDP, dnsmessage.RCodeSuccess, false); err != nil {
			return nil, err
		}
		if err := b.OPTResource(h, dnsmessage.OPTResource{}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

// answers reports whether msg is the answer to q with that id (RFC 5452, section
// 9.1); where it came from is the socket's business. A server older than EDNS may
// send a bare header with FORMERR.
func (q question) answers(msg []byte, id uint16) (h dnsmessage.Header, ok bool) {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err != nil || h.ID != id || !h.Response || h.OpCode != 0 {
		return h, false
	}
	asked, err := p.Question()
	if err == dnsmessage.ErrSectionDone {
		return h, RCode(h.RCode) == FormErr && len(msg) == headerSize
	}
	if err != nil || asked.Type != q.kind || asked.Class != dnsmessage.ClassINET || text(asked.Name) != q.name {
		return h, false
	}
	_, err = p.Question()
	return h, err == dnsmessage.ErrSectionDone
}

// text is a name of the wire as normalize would have it.
func text(n dnsmessage.Name) string { return lower(n.Data[:max(int(n.Length), 1)-1]) }
