package capture

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// Any sequence of records comes back as it was, from one file or from many,
// compressed or not.
func TestRoundTrip(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(seed, 7))
			path := at(t)
			o := Options{Compress: seed%3 == 1}
			if seed%2 == 1 {
				o.MaxBytes = 100_000
			}
			m := newManual(t, path, o)
			var want tape.Memory
			for range 300 {
				r := random(rnd)
				m.put(r)
				r.Seq = m.seq
				want.Keep(&r)
				if rnd.IntN(20) == 0 {
					m.clock.Advance(5e8)
					m.tick(true)
				}
			}
			m.end()
			if o.Compress {
				path += zstdSuffix
			}
			f := openAll(t, path)
			if seed%2 == 1 {
				require.Greater(t, len(f.Info().Files), 1)
			}
			got := readAll(t, f)
			require.Len(t, got, len(want))
			for i := range want {
				require.Equal(t, want[i], got[i], "record %d, %v", i, want[i].Kind)
			}
		})
	}
}

// A dial that came to nothing is a packet for people, and comes back as it was.
func TestFailedDial(t *testing.T) {
	path := at(t)
	m := newManual(t, path, Options{})
	m.put(begin(), tape.Record{Kind: tape.KindConnect, Conn: 1, Text: []byte("quotes"), Arg: 7})
	dialed := tape.Record{Kind: tape.KindDialed, Flags: tape.Setup, Conn: 1, Text: []byte("tcp://example.com:9000"), Err: tape.Error{Class: tape.System, Errno: uint32(syscall.ECONNREFUSED), Text: "connection refused"}}
	m.put(dialed, tape.Record{Kind: tape.KindOutcome, Conn: 1, Err: tape.Error{Class: tape.Other, Text: "no"}})
	m.end()
	require.Empty(t, m.enc.flows)
	got := readAll(t, openAll(t, path))
	dialed.Seq = 3
	require.Equal(t, dialed, got[2])
	require.Equal(t, 1, countComments(t, "quotes, connection 1: dialing tcp://example.com:9000: connection refused", path))
}
