package ws

import (
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/valyala/bytebufferpool"
)

// Message is a whole data message.
type Message struct {
	// Op is frame.Text or frame.Binary.
	Op frame.Opcode
	// Payload is a view, valid until the next Fill, Release, Lend or Discard of
	// the Conn it came from. It may be changed in place.
	Payload []byte
}

// Control is a control frame that was received.
type Control struct {
	// Op is frame.Ping, frame.Pong or frame.Close.
	Op frame.Opcode
	// Payload is the frame's, at most 125 bytes.
	Payload []byte
	// Code and Reason are what a close frame said; Code is CloseNoStatus when it
	// had no body.
	Code   frame.CloseCode
	Reason []byte
}

// Counters count since the connection was made.
type Counters struct {
	Reads        int64 // network reads that brought bytes
	BytesRead    int64 // bytes of the stream received, without the opening handshake
	Frames       int64 // frames received, control frames too; a fragment is one
	Messages     int64 // data messages given out
	PayloadBytes int64 // their bytes
	Pings        int64 // pings received
	Pongs        int64 // pongs received
	Writes       int64 // frames sent, control frames too
	BytesWritten int64 // their bytes
	Refused      int64 // messages refused with stream.ErrBackPressured
}

// Conn is a client connection. One goroutine at a time uses it. It must not be
// copied. Get one from Dial, Upgrade or New.
type Conn struct {
	// OnControl, if not nil, is called from within Next, HasNext and Fill with
	// each control frame received, after it was answered. What it is given is
	// only valid until the callback returns. It may write and Close, but not
	// read. Set it before the first read.
	OnControl func(Control)

	// OnQueued, if not nil, is called from within writes and reads when a frame
	// was not wholly taken by the kernel, be it the user's, a pong or a close
	// frame: whoever drives the Conn then watches for writability and calls
	// Flush. It must not use the Conn. Set it before the first write.
	OnQueued func()

	// OnClosing, if not nil, is called when our close frame was sent or is owed:
	// whoever drives the Conn then watches CloseDeadline.
	OnClosing func()

	// OnRenewed, if not nil, is what Ready calls.
	OnRenewed func()

	// The input: buf[r:w] was read and is not consumed. buf is scratch.In, or nil
	// between Release and the next read; stash[stashAt:] comes after buf[r:w].
	buf     []byte
	r, w    int
	stash   *bytebufferpool.ByteBuffer
	stashAt int

	// The message under way, if open: asm[msgAt:]. Messages given out since the
	// last Fill lie before it.
	open    bool // the next data frame continues a message, or is cut
	inFrame bool // left bytes of a data frame's payload are still to come
	fin     bool // and it is the last frame of its message
	op      frame.Opcode
	left    uint64
	msgAt   int
	asm     *bytebufferpool.ByteBuffer
	text    frame.UTF8

	// What permessage-deflate needs, nil where it was not agreed on.
	packed   bool // the message under way is compressed
	inflater *inflater
	deflater *deflater
	agreed   *Compression

	// The message that HasNext found. heldAt is where its frame begins in buf,
	// -1 when it lies in asm.
	held    bool
	heldAt  int
	pending Message

	checkUTF8  bool
	zeroMask   bool
	maxMessage int
	received   int64
	stamped    stream.Stamped // s, if its reads are stamped
	wall       clock.Wall
	converter  clock.Converter // the clock, if it is one; else wall
	count      Counters

	fragments frame.Opcode // of the message being sent in fragments; 0: none
	claim     []byte       // what Claim gave out, behind room for a header
	claimOp   frame.Opcode

	s       stream.Stream
	scratch *stream.Scratch
	lent    bool
	clock   clock.Clock
	rand    rand.Source

	// The end.
	gate      error       // what data writes answer, nil while open
	err       *CloseError // the connection has ended
	readErr   error       // nothing more will be read
	writeErr  *CloseError // nothing more can be written
	closeSent bool
	sent      frame.CloseCode
	deadline  int64
	timeout   time.Duration

	// One control frame: the last one written, and while owed > 0 one of that
	// many bytes that could not be written yet.
	owed int
	ctl  [frame.MaxHeaderSize + frame.MaxControlPayload]byte

	sends       *sendLog // nil: as many frames as one likes
	id          uint32
	subprotocol string
	response    http.Header
}

