package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// Bounds of what is taken from an answer.
const (
	// MaxChain is how many aliases (CNAME) may stand one behind another.
	MaxChain = 16
	// MaxAddrs is how many addresses of a family a name may have; those above it
	// are left out.
	MaxAddrs = 128
	// maxRecords is how many records a message may hold.
	maxRecords = 1024
)

// answer is what a server says to a question: addresses, or that there are none.
// Nobody changes it once it is made.
type answer struct {
	addrs     []netip.Addr // none: the name does not exist, or has no such address
	exists    bool         // it does exist
	canonical string       // the name at the end of the aliases
	ttl       time.Duration
	keep      bool // it may be kept for ttl; not so a denial without SOA (RFC 2308, section 5)
	open      bool // the aliases end at a name about which the server has said nothing
	origin
}

// origin is where an answer comes from.
type origin struct {
	server    netip.AddrPort
	transport Transport
	rtt       time.Duration
}

// parse reads the answer msg, which q.answers has accepted. Whatever the bytes,
// time and memory are bounded by their number and maxRecords.
func (q question) parse(msg []byte) (*answer, error) {
	r, err := q.read(msg)
	if err != nil {
		return nil, err
	}
	if r.rcode != 0 && r.rcode != NXDomain {
		return nil, r.rcode
	}
	name, ttl, err := r.follow(q.name)
	if err != nil {
		return nil, err
	}
	a := &answer{exists: r.rcode == 0, canonical: name}
	for _, rec := range r.addrs {
		if rec.owner == name && a.exists && len(a.addrs) < MaxAddrs && !slices.Contains(a.addrs, rec.addr) {
			a.addrs = append(a.addrs, rec.addr)
			ttl = min(ttl, rec.ttl)
		}
	}
	switch {
	case len(a.addrs) > 0:
		a.keep = true
	case r.soa && under(name, r.zone):
		a.keep, ttl = true, min(ttl, r.denialTTL)
	case a.exists && r.ns && !r.header.RecursionAvailable && !r.header.Authoritative:
		return nil, ErrLame
	default:
		a.open = a.exists && name != q.name
	}
	a.ttl = time.Duration(ttl) * time.Second
	return a, nil
}

// records are what matters of a message.
type records struct {
	header  dnsmessage.Header
	rcode   RCode // with the bits that OPT adds
	addrs   []addrRecord
	aliases map[string]alias

	soa       bool
	zone      string // of the SOA
	denialTTL uint32 // RFC 2308, section 5
	ns        bool
}

type addrRecord struct {
	owner string
	ttl   uint32
	addr  netip.Addr
}

type alias struct {
	target string
	ttl    uint32
}

// noTTL is above every TTL there is (RFC 2181, section 8: 31 bits).
const noTTL = 1<<31 - 1

// validTTL takes what is not a TTL for 0 (RFC 2181, section 8).
func validTTL(ttl uint32) uint32 {
	if ttl > noTTL {
		return 0
	}
	return ttl
}

// follow goes along the aliases that begin at name and returns the last name,
// and the least TTL on the way.
func (r *records) follow(name string) (last string, ttl uint32, err error) {
	ttl = noTTL
	for range MaxChain + 1 {
		next, ok := r.aliases[name]
		if !ok {
			return name, ttl, nil
		}
		name, ttl = next.target, min(ttl, next.ttl)
	}
	return "", 0, ErrChain
}

// read goes through msg, all three sections.
func (q question) read(msg []byte) (*records, error) {
	var p dnsmessage.Parser
	h, err := p.Start(msg)
	if err == nil {
		err = p.SkipAllQuestions()
	}
	r := &records{header: h, rcode: RCode(h.RCode)}
	count := 0
	for _, section := range []struct {
		next func() (dnsmessage.ResourceHeader, error)
		take func(*dnsmessage.Parser, question, dnsmessage.ResourceHeader) error
	}{
		{p.AnswerHeader, r.answer},
		{p.AuthorityHeader, r.authority},
		{p.AdditionalHeader, r.additional},
	} {
		for err == nil {
			var rh dnsmessage.ResourceHeader
			if rh, err = section.next(); err != nil {
				break
			}
			if count++; count > maxRecords {
				return nil, fmt.Errorf("%w: more than %d records", ErrMalformed, maxRecords)
			}
			err = section.take(&p, q, rh)
		}
		if err == dnsmessage.ErrSectionDone {
			err = nil
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return r, nil
}

func (r *records) answer(p *dnsmessage.Parser, q question, rh dnsmessage.ResourceHeader) error {
	if rh.Class != dnsmessage.ClassINET || rh.Type != q.kind && rh.Type != dnsmessage.TypeCNAME {
		return p.SkipAnswer()
	}
	owner, ttl := text(rh.Name), validTTL(rh.TTL)
	switch {
	case rh.Type == dnsmessage.TypeCNAME:
		c, err := p.CNAMEResource()
		if err != nil {
			return err
		}
		if r.aliases == nil {
			r.aliases = make(map[string]alias)
		}
		if _, ok := r.aliases[owner]; !ok { // a name has one alias (RFC 2181, section 10.1): the first counts
			r.aliases[owner] = alias{text(c.CNAME), ttl}
		}
	case rh.Type == dnsmessage.TypeA:
		a, err := p.AResource()
		if err != nil || rh.Length != 4 {
			return wrongLength(rh, err)
		}
		r.addrs = append(r.addrs, addrRecord{owner, ttl, netip.AddrFrom4(a.A)})
	default:
		a, err := p.AAAAResource()
		if err != nil || rh.Length != 16 {
			return wrongLength(rh, err)
		}
		r.addrs = append(r.addrs, addrRecord{owner, ttl, netip.AddrFrom16(a.AAAA)})
	}
	return nil
}

func wrongLength(rh dnsmessage.ResourceHeader, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("an address of %d bytes", rh.Length)
}

func (r *records) authority(p *dnsmessage.Parser, _ question, rh dnsmessage.ResourceHeader) error {
	switch {
	case rh.Class != dnsmessage.ClassINET:
	case rh.Type == dnsmessage.TypeNS:
		r.ns = true
	case rh.Type == dnsmessage.TypeSOA && !r.soa:
		soa, err := p.SOAResource()
		if err != nil {
			return err
		}
		r.soa, r.zone = true, text(rh.Name)
		r.denialTTL = min(validTTL(rh.TTL), validTTL(soa.MinTTL))
		return nil
	}
	return p.SkipAuthority()
}

func (r *records) additional(p *dnsmessage.Parser, _ question, rh dnsmessage.ResourceHeader) error {
	if rh.Type == dnsmessage.TypeOPT {
		r.rcode = RCode(rh.ExtendedRCode(r.header.RCode))
	}
	return p.SkipAdditional()
}
