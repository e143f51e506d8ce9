package capture

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
)

// twoFeeds is a recording of two endpoints and three connections, a second of each.
func twoFeeds(t *testing.T) *File {
	path := at(t)
	m := newManual(t, path, Options{})
	second := int64(time.Second)
	put := func(at int64, records ...tape.Record) {
		for _, r := range records {
			r.At = at
			m.put(r)
		}
	}
	put(0, begin(), tape.Record{Kind: tape.KindRegister, Slot: 1, Text: []byte("quotes")}, tape.Record{Kind: tape.KindRegister, Slot: 2, Text: []byte("orders")})
	put(second, session(1, tape.Plain, "10.0.0.2:80")...)
	put(second, tape.Record{Kind: tape.KindLost, Conn: 1, Text: []byte("gone")}, tape.Record{Kind: tape.KindClose, Conn: 1})
	put(2*second, session(2, tape.AboveTLS, "10.0.0.3:443")...)
	orders := session(3, tape.Plain, "10.0.0.4:80")
	orders[0].Text = []byte("orders")
	put(2*second, orders...)
	for i := range int64(10) {
		put((3+i)*second, frame(2, 100), tape.Record{Kind: tape.KindWrite, Conn: 2, Data: []byte("ping")}, frame(3, 10), tape.Record{Kind: tape.KindMessage, Text: []byte("way"), Data: []byte("x")})
	}
	put(13*second, tape.Record{Kind: tape.KindSecrets, Conn: 2, Data: []byte("CLIENT_RANDOM\n")}, tape.Record{Kind: tape.KindEnd})
	m.end()
	return openAll(t, path)
}

// kept is a recording cut, and how many records of each kind are in it.
func kept(t *testing.T, src tape.Recording, keep Filter) (string, tape.Memory, map[tape.Kind]int) {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "cut.pcapng")
	require.NoError(t, Cut(dst, src, keep, CutOptions{Comment: "for the venue"}))
	got := readAll(t, openAll(t, dst))
	kinds := make(map[tape.Kind]int)
	for i := range got {
		kinds[got[i].Kind]++
	}
	return dst, got, kinds
}

func TestCutKeepsAll(t *testing.T) {
	src := twoFeeds(t)
	dst, got, _ := kept(t, src, Filter{})
	require.Equal(t, readAll(t, src), got)
	require.Contains(t, openAll(t, dst).Info().Comment, "for the venue\ncut: all")
	require.Equal(t, "feed", openAll(t, dst).Info().Reactor)
	require.Equal(t, 1, countComments(t, "0 of ", dst))

	var memory tape.Memory = readAll(t, src) // any recording
	_, again, _ := kept(t, memory, Filter{})
	require.Equal(t, memory, again)
}

func TestCutByTime(t *testing.T) {
	src := twoFeeds(t)
	start := time.Unix(1_700_000_000, 0)
	_, got, kinds := kept(t, src, Filter{From: start.Add(8 * time.Second), To: start.Add(10 * time.Second)})
	require.Equal(t, 1, kinds[tape.KindBegin])
	require.Equal(t, 2, kinds[tape.KindConnect], "those that stand")
	require.Equal(t, 2, kinds[tape.KindDialed])
	require.Equal(t, 2, kinds[tape.KindMessage])
	require.Equal(t, 2, kinds[tape.KindMissing])
	for i := range got {
		r := &got[i]
		require.NotEqualValues(t, 1, r.Conn, "it has ended before")
		if r.Kind == tape.KindMissing && r.Conn == 2 {
			require.EqualValues(t, 5*104, r.Arg)
			require.EqualValues(t, 5*4, r.Arg2)
		}
	}
	require.Equal(t, 2+4, kinds[tape.KindRead], "those of the set-ups, and of two seconds")
}

func TestCutByConnectionAndEndpoint(t *testing.T) {
	src := twoFeeds(t)
	for _, keep := range []Filter{{Conns: []uint32{3}}, {Endpoints: []string{"orders"}}} {
		_, got, kinds := kept(t, src, keep)
		require.Equal(t, 1, kinds[tape.KindConnect])
		require.Equal(t, 11, kinds[tape.KindRead])
		require.Equal(t, 10, kinds[tape.KindMessage])
		for i := range got {
			require.True(t, got[i].Conn == 0 || got[i].Conn == 3)
			if len(keep.Endpoints) > 0 && got[i].Kind == tape.KindRegister {
				require.Equal(t, "orders", string(got[i].Text))
			}
		}
	}
	_, _, kinds := kept(t, src, Filter{NoSecrets: true})
	require.Zero(t, kinds[tape.KindSecrets])
}

func TestCutOfNothing(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "cut.pcapng")
	err := Cut(dst, twoFeeds(t), Filter{From: time.Unix(1_800_000_000, 0)}, CutOptions{})
	require.ErrorContains(t, err, "nothing is left")
	require.NoFileExists(t, dst)
}
