package exchange

import (
	"bytes"
	"strings"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

func TestNegotiate(t *testing.T) {
	for offer, want := range map[string]string{
		"permessage-deflate": "permessage-deflate; client_no_context_takeover",
		"x-webkit, Permessage-Deflate; client_max_window_bits":                 "permessage-deflate; client_no_context_takeover",
		"permessage-deflate; server_no_context_takeover":                       "permessage-deflate; client_no_context_takeover; server_no_context_takeover",
		`permessage-deflate; server_max_window_bits="9"`:                       "permessage-deflate; client_no_context_takeover; server_max_window_bits=9",
		"permessage-deflate; server_max_window_bits=16, permessage-deflate":    "permessage-deflate; client_no_context_takeover",
		"permessage-deflate; server_max_window_bits":                           "",
		"permessage-deflate; unheard_of":                                       "",
		"permessage-deflate; client_max_window_bits; client_max_window_bits=9": "",
		"x-webkit-deflate-frame":                                               "",
		"":                                                                     "",
	} {
		a := negotiate([]string{offer})
		if want == "" {
			require.Nil(t, a, offer)
			continue
		}
		require.NotNil(t, a, offer)
		require.Equal(t, "Sec-WebSocket-Extensions: "+want+"\r\n", a.header(), offer)
	}
	require.Nil(t, negotiate(nil))
}

func TestInflateIsBounded(t *testing.T) {
	pack := func(p string) []byte {
		var b bytes.Buffer
		w, err := flate.NewWriter(&b, 9)
		require.NoError(t, err)
		_, _ = w.Write([]byte(p))
		require.NoError(t, w.Flush())
		return bytes.TrimSuffix(b.Bytes(), []byte(emptyBlock))
	}
	var i inflater
	bomb := pack(strings.Repeat("x", 1<<20))
	for range 3 { // it is used again after each error
		_, err := i.inflate(bomb, 1<<20-1)
		require.Equal(t, frame.ErrTooBig, err)
		out, err := i.inflate(bomb, 1<<20)
		require.NoError(t, err)
		require.Len(t, out, 1<<20)
		_, err = i.inflate([]byte("\xff\xff\xff"), 100)
		require.Equal(t, errInflate, err)
		out, err = i.inflate(pack(""), 0)
		require.NoError(t, err)
		require.Empty(t, out)
	}
}
