package recording

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/klauspost/compress/flate"
)

const (
	// maxMessage bounds a message, compressed or not, in bytes: 256 MiB.
	maxMessage = 256 << 20
	// deflateWindow is how far back a compressed message may refer, RFC 7692, section 7.1.2.
	deflateWindow = 32 << 10
	// messageTail ends a compressed message: the empty block that is left out on
	// the wire (section 7.2.2), and one that is the last, for the decoder.
	messageTail = "\x00\x00\xff\xff\x01\x00\x00\xff\xff"
)

// inflater opens the compressed messages of one direction.
type inflater struct {
	takeover bool // a message may refer to those before it
	window   []byte
	r        io.ReadCloser
}

// inflate opens a message. What it returns is the caller's.
func (z *inflater) inflate(p []byte) ([]byte, error) {
	in := io.MultiReader(bytes.NewReader(p), strings.NewReader(messageTail))
	if z.r == nil {
		z.r = flate.NewReaderDict(in, z.window)
	} else if err := z.r.(flate.Resetter).Reset(in, z.window); err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(z.r, maxMessage+1))
	if len(out) > maxMessage {
		return nil, fmt.Errorf("a message of more than %d bytes when it is inflated", maxMessage)
	}
	if err != nil {
		return nil, fmt.Errorf("a compressed message cannot be inflated: %w", err)
	}
	if z.takeover {
		z.window = append(z.window, out[max(0, len(out)-deflateWindow):]...)
		if n := len(z.window); n > deflateWindow {
			z.window = append(z.window[:0], z.window[n-deflateWindow:]...)
		}
	}
	return out, nil
}

// deflated finds permessage-deflate in the answer to an upgrade (RFC 7692, section 7);
// nil, nil: there is none.
func deflated(h http.Header) (in, out *inflater, err error) {
	for _, value := range h.Values("Sec-WebSocket-Extensions") {
		for extension := range strings.SplitSeq(value, ",") {
			name, params, _ := strings.Cut(extension, ";")
			if name = strings.TrimSpace(name); name == "" {
				continue
			}
			if !strings.EqualFold(name, "permessage-deflate") {
				return nil, nil, fmt.Errorf("an extension that is not known: %q", name)
			}
			in, out = &inflater{takeover: true}, &inflater{takeover: true}
			for p := range strings.SplitSeq(params, ";") {
				key, _, _ := strings.Cut(p, "=")
				switch strings.TrimSpace(key) {
				case "server_no_context_takeover":
					in.takeover = false
				case "client_no_context_takeover":
					out.takeover = false
				}
			}
		}
	}
	return in, out, nil
}
