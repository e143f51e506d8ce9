package exchange

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/flate"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

// permessage-deflate (RFC 7692), for clients that offer it. What is sent is
// compressed with context takeover, unless the client asked for none, and in the
// window that it asked for. Clients are always told to use no takeover: their
// messages can then be inflated each by itself.

const (
	rsv1 = 4 // marks a compressed message, section 6
	// emptyBlock is what ends a flushed DEFLATE stream and is left out on the wire.
	emptyBlock = "\x00\x00\xff\xff"
)

// agreement is what was negotiated; nil: no compression.
type agreement struct {
	noTakeover bool // of what the server sends
	windowBits int
}

// negotiate takes the first offer in Sec-WebSocket-Extensions that it can keep.
func negotiate(offers []string) *agreement {
	for _, value := range offers {
		for offer := range strings.SplitSeq(value, ",") {
			if a := parseOffer(offer); a != nil {
				return a
			}
		}
	}
	return nil
}

func parseOffer(offer string) *agreement {
	name, params, _ := strings.Cut(offer, ";")
	if !strings.EqualFold(strings.TrimSpace(name), "permessage-deflate") {
		return nil
	}
	a := &agreement{windowBits: 15}
	seen := make(map[string]bool)
	for p := range strings.SplitSeq(params, ";") {
		key, value, _ := strings.Cut(p, "=")
		key, value = strings.TrimSpace(key), strings.Trim(strings.TrimSpace(value), `"`)
		if seen[key] && key != "" {
			return nil
		}
		seen[key] = true
		switch key {
		case "", "client_no_context_takeover", "client_max_window_bits":
		case "server_no_context_takeover":
			a.noTakeover = true
		case "server_max_window_bits":
			bits, err := strconv.Atoi(value)
			if err != nil || bits < 8 || bits > 15 {
				return nil
			}
			a.windowBits = bits
		default:
			return nil // section 7.1: an unknown parameter declines the offer
		}
	}
	return a
}

// header is the line that tells the client.
func (a *agreement) header() string {
	s := "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover"
	if a.noTakeover {
		s += "; server_no_context_takeover"
	}
	if a.windowBits < 15 {
		s += fmt.Sprintf("; server_max_window_bits=%d", a.windowBits)
	}
	return s + "\r\n"
}

// deflater compresses what an outbox takes. The outbox's lock guards it.
type deflater struct {
	w          *flate.Writer
	to         bytes.Buffer // what w writes to
	noTakeover bool
	out        []byte
	ends       []int
}

func newDeflater(a *agreement) *deflater {
	d := &deflater{noTakeover: a.noTakeover}
	if a.windowBits < 15 {
		d.w, _ = flate.NewWriterWindow(&d.to, 1<<a.windowBits) // 8 to 15 bits are in its range
	} else {
		d.w, _ = flate.NewWriter(&d.to, flate.BestSpeed) // a level that there is
	}
	return d
}

// compress turns whole frames into compressed ones; fragments stay as they are.
// What it returns is valid until the next call.
func (d *deflater) compress(frames []byte, ends []int) ([]byte, []int) {
	d.out, d.ends = d.out[:0], d.ends[:0]
	for at := 0; at < len(frames); {
		h, n, _ := frame.ParseHeader(frames[at:]) // our own frames
		end := at + n + int(h.Length)
		if h.Fin && (h.Opcode == frame.Text || h.Opcode == frame.Binary) {
			payload := d.deflate(frames[at+n : end])
			h.Rsv, h.Length = rsv1, uint64(len(payload))
			d.out = append(frame.AppendHeader(d.out, h), payload...)
		} else {
			d.out = append(d.out, frames[at:end]...)
		}
		if len(d.ends) < len(ends) && ends[len(d.ends)] == end {
			d.ends = append(d.ends, len(d.out))
		}
		at = end
	}
	return d.out, d.ends
}

func (d *deflater) deflate(p []byte) []byte {
	d.to.Reset()
	if d.noTakeover {
		d.w.Reset(&d.to)
	}
	_, _ = d.w.Write(p) // a bytes.Buffer takes everything
	_ = d.w.Flush()
	return bytes.TrimSuffix(d.to.Bytes(), []byte(emptyBlock))
}

// inflater opens a client's compressed messages, each by itself.
type inflater struct {
	r io.ReadCloser
}

var errInflate = &closeError{frame.CloseInvalidPayload, "compressed message cannot be inflated"}

// inflate returns at most limit bytes; more end the connection with 1009.
func (i *inflater) inflate(p []byte, limit uint64) ([]byte, error) {
	in := io.MultiReader(bytes.NewReader(p), strings.NewReader(emptyBlock))
	if i.r == nil {
		i.r = flate.NewReader(in)
	} else if err := i.r.(flate.Resetter).Reset(in, nil); err != nil {
		return nil, errInflate
	}
	out, err := io.ReadAll(io.LimitReader(i.r, int64(limit)+1))
	switch {
	case uint64(len(out)) > limit:
		return nil, frame.ErrTooBig
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF): // the stream has no last block
		return nil, errInflate
	}
	return out, nil
}
