package ws

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOffer(t *testing.T) {
	for _, tc := range []struct {
		z    Compression
		want string
	}{
		{Compression{}, "permessage-deflate; client_max_window_bits"},
		{Compression{ServerNoContextTakeover: true}, "permessage-deflate; server_no_context_takeover; client_max_window_bits"},
		{Compression{ClientNoContextTakeover: true}, "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
		{Compression{ServerMaxWindowBits: 10}, "permessage-deflate; server_max_window_bits=10; client_max_window_bits"},
		{Compression{ClientMaxWindowBits: 15}, "permessage-deflate; client_max_window_bits=15"},
		{Compression{0, 0, true, true, 8, 9}, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=9; client_max_window_bits=8"},
	} {
		require.Equal(t, tc.want, tc.z.offer())
		s := &script{reads: [][]byte{[]byte(switching + "\r\n")}}
		o := testOptions()
		o.Compression = &tc.z
		c, err := upgrade(t, s, "ws://h/", o)
		require.NoError(t, err)
		require.Contains(t, string(s.out), "\r\nSec-WebSocket-Extensions: "+tc.want+"\r\n")
		require.Nil(t, c.Compression(), "the server declined")
		require.Nil(t, c.inflater)
	}
}

func TestOptionsOfCompressionAreChecked(t *testing.T) {
	for want, z := range map[string]Compression{
		"level 10":           {Level: 10},
		"level -3":           {Level: -3},
		"threshold of -1":    {Threshold: -1},
		"window of 7 bits":   {ClientMaxWindowBits: 7},
		"window of 16 bits":  {ServerMaxWindowBits: 16},
		"window of -12 bits": {ServerMaxWindowBits: -12},
	} {
		s := &script{}
		_, err := upgrade(t, s, "ws://h/", &Options{Compression: &z})
		require.ErrorContains(t, err, want)
		require.Empty(t, s.out)
	}
}

// What a server may answer to which offer.
func TestAgreement(t *testing.T) {
	const pmd = "permessage-deflate"
	agreed := func(clientReset, serverReset bool, clientBits, serverBits int) *Compression {
		return &Compression{1, DefaultThreshold, clientReset, serverReset, clientBits, serverBits}
	}
	for _, tc := range []struct {
		z      Compression
		answer string
		want   *Compression
		fails  string
	}{
		{Compression{}, pmd, agreed(false, false, 15, 15), ""},
		{Compression{}, pmd + ";client_no_context_takeover ; server_no_context_takeover", agreed(true, true, 15, 15), ""},
		{Compression{}, pmd + "; server_max_window_bits=8; client_max_window_bits=9", agreed(false, false, 9, 8), ""},
		{Compression{}, pmd + "; server_max_window_bits=\"1\\0\"; client_max_window_bits = \"15\"", agreed(false, false, 15, 10), ""},
		{Compression{ClientNoContextTakeover: true}, pmd, agreed(true, false, 15, 15), ""},
		{Compression{ClientMaxWindowBits: 12}, pmd, agreed(false, false, 12, 15), ""},
		{Compression{ClientMaxWindowBits: 12}, pmd + "; client_max_window_bits=12", agreed(false, false, 12, 15), ""},
		{Compression{ClientMaxWindowBits: 12}, pmd + "; client_max_window_bits=8", agreed(false, false, 8, 15), ""},
		{Compression{ServerMaxWindowBits: 12}, pmd + "; server_max_window_bits=12", agreed(false, false, 15, 12), ""},
		{Compression{ServerMaxWindowBits: 15}, pmd, agreed(false, false, 15, 15), ""},
		{Compression{ServerNoContextTakeover: true}, " , ,\t" + pmd + ";server_no_context_takeover,", agreed(false, true, 15, 15), ""},
		{Compression{}, ",", nil, ""},

		{Compression{}, "x-webkit-deflate-frame", nil, "not offered"},
		{Compression{}, pmd + ", " + pmd, nil, "after permessage-deflate"},
		{Compression{}, pmd + ", other", nil, `"other" after`},
		{Compression{}, pmd + "; mux", nil, `unknown parameter "mux"`},
		{Compression{}, pmd + "; server_no_context_takeover; server_no_context_takeover", nil, "server_no_context_takeover twice"},
		{Compression{}, pmd + "; server_max_window_bits=9; server_max_window_bits=9", nil, "server_max_window_bits twice"},
		{Compression{}, pmd + "; server_no_context_takeover=1", nil, `has the value "1"`},
		{Compression{}, pmd + "; client_no_context_takeover=true", nil, `has the value "true"`},
		{Compression{}, pmd + "; client_max_window_bits", nil, `client_max_window_bits is ""`},
		{Compression{}, pmd + "; server_max_window_bits", nil, `server_max_window_bits is ""`},
		{Compression{}, pmd + "; server_max_window_bits=7", nil, `is "7", not one of 8 to 15`},
		{Compression{}, pmd + "; server_max_window_bits=16", nil, `is "16", not one of 8 to 15`},
		{Compression{}, pmd + "; client_max_window_bits=08", nil, `is "08", not one of 8 to 15`},
		{Compression{}, pmd + "; client_max_window_bits=+9", nil, `is "+9", not one of 8 to 15`},
		{Compression{ClientMaxWindowBits: 10}, pmd + "; client_max_window_bits=11", nil, "client_max_window_bits is 11, offered 10"},
		{Compression{ServerMaxWindowBits: 10}, pmd + "; server_max_window_bits=11", nil, "server_max_window_bits is 11, offered 10"},
		{Compression{ServerMaxWindowBits: 10}, pmd, nil, "server_max_window_bits=10 was offered and is missing"},
		{Compression{ServerNoContextTakeover: true}, pmd, nil, "server_no_context_takeover was offered and is missing"},
		{Compression{}, pmd + ";", nil, "wrong at"},
		{Compression{}, pmd + "; =", nil, "wrong at"},
		{Compression{}, pmd + "; server_max_window_bits=", nil, "wrong at"},
		{Compression{}, pmd + "; server_max_window_bits=\"9", nil, "wrong at"},
		{Compression{}, pmd + "; server_max_window_bits=\"9 \"", nil, "wrong at"},
		{Compression{}, pmd + " mux", nil, `wrong at "mux"`},
		{Compression{}, "; mux", nil, "wrong at"},
	} {
		t.Run(tc.answer, func(t *testing.T) {
			s := &script{reads: [][]byte{[]byte(switching + "Sec-WebSocket-Extensions: " + tc.answer + "\r\n\r\n")}}
			o := testOptions()
			o.Compression = &tc.z
			before := tc.z
			c, err := upgrade(t, s, "ws://h/", o)
			require.Equal(t, before, tc.z, "the caller's struct is not changed")
			if tc.fails != "" {
				require.ErrorIs(t, err, ErrBadResponse)
				require.ErrorContains(t, err, tc.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tc.want, c.Compression())
			require.Equal(t, tc.want != nil, c.inflater != nil)
		})
	}
}

// Every combination of parameters, against a server that follows it to the letter:
// each message must come through in both directions.
func TestEveryCombinationCarriesMessages(t *testing.T) {
	payloads := [][]byte{quotes(3000), quotes(50), quotes(70000), nil, quotes(3000), quotes(400)}
	for _, clientReset := range []bool{false, true} {
		for _, serverReset := range []bool{false, true} {
			for clientBits := 8; clientBits <= 15; clientBits++ {
				for serverBits := 8; serverBits <= 15; serverBits++ {
					z := &Compression{0, 1, clientReset, serverReset, clientBits, serverBits}
					t.Run(fmt.Sprintf("%v %v %d %d", clientReset, serverReset, clientBits, serverBits), func(t *testing.T) {
						if testing.Short() && clientBits != serverBits {
							return
						}
						peer := newDeflatePeer(t, z)
						c, s := compressedConn(z)
						for _, p := range payloads {
							s.reads = append(s.reads, peer.frame(string(p)))
							require.NoError(t, c.WriteText(p))
						}
						h := playRaw(t, c, s)
						require.NoError(t, c.Err())
						require.Len(t, h, len(payloads))
						for i, p := range payloads {
							require.Equal(t, string(p), h[i].Payload)
						}
						frames := sentRaw(t, s.out)
						require.Len(t, frames, len(payloads))
						for i, p := range payloads {
							require.Equal(t, string(p), peer.open(frames[i]))
						}
						require.NoError(t, c.Discard())
					})
				}
			}
		}
	}
}

func FuzzExtensions(f *testing.F) {
	f.Add("permessage-deflate; server_max_window_bits=\"1\\0\"; client_no_context_takeover, x;y=z")
	f.Add(",,a;b=\"")
	f.Fuzz(func(t *testing.T, value string) {
		list, err := parseExtensions([]string{value})
		if err != nil {
			return
		}
		again := ""
		for _, e := range list {
			require.True(t, isToken(e.name))
			again += e.name
			for _, p := range e.params {
				require.True(t, isToken(p.name))
				again += ";" + p.name
				if p.hasValue {
					require.True(t, isToken(p.value))
					again += "=" + p.value
				}
			}
			again += ","
		}
		same, err := parseExtensions([]string{again})
		require.NoError(t, err)
		require.Equal(t, list, same)
	})
}
