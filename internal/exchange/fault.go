package exchange

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Kind names a fault. The names are used in Fault, in URLs and in Stats.
type Kind string

// The faults of a connection that is open.
const (
	Close          Kind = "close"           // close frame with Code and Reason
	FIN            Kind = "fin"             // end of file without a close frame
	RST            Kind = "rst"             // TCP reset
	Stall          Kind = "stall"           // silence for For, 0: for ever; pings meanwhile are never answered
	Split          Kind = "split"           // from now on, writes of 1 to 64 bytes with a pause of For
	Garbage        Kind = "garbage"         // random bytes instead of a frame
	BadOpcode      Kind = "bad-opcode"      // reserved opcode 3
	BadMask        Kind = "bad-mask"        // masked frame
	BadRSV         Kind = "bad-rsv"         // RSV1 without an extension
	BadUTF8        Kind = "bad-utf8"        // text that is not UTF-8
	BadLength      Kind = "bad-length"      // 64-bit length with its top bit set
	BadMinimal     Kind = "bad-minimal"     // length of 5 in 16 bits
	BadOversize    Kind = "bad-oversize"    // length of 1 TiB
	BadUnfinished  Kind = "bad-unfinished"  // half a frame, then end of file
	BadControl     Kind = "bad-control"     // ping of 126 bytes
	BadFragment    Kind = "bad-fragment"    // fragmented ping
	BadOrphan      Kind = "bad-orphan"      // continuation of nothing
	BadInterleaved Kind = "bad-interleaved" // new message inside a fragmented one
	BadCloseBody   Kind = "bad-close-body"  // close frame with a body of one byte
	BadCloseCode   Kind = "bad-close-code"  // close frame with code 1005
)

// The faults of an upgrade: of the next connections, or in the URL.
const (
	Refuse         Kind = "refuse"          // HTTP status Code; Retry after For where it is set
	UpgradeGarbage Kind = "upgrade-garbage" // random bytes instead of an answer
	UpgradeDrop    Kind = "upgrade-drop"    // end of file instead of an answer
	UpgradeHang    Kind = "upgrade-hang"    // no answer at all
	UpgradeDrip    Kind = "upgrade-drip"    // the answer byte by byte, with a pause of For
	UpgradeAccept  Kind = "upgrade-accept"  // wrong Sec-WebSocket-Accept
)

// Fault is something that goes wrong on purpose.
type Fault struct {
	Kind Kind
	// Code is the close code of Close (default 1001), or the HTTP status of
	// Refuse (300 to 599, default 503; 302 gets a Location, 429 a Retry-After).
	Code int
	// Reason is the reason in the close frame of Close; at most 123 bytes are sent.
	Reason string
	// For is the length of a Stall; the pause between two pieces of Split and
	// UpgradeDrip; and the Retry-After of Refuse, in whole seconds.
	For time.Duration
	// AfterMessages lets so many more data messages go first, exactly.
	AfterMessages uint64
	// After waits so long first. Upgrades do not wait for either.
	After time.Duration
}

// ErrFault says that a fault cannot be made; it comes wrapped with the reason.
var ErrFault = errors.New("exchange: bad fault")

const (
	maxPiece = 64 // of Split, in bytes
	// answerTime is how long a client has to answer a broken frame before it is cut off.
	answerTime   = 5 * time.Second
	dropSlow     = "slow" // reason of a drop
	oversize     = 1 << 40
	garbageBytes = 256
)

// trait is what the code needs to know of a kind.
type trait struct {
	upgrade bool
	last    bool          // no data follow
	bytes   func() []byte // what a Bad kind writes
}

