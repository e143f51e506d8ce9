//go:build boomnet_poison

package ws

import (
	"bytes"
	"strings"
	"testing"

	"github.com/boomnet-go/boomnet/stream"
	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

func TestStaleViewsArePoisoned(t *testing.T) {
	for _, release := range []bool{false, true} {
		s := &script{reads: [][]byte{join(text("view"), sf(false, frame.Text, "assem"), sf(true, frame.Continuation, "bled")), text("x")}}
		c := New(s, testOptions(), nil)
		c.Lend(stream.NewScratch())
		_, err := c.Fill()
		require.NoError(t, err)
		var stale [][]byte
		for m, ok := c.Next(); ok; m, ok = c.Next() {
			stale = append(stale, m.Payload)
		}
		require.Equal(t, "view assembled", string(bytes.Join(stale, []byte(" "))))
		if release {
			c.Release()
		} else {
			_, _ = c.Fill()
		}
		for _, v := range stale[1:] {
			require.Equal(t, strings.Repeat("\xdb", len(v)), string(v))
		}
		require.NotEqual(t, "view", string(stale[0]))
	}
}
