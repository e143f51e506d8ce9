package recording

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
)

func TestParseTimeField(t *testing.T) {
	for in, want := range map[string]TimeField{
		"E:ms":        {Key: "E", Unit: time.Millisecond},
		"btc/T:us":    {Endpoint: "btc", Key: "T", Unit: time.Microsecond},
		"a/b/time:ns": {Endpoint: "a/b", Key: "time", Unit: 1},
		"T:mono":      {Key: "T", Unit: 1, Monotonic: true},
		"a:b:s":       {Key: "a:b", Unit: time.Second},
	} {
		got, err := ParseTimeField(in)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for in, want := range map[string]string{"E": "no unit", ":ms": "no key", "x/:ms": "no key", "E:min": `no such unit: "min"`} {
		_, err := ParseTimeField(in)
		require.ErrorContains(t, err, fmt.Sprintf("%q: %s; want [ENDPOINT/]KEY:UNIT", in, want))
	}
}

func TestTimeFieldFinds(t *testing.T) {
	for _, tc := range []struct {
		field, in string
		want      int64
	}{
		{"E:ms", `{"e":"x","E":1700000000123}`, 1_700_000_000_123_000_000},
		{"E:ms", `{"data":{"E" : "12"}}`, 12_000_000},
		{"E:ms", `{"s":"E","E":5}`, 5_000_000},
		{"ts:s", `{"ts":1700000000.25}`, 1_700_000_000_250_000_000},
		{"E:ns", `{"E":9}`, 9},
		{"E:ms", `{"E":"x"}`, -1},
		{"E:ms", `{"E":99999999999999999999}`, -1},
		{"E:s", `{"E":9223372036854775807}`, -1},
		{"E:ms", `{"EE":1}`, -1},
		{"E:ms", `{"E"`, -1},
		{"E:ms", `{"E":`, -1},
	} {
		f, err := ParseTimeField(tc.field)
		require.NoError(t, err)
		got, ok := f.find([]byte(tc.in))
		require.Equal(t, tc.want >= 0, ok, tc.in)
		require.Equal(t, max(tc.want, 0), got, tc.in)
	}
}

func TestMeasure(t *testing.T) {
	s := upgraded()
	s.Memory[0].Kind, s.Memory[0].Arg = tape.KindBegin, 1_000_000_000_000 // the wall is so far ahead
	s.Memory = append(tape.Memory{{Kind: tape.KindBegin, Arg: 1_000_000_000_000}}, s.Memory...)
	s.Memory[1].Kind, s.Memory[1].Arg = tape.KindConnect, 0
	for i := range 10 {
		at := int64(10+i) * 100_000_000
		if i == 9 {
			at += int64(time.Second)
		}
		s.seq++
		payload := fmt.Sprintf(`{"E":%d}`, (at+1_000_000_000_000)/1_000_000-3)
		if i == 0 {
			payload = `{}`
		}
		var stamp [16]byte
		binary.LittleEndian.PutUint64(stamp[:], uint64(at+1_000_000_000_000-20_000))
		two := append(textFrame(payload), textFrame(payload)...)
		s.Keep(&tape.Record{Kind: tape.KindRead, Seq: s.seq, At: at, Conn: 1, Text: stamp[:], Data: two})
	}
	f, err := ParseTimeField("quotes/E:ms")
	require.NoError(t, err)
	st, err := Measure(s, new(Filter), []TimeField{f})
	require.NoError(t, err)
	require.Len(t, st.Series, 1)
	q := st.Series[0]
	require.Equal(t, "quotes", q.Endpoint)
	require.Equal(t, uint64(20), q.Messages)
	require.Equal(t, 1100*time.Millisecond, q.LongestGap)
	require.Equal(t, time.Unix(1001, 800_000_000), q.GapAt)
	require.Equal(t, []uint32{18, 2}, q.PerSecond)
	require.Equal(t, uint32(18), q.Busiest)
	require.InDelta(t, 19/1.9, q.Rate(), 0.01)
	require.Equal(t, uint64(2), q.NoEvent)
	require.Equal(t, int64(18), q.Event.Snapshot().Count())
	require.Equal(t, int64(3*time.Millisecond), q.Event.Snapshot().Max())
	require.Equal(t, int64(10), q.Kernel.Snapshot().Count(), "one each read")
	require.Equal(t, int64(20*time.Microsecond), q.Kernel.Snapshot().Max())
	require.Equal(t, int64(19), q.Between.Snapshot().Count())

	none, err := Measure(s, &Filter{Endpoints: []string{"other"}}, nil)
	require.NoError(t, err)
	require.Empty(t, none.Series)
}