var traits = map[Kind]trait{
	Close: {last: true}, FIN: {last: true}, RST: {last: true}, Stall: {}, Split: {}, Garbage: {last: true},
	BadOpcode: broken(frame.Header{Fin: true, Opcode: 3, Length: 2}, "{}"),
	BadMask:   broken(frame.Header{Fin: true, Opcode: frame.Text, Masked: true, Length: 2}, "{}"),
	BadRSV:    broken(frame.Header{Fin: true, Rsv: 4, Opcode: frame.Text, Length: 2}, "{}"),
	BadUTF8:   broken(frame.Header{Fin: true, Opcode: frame.Text, Length: 2}, "\xc3\x28"),
	BadLength: {last: true, bytes: func() []byte {
		return []byte{0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 2, '{', '}'}
	}},
	BadMinimal: {last: true, bytes: func() []byte {
		return []byte{0x81, 126, 0, 5, '[', '1', '2', '3', ']'}
	}},
	BadOversize:   broken(frame.Header{Fin: true, Opcode: frame.Text, Length: oversize}, "{}"),
	BadUnfinished: broken(frame.Header{Fin: true, Opcode: frame.Text, Length: 100}, `{"half":"a message`),
	BadControl:    broken(frame.Header{Fin: true, Opcode: frame.Ping, Length: 126}, strings.Repeat("x", 126)),
	BadFragment:   broken(frame.Header{Opcode: frame.Ping, Length: 1}, "x"),
	BadOrphan:     broken(frame.Header{Fin: true, Opcode: frame.Continuation, Length: 2}, "{}"),
	BadInterleaved: {last: true, bytes: func() []byte {
		return []byte{0x01, 1, '{', 0x81, 2, '{', '}'}
	}},
	BadCloseBody: broken(frame.Header{Fin: true, Opcode: frame.Close, Length: 1}, "\x03"),
	BadCloseCode: broken(frame.Header{Fin: true, Opcode: frame.Close, Length: 2}, "\x03\xed"),

	Refuse: {upgrade: true}, UpgradeGarbage: {upgrade: true}, UpgradeDrop: {upgrade: true},
	UpgradeHang: {upgrade: true}, UpgradeDrip: {upgrade: true}, UpgradeAccept: {upgrade: true},
}

func broken(h frame.Header, payload string) trait {
	return trait{last: true, bytes: func() []byte { return append(frame.AppendHeader(nil, h), payload...) }}
}

func (k Kind) onUpgrade() bool { return traits[k].upgrade }

// Kinds returns all kinds of faults in alphabetical order.
func Kinds() []Kind {
	all := make([]Kind, 0, len(traits))
	for k := range traits {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// RandomFaults returns what a random schedule picks from by default: the ways of
// disconnecting, stalls of a second, and garbage.
func RandomFaults() []Fault {
	return []Fault{{Kind: Close}, {Kind: FIN}, {Kind: RST}, {Kind: Stall, For: time.Second}, {Kind: Garbage}}
}

func (f Fault) check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: "+format, append([]any{ErrFault}, args...)...)
	}
	switch _, ok := traits[f.Kind]; {
	case !ok:
		return bad("unknown kind %q", f.Kind)
	case f.For < 0 || f.After < 0:
		return bad("%s: negative time", f.Kind)
	case f.Kind == Close && f.Code != 0 && (f.Code < 1000 || f.Code > 4999):
		return bad("close code %d, want 1000 to 4999", f.Code)
	case f.Kind == Refuse && f.Code != 0 && (f.Code < 300 || f.Code > 599):
		return bad("status %d, want 300 to 599", f.Code)
	}
	return nil
}

// ParseFault reads a fault from a URL's query: fault=KIND, and as needed
// after=500 (messages) or after=2s, for=3s, code=1008, reason=TEXT. Errors: ErrFault.
func ParseFault(q url.Values) (Fault, error) {
	f := Fault{Kind: Kind(q.Get("fault")), Reason: q.Get("reason")}
	var err error
	if v := q.Get("after"); v != "" {
		if f.AfterMessages, err = strconv.ParseUint(v, 10, 62); err != nil {
			if f.After, err = time.ParseDuration(v); err != nil {
				return f, fmt.Errorf("%w: after=%q is neither a number of messages nor a duration", ErrFault, v)
			}
		}
	}
	if v := q.Get("for"); v != "" {
		if f.For, err = time.ParseDuration(v); err != nil {
			return f, fmt.Errorf("%w: for=%q is no duration", ErrFault, v)
		}
	}
	if v := q.Get("code"); v != "" {
		if f.Code, err = strconv.Atoi(v); err != nil {
			return f, fmt.Errorf("%w: code=%q is no number", ErrFault, v)
		}
	}
	return f, f.check()
}

