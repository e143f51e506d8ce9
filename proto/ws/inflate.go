package ws

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/bits"
	"sync"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/klauspost/compress/flate"
	"github.com/valyala/bytebufferpool"
)

// rsv1 is the bit of the first frame of a compressed message, "Per-Message
// Compressed", RFC 7692, section 6.
const rsv1 = 4

const (
	// flushTail is what the sender took off the end of a message, RFC 7692,
	// section 7.2.2: "Append 4 octets of 0x00 0x00 0xff 0xff to the tail end of
	// the payload of the message."
	flushTail = "\x00\x00\xff\xff"
	// lastBlock, an empty stored block that is the last one, comes behind it. Data
	// that is cut or does not end at the end of a block fails there.
	lastBlock = "\x01\x00\x00\xff\xff"
	ending    = flushTail + lastBlock
)

const (
	// maxInflated is how many bytes inflated messages may occupy before no more
	// are given out until the next Fill: a network read of bombs is then no more
	// than that and one message.
	maxInflated = 1 << 20
	// maxLastBlocks is how many last blocks a message may have (RFC 7692, section
	// 7.2.3.5). Each costs the set-up of a decoder.
	maxLastBlocks = 64
)

// inflater is the receiving half of permessage-deflate on one connection. What
// arrives is gathered until the message is complete, because flate cannot wait for
// bytes inside a block, and is then inflated into the assembly.
//
//	frames ──► in ──► flate ──► assembly ──► view
//	                    ▲          │
//	                    └─ window ◄┘   with context takeover
type inflater struct {
	in         *bytebufferpool.ByteBuffer // the message under way, nil between messages
	window     []byte                     // with takeover: what was inflated last
	windowSize int                        // bytes of it that may be referred to; 0: no takeover
	limit      int                        // of in
	maxMessage int                        // of what it inflates to
}

// newInflater returns the receiving half of what was agreed on.
func newInflater(z *Compression, maxMessage int) *inflater {
	maxMessage = min(maxMessage, math.MaxInt/4) // so that sums with it hold
	// Compressing makes a message longer by no more than zlib's deflateBound
	// adds for any settings.
	i := &inflater{maxMessage: maxMessage, limit: maxMessage + maxMessage>>3 + maxMessage>>6 + 64}
	if !z.ServerNoContextTakeover {
		i.windowSize = 1 << z.ServerMaxWindowBits
	}
	return i
}

// decoder is a flate reader with its source.
type decoder struct {
	flate io.ReadCloser
	src   bytes.Reader
}

var decoders = sync.Pool{New: func() any {
	d := new(decoder)
	d.flate = flate.NewReader(&d.src)
	return d
}}

// reset makes d read p; the window before it is dict.
func (d *decoder) reset(p, dict []byte) {
	d.src.Reset(p)
	_ = d.flate.(flate.Resetter).Reset(&d.src, dict) // always nil
}

func (d *decoder) giveBack() {
	d.src.Reset(nil)
	decoders.Put(d)
}

// gather takes the next compressed bytes of the message under way.
func (i *inflater) gather(p []byte) {
	if i.in == nil {
		i.in = newAssembly()
	}
	i.in.B = append(i.in.B, p...)
}

// gathered is how many compressed bytes there are.
func (i *inflater) gathered() int {
	if i.in == nil {
		return 0
	}
	return len(i.in.B)
}

// drop forgets the message under way.
func (i *inflater) drop() {
	if i.in != nil {
		giveBack(i.in)
		i.in = nil
	}
}

// dict is what the next bytes may refer to.
func (i *inflater) dict() []byte { return i.window[max(len(i.window)-i.windowSize, 0):] }

// remember slides the window over p.
func (i *inflater) remember(p []byte) {
	p = p[max(len(p)-i.windowSize, 0):]
	if room := i.windowSize + i.windowSize/2; len(i.window)+len(p) > room {
		n := copy(i.window, i.window[len(i.window)-(i.windowSize-len(p)):])
		i.window = i.window[:n]
	} else if need := len(i.window) + len(p); need > cap(i.window) {
		grown := make([]byte, len(i.window), min(room, 1<<bits.Len(uint(need))))
		copy(grown, i.window)
		i.window = grown
	}
	i.window = append(i.window, p...)
}

// inflate turns what was gathered into a message in the assembly, at most
// maxMessage bytes long. Text is validated as it comes out. On failure the
// connection has ended.
func (c *Conn) inflate(op frame.Opcode) (Message, bool) {
	i := c.inflater
	defer i.drop()
	i.gather([]byte(ending))
	d := decoders.Get().(*decoder)
	defer d.giveBack()
	d.reset(i.in.B, i.dict())
	if c.asm == nil {
		c.asm = newAssembly()
	}
	check := op == frame.Text && c.checkUTF8
	c.text.Reset()
	from := c.msgAt // where what is not yet in the window begins
	for lastBlocks := 0; ; {
		at := len(c.asm.B)
		c.reserve(4*len(i.in.B), i.maxMessage+1)
		n, err := d.flate.Read(c.asm.B[at:min(cap(c.asm.B), c.msgAt+i.maxMessage+1)])
		c.asm.B = c.asm.B[:at+n]
		// RFC 7692, section 6.2, demands the validation of RFC 6455, section 8.1,
		// of what is inflated, not of what was received.
		if check && !c.text.Feed(c.asm.B[at:]) {
			c.fail(frame.ErrInvalidUTF8, "")
			return Message{}, false
		}
		if size := len(c.asm.B) - c.msgAt; size > i.maxMessage {
			c.fail(frame.ErrTooBig, fmt.Sprintf("%d bytes compressed, inflated above the limit of %d", len(i.in.B)-len(ending), i.maxMessage))
			return Message{}, false
		}
		if err == nil {
			continue
		}
		left := d.src.Len()
		if err == io.EOF && left > 0 && left < len(ending) {
			err = io.ErrUnexpectedEOF // it took the ending for its own
		}
		if lastBlocks++; lastBlocks > maxLastBlocks {
			err = fmt.Errorf("more than %d last blocks", maxLastBlocks)
		}
		if err != io.EOF {
			c.fail(frame.ErrDeflate, err.Error())
			return Message{}, false
		}
		if i.windowSize > 0 {
			i.remember(c.asm.B[from:])
			from = len(c.asm.B)
		}
		if left == 0 || left == len(ending) {
			break
		}
		// 7.2.3.5: blocks follow a last one.
		dict := i.dict()
		if i.windowSize == 0 {
			dict = c.asm.B[max(c.msgAt, len(c.asm.B)-1<<maxWindowBits):]
		}
		d.reset(i.in.B[len(i.in.B)-left:], dict)
	}
	if check && !c.text.Done() {
		c.fail(frame.ErrInvalidUTF8, "")
		return Message{}, false
	}
	n := len(c.asm.B)
	m := Message{op, c.asm.B[c.msgAt:n:n]}
	c.msgAt, c.heldAt = n, -1
	return m, true
}

// reserve makes room in the assembly for more of an inflated message: hint bytes at
// first, then twice what there is, never more than limit in all.
func (c *Conn) reserve(hint, limit int) {
	b := c.asm.B
	if len(b) < cap(b) {
		return
	}
	size := c.msgAt + min(max(hint, 2*(len(b)-c.msgAt), 512), limit)
	c.asm.B = append(make([]byte, 0, size), b...) // the old memory stays with the views into it
}
