package ws

import (
	"sync"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/stream"
	"github.com/klauspost/compress/flate"
)

// deflater is the sending half of permessage-deflate on one connection.
type deflater struct {
	threshold int
	takeover  bool
	kind      int
	held      *encoder // with takeover: from the first message on
}

func newDeflater(z *Compression) *deflater {
	return &deflater{threshold: z.Threshold, takeover: !z.ClientNoContextTakeover, kind: encoderKind(z.Level, z.ClientMaxWindowBits)}
}

// encoder is a flate writer with its target.
type encoder struct {
	flate *flate.Writer
	out   []byte
}

// Write implements io.Writer for flate.
func (e *encoder) Write(p []byte) (int, error) {
	e.out = append(e.out, p...)
	return len(p), nil
}

// There is a kind of encoder for each level with the full window, and one for
// each smaller window.
const (
	levels       = flate.BestCompression - flate.HuffmanOnly + 1
	smallWindows = maxWindowBits - minWindowBits
)

var encoders [levels + smallWindows]sync.Pool

func encoderKind(level, windowBits int) int {
	if windowBits < maxWindowBits {
		return levels + windowBits - minWindowBits
	}
	return level - flate.HuffmanOnly
}

// newEncoder returns an encoder that knows no messages yet.
func newEncoder(kind int) *encoder {
	if e, ok := encoders[kind].Get().(*encoder); ok {
		e.flate.Reset(e)
		return e
	}
	e := new(encoder)
	// The kind was checked: there can be no error.
	if kind >= levels {
		e.flate, _ = flate.NewWriterWindow(e, 1<<(kind-levels+minWindowBits))
	} else {
		e.flate, _ = flate.NewWriter(e, kind+flate.HuffmanOnly)
	}
	return e
}

func (z *deflater) encoder() *encoder {
	if z.held != nil {
		return z.held
	}
	e := newEncoder(z.kind)
	if z.takeover {
		z.held = e
	}
	return e
}

// done ends the use of e for a message that was sent, or not.
func (z *deflater) done(e *encoder, sent bool) {
	e.out = nil
	switch {
	case !z.takeover:
		encoders[z.kind].Put(e)
	case !sent:
		e.flate.Reset(e) // the server does not know what e now knows
	}
}

// drop gives back what is held.
func (z *deflater) drop() {
	if z.held != nil {
		encoders[z.kind].Put(z.held)
		z.held = nil
	}
}

// writeCompressed sends p as one compressed message in one frame.
func (c *Conn) writeCompressed(op frame.Opcode, p []byte) (err error) {
	z := c.deflater
	e := z.encoder()
	defer func() { z.done(e, err == nil) }()
	// RFC 7692, section 7.2.1: compress, bring to a byte boundary with an empty
	// stored block, and "Remove 4 octets (that are 0x00 0x00 0xff 0xff) from the
	// tail end."
	e.out = c.outFor(frame.MaxHeaderSize + len(p))[:frame.MaxHeaderSize]
	_, _ = e.flate.Write(p) // an encoder takes everything
	_ = e.flate.Flush()
	out := e.out[:len(e.out)-len(flushTail)]
	c.keepOut(out)
	if len(out)-frame.MaxHeaderSize >= len(p) && !z.takeover {
		return c.writeFrame(frame.Header{Fin: true, Opcode: op}, p) // it does not pay
	}
	return c.writeInPlace(frame.Header{Fin: true, Rsv: rsv1, Opcode: op}, out)
}

// writeInPlace sends the frame whose payload stands in out behind frame.MaxHeaderSize
// bytes of room; it is masked there.
func (c *Conn) writeInPlace(h frame.Header, out []byte) error {
	payload := out[frame.MaxHeaderSize:]
	h.Masked, h.Key, h.Length = true, c.maskKey(), uint64(len(payload))
	var room [frame.MaxHeaderSize]byte
	head := frame.AppendHeader(room[:0], h)
	start := frame.MaxHeaderSize - len(head)
	copy(out[start:], head)
	frame.Mask(payload, h.Key, 0)
	if _, err := c.s.Write(out[start:]); err != nil {
		return c.writeFailed(err)
	}
	c.wrote(len(out) - start)
	return nil
}

// outFor returns memory to encode size bytes in, empty.
func (c *Conn) outFor(size int) []byte {
	if c.scratch == nil {
		c.attach()
	}
	out := c.scratch.Out[:0]
	if size > cap(out) {
		out = make([]byte, 0, size)
		c.keepOut(out)
	}
	return out
}

// keepOut keeps memory that outgrew the scratch for the next message, up to
// stream.MaxScratchOut.
func (c *Conn) keepOut(out []byte) {
	if cap(out) > cap(c.scratch.Out) && cap(out) <= stream.MaxScratchOut {
		c.scratch.Out = out[:0]
	}
}