// queryFault reads the fault in the URL of an upgrade, if there is one.
func queryFault(q url.Values) (f Fault, asked bool, err error) {
	if !q.Has("fault") {
		return Fault{}, false, nil
	}
	f, err = ParseFault(q)
	return f, true, err
}

// ask makes f happen on an open connection, now or when it is due; false: it is
// ending by itself. Any goroutine.
func (c *conn) ask(f Fault) bool {
	if f.After > 0 {
		wait := f.After
		f.After = 0
		c.timers.after(wait, func() { c.ask(f) })
		return true
	}
	return c.out.at(f.AfterMessages, traits[f.Kind].last, func() { c.fault(f) }) == nil
}

// fault makes f happen, between two frames. Writer only.
func (c *conn) fault(f Fault) {
	c.srv.stats.fault(f.Kind)
	switch f.Kind {
	case Close:
		code := frame.CloseGoingAway
		if f.Code != 0 {
			code = frame.CloseCode(f.Code)
		}
		c.closing.Store(true)
		c.killAt.Store(clock.Nano() + int64(endTime))
		c.writeOrAbort(serverFrame(frame.Close, frame.AppendClose(nil, code, f.Reason)))
	case FIN:
		c.killAt.Store(clock.Nano() + int64(endTime))
		c.sock.fin()
	case RST:
		c.sock.reset()
		c.abort("")
	case Stall:
		c.stalled.Store(true)
		if f.For == 0 {
			<-c.gone
		} else {
			c.sleep(f.For)
		}
		c.lastPong.Store(clock.Nano())
		c.stalled.Store(false)
	case Split:
		c.split.Store(1 + int64(f.For))
	case Garbage:
		c.killAt.Store(clock.Nano() + int64(answerTime))
		c.writeOrAbort(c.garbage())
	default:
		c.killAt.Store(clock.Nano() + int64(answerTime))
		c.writeOrAbort(traits[f.Kind].bytes())
		if f.Kind == BadUnfinished {
			c.sock.fin()
		}
	}
}

func (c *conn) writeOrAbort(p []byte) {
	if c.write(p) != nil {
		c.abort("write")
	}
}

// garbage returns random bytes that cannot be taken for a frame: all RSV bits are set.
func (c *conn) garbage() []byte {
	b := make([]byte, garbageBytes)
	for i := range b {
		b[i] = byte(c.random.Uint32())
	}
	b[0] |= 0x70
	return b
}

// spoil answers an upgrade with f and ends the connection.
func (c *conn) spoil(f Fault) {
	c.srv.stats.fault(f.Kind)
	switch f.Kind {
	case Refuse:
		status := f.Code
		if status == 0 {
			status = http.StatusServiceUnavailable
		}
		no := refuse(status, "refused as asked")
		no.header = make(http.Header)
		if retry := int(f.For / time.Second); retry > 0 || status == http.StatusTooManyRequests {
			no.header.Set("Retry-After", strconv.Itoa(max(retry, 1)))
		}
		if status/100 == 3 {
			no.header.Set("Location", c.srv.URL()+"/elsewhere")
		}
		c.answer(no)
	case UpgradeGarbage:
		_ = c.out.putControl(c.garbage(), false)
		c.leave()
	case UpgradeDrop:
		c.leave()
	case UpgradeHang:
		c.killAt.Store(0)
		_, _ = io.Copy(io.Discard, c.net) // until the client has had enough
	}
}

// drip writes p byte by byte. Writer only.
func (c *conn) drip(p []byte, pause time.Duration) {
	for i := range p {
		if i > 0 && pause > 0 && !c.sleep(pause) {
			return
		}
		c.writeOrAbort(p[i : i+1])
	}
}
