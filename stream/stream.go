// Package stream is the byte layer: non-blocking streams over TCP and TLS, and
// the set-up that leads to them.
//
// There are two sides. Set-up (resolve, connect, TLS handshake) runs on an
// ordinary goroutine with the standard library: [Options.Dial] returns a
// [Stream]. From then on exactly one goroutine uses the Stream, without ever
// blocking: a reactor, or any loop of your own.
//
//	s, err := new(stream.Options).Dial(ctx, "tls://example.com:443")
//	…
//	n, err := s.Read(buf)          // all that is there; ErrWouldBlock when nothing is
//
// # Reading
//
// Read takes all it can in one system call. It returns either n > 0 and a nil
// error, or n == 0 and an error; never (0, nil) for a non-empty p. End of file
// and errors come with the next call, after every byte before them, and every
// call after that returns them again. Where the descriptor alone does not tell
// that there is something to read, Buffered does.
//
// # Writing
//
// Write takes a message whole or not at all. What the kernel does not take at
// once stays in a bounded queue, which Flush sends when the socket is writable.
// When the message does not fit into what is left of the queue nothing is
// taken and the answer is [ErrBackPressured]; when it is larger than the whole
// bound the answer is [ErrTooLarge]. A message that finds the queue not empty
// joins it without a system call.
//
// # Layers
//
//	*TLS   records ⇄ plaintext, by crypto/tls   [Secure]
//	*TCP   one socket, its write queue          [Options.Dial], [NewTCP]
//
// Both are a [Stream], a [Waiter] and a [Detacher]; TLS stands on any Stream
// that can wait. Which of them Dial returns is decided by the target's scheme.
// A stream of your own (a replay, a recording) needs no descriptor, see
// [Source], and no queue, see [Unqueued].
//
// # Socket options
//
// [Options] sets them on each socket before it connects. Zero values leave the
// kernel's defaults; an option that the kernel refuses, or does not grant in
// full, fails the attempt with an [OptionError]: name, value, errno.
//
//	Interface          SO_BINDTODEVICE        the way out; LocalAddr alone leaves it to routing
//	Nagle              TCP_NODELAY            on unless Nagle
//	QuickAck           TCP_QUICKACK           set again after each read
//	KeepAlive…         SO_KEEPALIVE, TCP_KEEP…
//	UserTimeout        TCP_USER_TIMEOUT
//	RecvBuffer         SO_RCVBUF              fixed: it no longer tunes itself
//	SendBuffer         SO_SNDBUF
//	NotSentLowWater    TCP_NOTSENT_LOWAT
//	TOS                IP_TOS, IPV6_TCLASS
//	Priority           SO_PRIORITY            above 6: CAP_NET_ADMIN
//	Mark               SO_MARK                CAP_NET_ADMIN
//	IncomingCPU        SO_INCOMING_CPU        asked for by the function IncomingCPU
//	BusyPoll           SO_BUSY_POLL
//	PreferBusyPoll     SO_PREFER_BUSY_POLL    CAP_NET_ADMIN
//	BusyPollBudget     SO_BUSY_POLL_BUDGET    CAP_NET_ADMIN
//	Timestamps         SO_TIMESTAMPING        see [Timestamps], [Stamp], [Stamped]
//	Control            any other
//
// "boomctl sockopts" says which of them work on a machine.
//
// The socket belongs to the stream alone: Go's own poller watches a duplicate
// of it while somebody waits on the set-up side, and lets go at Detach.
package stream

import (
	"errors"
	"io"
)

// Sentinels. They are plain values: returning them does not allocate.
var (
	// ErrWouldBlock says that there is nothing to read, or that not everything
	// could be written, right now. It is not the end of anything.
	ErrWouldBlock = errors.New("stream: would block")
	// ErrBackPressured says that a write was refused whole because the queue of
	// bytes that the kernel has not taken is full. Try again when writable.
	ErrBackPressured = errors.New("stream: back-pressured: write queue full, nothing taken")
	// ErrTooLarge says that a message is larger than the write queue's bound
	// and could never be taken.
	ErrTooLarge = errors.New("stream: message larger than the write queue's bound, nothing taken")
	// ErrDetached says that Wait was called after Detach.
	ErrDetached = errors.New("stream: detached from Go's poller, cannot wait")
	// ErrTarget says that Dial was given something that is no target. Trying
	// again is useless.
	ErrTarget = errors.New("stream: bad target")
)

// Stream is a non-blocking connection. One goroutine at a time uses it.
type Stream interface {
	// Read implements io.Reader, see the package comment. Bytes are copied or
	// decrypted into p; nothing of p is kept.
	io.Reader
	// Write takes p whole (len(p), nil) or not at all (0, err). p is not kept.
	io.Writer
	// WriteControl is Write for what the protocol owes its peer (a pong, a close
	// frame, a TLS alert): it may also use the reserve of ControlReserve bytes
	// above the queue's bound.
	WriteControl(p []byte) (int, error)
	// Flush offers the queue to the kernel. nil: the queue is empty.
	// ErrWouldBlock: bytes are left. Call it when the source is writable.
	Flush() error
	// Queued is how many bytes were accepted but not yet taken by the kernel.
	// For TLS they are counted as sealed.
	Queued() int
	// Room is the length of the longest message that Write would take now.
	Room() int
	// Buffered reports whether Read would return something without asking the
	// kernel, so that waiting for the descriptor alone could miss it.
	Buffered() bool
	// Source says when the stream is worth reading.
	Source() Source
	// Close gives the descriptor back. It does not block and does not wait for
	// queued bytes. Reading or writing afterwards answers net.ErrClosed.
	Close() error
}

// ControlReserve is the room above the bound of every write queue, in bytes,
// that only WriteControl may use. It holds a few sealed control frames.
const ControlReserve = 1024

// Source tells a selector, or the reactor's timers, when to read again.
type Source struct {
	// FD is a descriptor to watch for readiness; -1: there is none.
	FD int
	// Due is asked when FD < 0: the time (see package clock) at which to read
	// again. It is served with the timers: a time not after now means at once.
	// It is called on the reactor after each read.
	Due func(now int64) (at int64)
}

// Scratch is memory that one goroutine lends to all the streams and connections
// it drives, for the length of one turn. A connection that lies idle then holds
// only what it could not consume. Nothing in it survives the turn.
type Scratch struct {
	// Raw takes bytes of the network that are not yet plain text (TLS).
	Raw []byte
	// In takes what a protocol reads.
	In []byte
	// Out is where a message is encoded before it is written. It may be grown
	// by the borrower; what is grown above MaxScratchOut is dropped again.
	Out []byte
}

// Sizes of a Scratch.
const (
	ScratchRaw    = 64 << 10
	ScratchIn     = 256 << 10
	ScratchOut    = 16 << 10
	MaxScratchOut = 256 << 10
)

// NewScratch returns a Scratch with buffers of the usual sizes.
func NewScratch() *Scratch {
	return &Scratch{Raw: make([]byte, ScratchRaw), In: make([]byte, ScratchIn), Out: make([]byte, 0, ScratchOut)}
}

// Borrower is a stream that can use a lent Scratch. Lend is called on the
// goroutine that will use the stream from now on, before its first Read there.
// A stream to which nothing was lent makes a Scratch of its own when it needs one.
type Borrower interface{ Lend(*Scratch) }