// New makes a connection of a stream on which the opening handshake is already
// done. readAhead, which is copied, is what was read beyond it. o may be nil.
// The Conn owns s from now on.
func New(s stream.Stream, o *Options, readAhead []byte) *Conn {
	d := o.withDefaults()
	c := &Conn{
		s:          s,
		stamped:    stampedStream(s),
		checkUTF8:  !d.SkipUTF8,
		zeroMask:   d.ZeroMask,
		maxMessage: d.MaxMessage,
		timeout:    d.CloseTimeout,
		clock:      d.Clock,
		rand:       d.Rand,
	}
	c.converter, _ = d.Clock.(clock.Converter)
	if c.rand == nil && !c.zeroMask {
		c.rand = newMaskSource()
	}
	if z := d.Compression; z != nil {
		c.agreed = z.withDefaults()
		c.inflater, c.deflater = newInflater(c.agreed, c.maxMessage), newDeflater(c.agreed)
	}
	c.sends = newSendLog(d.SendLimit)
	c.received = c.clock.Now()
	if len(readAhead) > 0 {
		c.count.BytesRead = int64(len(readAhead))
		c.stash = stashes.Get()
		c.stash.B = append(c.stash.B, readAhead...)
	}
	return c
}

// Err is nil while the connection is usable, and the *CloseError that ended it
// afterwards; ErrNotConnected for a nil *Conn. Messages received before the end
// are given out before Err reports it.
func (c *Conn) Err() error {
	if c == nil {
		return ErrNotConnected
	}
	if c.err == nil {
		return nil
	}
	return c.err
}

// Received is when the last read that brought bytes was made, in nanoseconds of
// the clock: one time for all messages of that read. KernelTime is the kernel's.
func (c *Conn) Received() int64 { return c.received }

// Counters returns the counts so far.
func (c *Conn) Counters() Counters { return c.count }

// ID is the connection's number, given by its owner with SetID; 0 at first.
func (c *Conn) ID() uint32 { return c.id }

// SetID sets what ID returns.
func (c *Conn) SetID(id uint32) { c.id = id }

// Ready says that this connection, made to renew another one of its endpoint, is
// ready to take its place (endpoint.Policy.TimeToLive). It does nothing on any
// other connection.
func (c *Conn) Ready() {
	if c != nil && c.OnRenewed != nil {
		c.OnRenewed()
	}
}

// Stream is the stream below. Whoever watches it for readiness asks it for its
// Source; nobody else may read or write it.
func (c *Conn) Stream() stream.Stream { return c.s }

// Subprotocol is the one that the server took of those offered, "" if none.
func (c *Conn) Subprotocol() string { return c.subprotocol }

// Compression is what was agreed on with the server, nil when messages are not
// compressed. It must not be changed.
func (c *Conn) Compression() *Compression { return c.agreed }

// ResponseHeader is the header of the server's answer to the opening handshake,
// nil for a Conn made by New.
func (c *Conn) ResponseHeader() http.Header { return c.response }

// Discard closes the stream and gives all pooled memory back. All views die. It
// sends nothing: for an orderly end call Close first and wait for Err. It may
// be called on any goroutine once nobody uses the Conn any more, and twice.
func (c *Conn) Discard() error {
	if c == nil {
		return nil
	}
	c.held = false
	if c.err == nil {
		c.end(&CloseError{Code: frame.CloseAbnormal, Sent: c.sent, Err: net.ErrClosed})
	}
	c.dropAssembly()
	c.dropStash()
	if c.deflater != nil {
		c.deflater.drop()
	}
	c.buf, c.r, c.w = nil, 0, 0
	c.scratch, c.lent, c.claim = nil, false, nil
	return c.s.Close()
}
