package tape

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// random is a record with everything in it, or with little.
func randomRecord(rng *rand.Rand) Record {
	some := func(most int) []byte {
		if rng.IntN(3) == 0 {
			return nil
		}
		b := make([]byte, 1+rng.IntN(most))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	}
	rec := Record{
		Kind: Kind(1 + rng.IntN(int(kinds)-1)), Flags: Flags(rng.Uint32()),
		Err: Error{Class: Class(rng.IntN(int(classes))), Phase: uint8(rng.IntN(4)), Errno: rng.Uint32() >> 16,
			Also: uint16(rng.Uint32()), Text: string(some(40))},
		Seq: rng.Uint64(), At: int64(rng.Uint64()), Turn: rng.Uint64(), Begin: int64(rng.Uint64()), Parked: int64(rng.Uint64()),
		Conn: rng.Uint32(), Slot: rng.Uint32(), Arg: int64(rng.Uint64()), Arg2: int64(rng.Uint64()),
		Text: some(300), Data: some(5000),
	}
	return rec
}

// Whatever a record holds comes back, with its data and without, and also when it
// stands behind something else.
func TestARecordComesBackAsItWas(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		rec := randomRecord(rng)
		before := []byte("before")
		whole := rec.Append(before, true)
		require.Equal(t, "before", string(whole[:6]))
		require.Len(t, whole, 6+rec.size())

		got := Record{Text: []byte("old"), Data: []byte("old"), Err: Error{Text: "old"}, Arg: 3}
		missing, err := got.Parse(whole[6:])
		require.NoError(t, err)
		require.Zero(t, missing)
		require.Equal(t, rec, got)

		short := rec.Append(nil, false)
		require.Len(t, short, rec.size()-len(rec.Data))
		missing, err = got.Parse(short)
		require.NoError(t, err)
		require.EqualValues(t, len(rec.Data), missing)
		got.Data = rec.Data
		require.Equal(t, rec, got)
	}
}

// The record type has no field that the binary form forgets: the test above fills
// them all.
func TestEveryFieldOfARecordIsFilledByTheTest(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	seen := make(map[string]bool)
	for range 200 {
		rec := randomRecord(rng)
		for _, v := range []reflect.Value{reflect.ValueOf(rec), reflect.ValueOf(rec.Err)} {
			for i := range v.NumField() {
				seen[v.Type().Field(i).Name] = seen[v.Type().Field(i).Name] || !v.Field(i).IsZero()
			}
		}
	}
	for name, filled := range seen {
		require.True(t, filled, name)
	}
}

func TestParseRefusesWhatIsNoRecord(t *testing.T) {
	good := (&Record{Kind: KindRead, Text: []byte("text"), Err: Error{Class: Other, Text: "why"}, Data: []byte("data")}).Append(nil, true)
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	put32 := func(at int, v uint32) []byte {
		return change(func(b []byte) []byte { binary.LittleEndian.PutUint32(b[at:], v); return b })
	}
	put64 := func(at int, v uint64) []byte {
		return change(func(b []byte) []byte { binary.LittleEndian.PutUint64(b[at:], v); return b })
	}
	for name, c := range map[string]struct {
		b    []byte
		want string
	}{
		"nothing":                 {nil, "0 bytes, a record has 88 at least"},
		"a header short of one":   {good[:HeaderSize-1], "87 bytes"},
		"kind 0":                  {change(func(b []byte) []byte { b[0] = 0; return b }), "kind 0"},
		"a kind there is not":     {change(func(b []byte) []byte { b[0] = byte(kinds); return b }), fmt.Sprintf("kind %d", kinds)},
		"kind 255":                {change(func(b []byte) []byte { b[0] = 255; return b }), "kind 255"},
		"a text over the limit":   {put32(72, MaxText+1), "texts of 65536"},
		"a text of 4 GiB":         {put32(72, math.MaxUint32), "texts of 4294967295"},
		"an error text of 4 GiB":  {put32(76, math.MaxUint32), "4294967295"},
		"a text behind the end":   {put32(72, 9), "texts of 9 and 3 bytes in 11"},
		"two texts of all":        {change(func(b []byte) []byte { b[72], b[76] = 11, 11; return b }), "texts of 11 and 11"},
		"data cut":                {good[:len(good)-1], "4 bytes of data announced, 3 there"},
		"a byte too many":         {change(func(b []byte) []byte { return append(b, 'x') }), "4 bytes of data announced, 5 there"},
		"data of 2^64-1":          {put64(80, math.MaxUint64), "bytes of data"},
		"data that wraps around":  {put64(80, math.MaxUint64-2), "bytes of data"},
		"data over 1 GiB, absent": {put64(80, 1<<30+1)[:len(good)-4], "the limit is 1073741824"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := Record{Kind: KindStop, Seq: 7}
			_, err := rec.Parse(c.b)
			require.ErrorIs(t, err, ErrRecord)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, Record{Kind: KindStop, Seq: 7}, rec, "left as it was")
		})
	}
	var rec Record
	missing, err := rec.Parse(put64(80, 1<<30)[:len(good)-4])
	require.NoError(t, err)
	require.EqualValues(t, 1<<30, missing)
}

// Views of a record end with it: an append to one does not write into the next.
func TestTextOfAParsedRecordCannotGrowIntoItsData(t *testing.T) {
	b := (&Record{Kind: KindMessage, Text: []byte("way"), Data: []byte("data")}).Append(nil, true)
	var rec Record
	_, err := rec.Parse(b)
	require.NoError(t, err)
	_ = append(rec.Text, "XXXX"...)
	require.Equal(t, "data", string(rec.Data))
}

func TestTextsThatAreTooLongAreCut(t *testing.T) {
	long := strings.Repeat("x", MaxText+10)
	r := newRecorder(t, Config{})
	r.hot(&Record{Kind: KindLost, Text: []byte(long), Err: Error{Class: Other, Text: long}})
	r.aside(&Record{Kind: KindResolve, Text: []byte(long)})
	got := drain(r)
	require.Len(t, got, 2)
	require.Len(t, got[0].Text, MaxText)
	require.Len(t, got[0].Err.Text, MaxText)
	require.Len(t, got[1].Text, MaxText)
}

func TestKindsHaveNames(t *testing.T) {
	seen := make(map[string]bool)
	for k := Kind(1); k < kinds; k++ {
		require.NotContains(t, k.String(), "kind ")
		require.False(t, seen[k.String()], k)
		seen[k.String()] = true
	}
	require.Equal(t, "kind 0", Kind(0).String())
	require.Equal(t, fmt.Sprintf("kind %d", kinds), kinds.String())
}

// Parse takes any bytes: it refuses them, or what it makes of them makes the same
// bytes again.
func FuzzRecord(f *testing.F) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20 {
		rec := randomRecord(rng)
		f.Add(rec.Append(nil, rng.IntN(2) == 0))
	}
	f.Add([]byte{})
	f.Add(make([]byte, HeaderSize))
	f.Add(bytes.Repeat([]byte{0xff}, HeaderSize+8))
	f.Fuzz(func(t *testing.T, b []byte) {
		var rec Record
		missing, err := rec.Parse(b)
		if err != nil {
			require.ErrorIs(t, err, ErrRecord)
			return
		}
		_ = rec.Err.Err()
		_ = rec.Kind.String()
		require.LessOrEqual(t, missing, uint64(maxData))
		if missing == 0 {
			require.Equal(t, b, rec.Append(nil, true))
			return
		}
		require.Empty(t, rec.Data)
		again := rec.Append(nil, false)
		binary.LittleEndian.PutUint64(again[80:], missing)
		require.Equal(t, b, again)
	})
}
