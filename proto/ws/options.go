package ws

import (
	crand "crypto/rand"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/stream"
)

// Options says how to open a connection and how it behaves. The zero value, and
// a nil *Options, are ready to use. It is never changed here and may be shared by
// any number of connections, with one exception: see Rand.
type Options struct {
	// Header holds extra fields of the opening request: authorization, cookies,
	// User-Agent. The handshake's own fields (Host, Upgrade, Connection,
	// Sec-WebSocket-*, Content-Length, Transfer-Encoding) are refused, as are
	// control characters in names and values.
	Header http.Header
	// Host is the Host field of the request. Default: the URL's.
	Host string
	// Subprotocols are offered in this order of preference; Conn.Subprotocol
	// tells which one the server took, if any.
	Subprotocols []string
	// MaxResponseHeader limits the header of the server's response, in bytes.
	// Default DefaultMaxResponseHeader.
	MaxResponseHeader int

	// Stream is how Dial sets up the connection below. Upgrade and New, which
	// are given one, ignore it.
	Stream stream.Options

	// MaxMessage limits a message received, in bytes, its fragments together, and
	// inflated if it is compressed. A larger one is refused with close code 1009,
	// as soon as a header announces it or the limit is passed in inflating it.
	// Default DefaultMaxMessage.
	MaxMessage int
	// SkipUTF8 switches off the validation of text messages, which costs about
	// 8 ns for 180 bytes of ASCII. Close reasons are always validated.
	SkipUTF8 bool
	// ZeroMask masks with the key 0: payloads then travel as they are. It saves
	// a few ns a message and gives up what masking protects, intermediaries
	// that misread client-chosen bytes as HTTP (RFC 6455, section 10.3). Over
	// TLS to a known server there is none.
	ZeroMask bool
	// Compression asks for permessage-deflate, RFC 7692; Conn.Compression tells
	// what the server agreed to. For New, which makes no handshake, it says what
	// was agreed on. Default nil: none, which costs nothing.
	Compression *Compression
	// SendLimit bounds how many frames are sent in a time; a data write over it
	// answers ErrRateLimited. Default: no limit.
	SendLimit SendLimit
	// CloseTimeout is how long after the first close frame the connection may
	// linger, see Conn.CloseDeadline; and how long the body of a refusal may
	// take. Default DefaultCloseTimeout.
	CloseTimeout time.Duration

	// Clock gives receive times and the close deadline. Default clock.Monotonic.
	Clock clock.Clock
	// Rand is where mask keys and the Sec-WebSocket-Key come from: a seam for
	// tests and replays. It is used on the goroutine that uses the Conn, so one
	// that is not safe for several serves one Conn only. Default: ChaCha8, seeded
	// from crypto/rand, one for each Conn; and crypto/rand for Sec-WebSocket-Key.
	Rand rand.Source
}

// Defaults of Options.
const (
	DefaultMaxMessage        = 32 << 20        // bytes
	DefaultMaxResponseHeader = 64 << 10        // bytes
	DefaultCloseTimeout      = 5 * time.Second // for the close handshake
)

// withDefaults returns a copy with every default filled in, except Rand.
func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.MaxMessage <= 0 {
		d.MaxMessage = DefaultMaxMessage
	}
	if d.MaxResponseHeader <= 0 {
		d.MaxResponseHeader = DefaultMaxResponseHeader
	}
	if d.CloseTimeout <= 0 {
		d.CloseTimeout = DefaultCloseTimeout
	}
	if d.Clock == nil {
		d.Clock = clock.Monotonic{}
	}
	return d
}

// newMaskSource is unpredictable, as section 5.3 demands of mask keys: "The
// masking key needs to be unpredictable".
func newMaskSource() rand.Source {
	var seed [32]byte
	_, _ = crand.Read(seed[:]) // never fails: it ends the process instead
	return rand.NewChaCha8(seed)
}
