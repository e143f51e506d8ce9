package ws

import (
	"sync"

	"github.com/boomnet-go/boomnet/stream"
	"github.com/valyala/bytebufferpool"
)

// stashes holds the memory of input that was not consumed by the end of a turn. An
// idle connection keeps such a buffer, so this pool learns which sizes are usual and
// keeps no larger ones.
var stashes bytebufferpool.Pool

// assemblies holds the memory of messages that do not lie in one piece in the read
// buffer. They go back when the message is dead, so this pool keeps all sizes: with
// one that learns, every message larger than usual would be allocated.
var assemblies = sync.Pool{New: func() any { return new(bytebufferpool.ByteBuffer) }}

func newAssembly() *bytebufferpool.ByteBuffer { return assemblies.Get().(*bytebufferpool.ByteBuffer) }

func giveBack(b *bytebufferpool.ByteBuffer) {
	if cap(b.B) <= maxPooled {
		b.Reset()
		assemblies.Put(b)
	}
}

const (
	// readSize is how much a read asks for at most. The same 64 KiB stay in the
	// second-level cache from read to read.
	readSize = 64 << 10
	// ownIn is the read buffer of a Conn to which nothing was lent: room for a
	// full read behind a cut header or control frame.
	ownIn = readSize + 1<<10
	// minIn is the smallest read buffer: the longest control frame fits well.
	minIn = 512
	// moveAlways is a remainder so small that moving it to the front costs less
	// than reading into memory that is not in the cache.
	moveAlways = 1 << 10
	// maxPooled is the largest buffer given back to a pool; larger ones are left
	// to the garbage collector.
	maxPooled = 1 << 20
)

// Lend gives the Conn memory to read into and to encode in, shared with the
// other connections of the same goroutine; it is passed on to the stream if
// that is a stream.Borrower. Call it on the goroutine that will use the Conn,
// outside of a batch (views die), and call Release at the end of each turn.
// Short buffers in s are replaced. s must not be nil.
func (c *Conn) Lend(s *stream.Scratch) {
	c.settle()
	if c.buf != nil {
		c.park()
	}
	if len(s.In) < minIn {
		s.In = make([]byte, ownIn)
	}
	c.scratch, c.lent, c.claim = s, true, nil
	if b, ok := c.s.(stream.Borrower); ok {
		b.Lend(s)
	}
}

// Release ends a turn: views die, and what is not consumed is copied out of the
// lent memory, which may then serve another connection. Without lent memory it
// only gives back what the messages given out occupied.
func (c *Conn) Release() {
	c.settle()
	if c.lent && c.buf != nil {
		c.park()
	}
}

// attach makes buf point to memory again, and brings back what Release parked.
func (c *Conn) attach() {
	if c.scratch == nil {
		c.scratch = &stream.Scratch{In: make([]byte, ownIn)}
	}
	c.buf, c.r, c.w = c.scratch.In, 0, 0
	c.unpark()
}

// park copies the unconsumed input to the stash, before what is there already.
func (c *Conn) park() {
	if rest := c.buf[c.r:c.w]; len(rest) > 0 {
		b := stashes.Get()
		b.B = append(b.B, rest...)
		if c.stash != nil {
			b.B = append(b.B, c.stash.B[c.stashAt:]...)
			c.dropStash()
		}
		c.stash = b
	}
	c.buf, c.r, c.w = nil, 0, 0
}

// unpark moves as much of the stash into buf as fits and returns how much that
// was. It may only be called while no views are out or buf is empty.
func (c *Conn) unpark() int {
	if c.stash == nil {
		return 0
	}
	n := copy(c.buf[c.w:], c.stash.B[c.stashAt:])
	c.w += n
	c.stashAt += n
	if c.stashAt == len(c.stash.B) {
		c.dropStash()
	}
	return n
}

func (c *Conn) dropStash() {
	if c.stash != nil {
		if cap(c.stash.B) <= maxPooled {
			stashes.Put(c.stash)
		}
		c.stash, c.stashAt = nil, 0
	}
}

// settle ends the life of the views given out: a message that was found but not
// asked for is kept, the memory of those given out is freed.
func (c *Conn) settle() {
	from := c.msgAt
	if c.held {
		if c.heldAt >= 0 { // decode it again when it is asked for
			c.r, c.held = c.heldAt, false
			c.count.Frames--
		} else {
			from -= len(c.pending.Payload)
		}
	}
	if poison {
		overwrite(c.buf[:c.r])
	}
	if c.asm == nil {
		return
	}
	if poison {
		overwrite(c.asm.B[:from])
	}
	if !c.open && !c.held {
		c.dropAssembly()
		return
	}
	if from > 0 {
		n := copy(c.asm.B, c.asm.B[from:])
		c.asm.B = c.asm.B[:n]
		c.msgAt -= from
		if c.held {
			c.pending.Payload = c.asm.B[:n:n]
		}
	}
}

func overwrite(dead []byte) {
	for i := range dead {
		dead[i] = 0xDB
	}
}

// compact makes room behind the unconsumed input, by moving it to the front of
// buf. After a batch was read to its end that is a cut header or control frame,
// because a cut data frame is taken out as it comes.
func (c *Conn) compact() {
	rest := c.w - c.r
	if c.r > 0 && (rest <= moveAlways || len(c.buf)-c.w < readSize) {
		copy(c.buf, c.buf[c.r:c.w])
		c.r, c.w = 0, rest
	}
}

// assemble appends p, the next bytes of a frame of which left bytes including p
// are to come, to the message under way. Memory at most doubles what was
// received, whatever the frame announced.
func (c *Conn) assemble(p []byte) {
	if c.asm == nil {
		c.asm = newAssembly()
	}
	b := c.asm.B
	if need := len(b) + len(p); need > cap(b) {
		size := max(need, 512, 2*cap(b))
		if c.fin { // the end is known; left is at most maxMessage
			size = max(need, min(size, len(b)+int(c.left)))
		}
		grown := make([]byte, len(b), size)
		copy(grown, b)
		b = grown // the old memory stays with the views into it
	}
	c.asm.B = append(b, p...)
}

// assembled is how many bytes of the message under way were received.
func (c *Conn) assembled() int {
	if c.asm == nil {
		return 0
	}
	return len(c.asm.B) - c.msgAt
}

func (c *Conn) dropAssembly() {
	if c.asm != nil {
		giveBack(c.asm)
		c.asm = nil
	}
	c.msgAt = 0
}
