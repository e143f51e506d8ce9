package ws

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// Claim returns n bytes of the memory in which messages are encoded, for a message
// of the kind op, frame.Text or frame.Binary, to be written there: that spares
// Write's copy. Their contents are undefined. Commit sends the message; it is masked
// where it stands, and is not compressed. A claim that is not committed costs
// nothing and needs no ending.
//
//	p, err := c.Claim(frame.Text, 128)
//	…
//	p = append(p[:0], `{"id":`...)          // never beyond cap(p), which is n
//	p = strconv.AppendUint(p, id, 10)
//	p = append(p, '}')
//	err = c.CommitN(len(p))
//
// The memory is shared with all connections of the goroutine. Between Claim and
// Commit nothing else may be written on any of them; neither may this connection be
// read, lent or released. The errors are Write's. It does not allocate unless n is
// larger than what the scratch memory has held so far.
func (c *Conn) Claim(op frame.Opcode, n int) ([]byte, error) {
	if err := checkData("Claim", op); err != nil {
		return nil, err
	}
	if err := c.writable(); err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, fmt.Errorf("ws: claim of %d bytes", n)
	}
	end := frame.MaxHeaderSize + n
	c.claim, c.claimOp = c.outFor(end)[:end:end], op
	binary.NativeEndian.PutUint64(c.claim, c.claimMark())
	return c.claim[frame.MaxHeaderSize:], nil
}

// Commit sends what Claim gave out, all n bytes, as one message. ErrNoClaim: there
// is no claim, or its memory was written to by somebody else meanwhile, and nothing
// was sent. The other errors are Write's; the claim is gone also then, because its
// bytes are masked: claim again.
func (c *Conn) Commit() error {
	if c == nil {
		return ErrNotConnected
	}
	return c.CommitN(len(c.claim) - frame.MaxHeaderSize)
}

// CommitN is Commit of only the first n bytes.
func (c *Conn) CommitN(n int) error {
	if err := c.writable(); err != nil {
		return err
	}
	out, op := c.claim, c.claimOp
	c.claim = nil
	switch size := len(out) - frame.MaxHeaderSize; {
	case out == nil || binary.NativeEndian.Uint64(out) != c.claimMark():
		return ErrNoClaim
	case n < 0 || n > size:
		return fmt.Errorf("ws: commit of %d bytes, claimed %d", n, size)
	}
	return c.writeInPlace(frame.Header{Fin: true, Opcode: op}, out[:frame.MaxHeaderSize+n])
}

// claimMark stands where the header will, and tells whether anybody else has used
// the memory: a frame's header, or another connection's mark, would be there.
func (c *Conn) claimMark() uint64 { return uint64(uintptr(unsafe.Pointer(c))) }
