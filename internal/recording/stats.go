package recording

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/stats"
)

// TimeField says where the messages of an endpoint have the time of what they tell of.
type TimeField struct {
	Endpoint string // "": any
	Key      string // of JSON, at any depth; its first place counts
	Unit     time.Duration
	// Monotonic: it is CLOCK_MONOTONIC of the machine that recorded, in Unit; else
	// it counts from 1970.
	Monotonic bool
}

// ParseTimeField reads "[ENDPOINT/]KEY:UNIT", the unit being s, ms, us, ns or mono, for
// nanoseconds of CLOCK_MONOTONIC.
func ParseTimeField(s string) (TimeField, error) {
	bad := func(what string) (TimeField, error) {
		return TimeField{}, fmt.Errorf("%q: %s; want [ENDPOINT/]KEY:UNIT, with s, ms, us, ns or mono", s, what)
	}
	at := strings.LastIndexByte(s, ':')
	if at < 0 {
		return bad("no unit")
	}
	f := TimeField{Key: s[:at]}
	if slash := strings.LastIndexByte(f.Key, '/'); slash >= 0 {
		f.Endpoint, f.Key = f.Key[:slash], f.Key[slash+1:]
	}
	if f.Key == "" {
		return bad("no key")
	}
	switch unit := s[at+1:]; unit {
	case "s":
		f.Unit = time.Second
	case "ms":
		f.Unit = time.Millisecond
	case "us":
		f.Unit = time.Microsecond
	case "ns":
		f.Unit = time.Nanosecond
	case "mono":
		f.Unit, f.Monotonic = time.Nanosecond, true
	default:
		return bad("no such unit: " + strconv.Quote(unit))
	}
	return f, nil
}

// find returns the time in a message, in nanoseconds.
func (f *TimeField) find(p []byte) (ns int64, ok bool) {
	key := strconv.AppendQuote(nil, f.Key)
	for {
		at := bytes.Index(p, key)
		if at < 0 {
			return 0, false
		}
		p = bytes.TrimLeft(p[at+len(key):], " \t\r\n")
		if len(p) == 0 || p[0] != ':' {
			continue
		}
		p = bytes.TrimLeft(p[1:], " \t\r\n\"")
		n := 0
		for n < len(p) && (p[n] >= '0' && p[n] <= '9' || p[n] == '.') {
			n++
		}
		whole, fraction, _ := strings.Cut(string(p[:n]), ".")
		v, err := strconv.ParseInt(whole, 10, 64)
		if err != nil || v > (1<<63-1)/int64(f.Unit)-1 {
			continue
		}
		ns = v * int64(f.Unit)
		for unit := int64(f.Unit) / 10; unit > 0 && fraction != ""; unit /= 10 {
			if c := fraction[0]; c >= '0' && c <= '9' {
				ns += int64(c-'0') * unit
			}
			fraction = fraction[1:]
		}
		return ns, true
	}
}

// Series are the figures of the messages that one endpoint received.
type Series struct {
	Endpoint    string
	Messages    uint64
	Bytes, Wire int64 // of payloads; of frames
	Largest     int
	First, Last time.Time
	LongestGap  time.Duration
	GapAt       time.Time // where it begins
	PerSecond   []uint32  // messages, from Stats.Start on
	Busiest     uint32    // of PerSecond

	Between stats.Histogram // from one message to the next, ns
	Kernel  stats.Histogram // from the kernel to the read, ns; once a read
	Event   stats.Histogram // from the time in the message to the read, ns
	Future  uint64          // messages whose time is later than the read
	NoEvent uint64          // messages without a time, of an endpoint that has a field
}

// Rate is the average in messages a second.
func (s *Series) Rate() float64 {
	if d := s.Last.Sub(s.First); d > 0 {
		return float64(s.Messages-1) / d.Seconds()
	}
	return 0
}

// Stats are the figures of a recording.
type Stats struct {
	Start, End time.Time // the first and the last message
	Series     []*Series // by endpoint, in the order of their first message
}

// maxSeconds bounds PerSecond: a week.
const maxSeconds = 7 * 24 * 3600

// Measure reads a recording through. Only messages received count, those that filter
// keeps.
func Measure(rec tape.Recording, filter *Filter, fields []TimeField) (*Stats, error) {
	m, err := ReadMessages(rec)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	g := &gatherer{fields: fields, by: make(map[string]*Series)}
	only := *filter
	only.Received, only.Ops = true, []Op{Text, Binary, Data}
	for {
		found, err := m.Next()
		if err != nil {
			return &g.Stats, notEOF(err)
		}
		if only.Keep(found) {
			g.take(found)
		}
	}
}

type gatherer struct {
	Stats
	fields []TimeField
	by     map[string]*Series
	read   uint64 // the record whose kernel time was counted
}

func (g *gatherer) take(m *Message) {
	if g.Start.IsZero() {
		g.Start = m.Wall
	}
	if m.Wall.After(g.End) {
		g.End = m.Wall
	}
	s := g.by[m.Endpoint]
	if s == nil {
		s = &Series{Endpoint: m.Endpoint, First: m.Wall}
		g.by[m.Endpoint] = s
		g.Series = append(g.Series, s)
	} else {
		gap := m.Wall.Sub(s.Last)
		s.Between.Record(int64(gap))
		if gap > s.LongestGap {
			s.LongestGap, s.GapAt = gap, s.Last
		}
	}
	s.Last = m.Wall
	s.Messages++
	s.Bytes += int64(len(m.Payload))
	s.Wire += int64(m.Wire)
	s.Largest = max(s.Largest, len(m.Payload))
	if second := int(m.Wall.Sub(g.Start) / time.Second); second >= 0 && second < maxSeconds {
		for len(s.PerSecond) <= second {
			s.PerSecond = append(s.PerSecond, 0)
		}
		s.PerSecond[second]++
		s.Busiest = max(s.Busiest, s.PerSecond[second])
	}
	if m.Kernel != 0 && m.Seq != g.read {
		g.read = m.Seq
		s.Kernel.Record(m.Wall.UnixNano() - m.Kernel)
	}
	g.event(s, m)
}

func (g *gatherer) event(s *Series, m *Message) {
	wanted := false
	for i := range g.fields {
		f := &g.fields[i]
		if f.Endpoint != "" && f.Endpoint != m.Endpoint {
			continue
		}
		wanted = true
		at, ok := f.find(m.Payload)
		if !ok {
			continue
		}
		now := m.Wall.UnixNano()
		if f.Monotonic {
			now = m.At
		}
		if at > now {
			s.Future++
		}
		s.Event.Record(now - at)
		return
	}
	if wanted {
		s.NoEvent++
	}
}
