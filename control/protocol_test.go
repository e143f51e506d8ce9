package control

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
)

func TestParseRequest(t *testing.T) {
	for line, want := range map[string]request{
		`{"do":"idle","reactor":"md","idle":"park(50us)"}`: {Do: "idle", Reactor: "md", Idle: "park(50us)", strategy: idle.Park(50e3)},
		`{"do":"reset"}`: {Do: "reset"},
		` {"reactor":"a b", "do":"reset"} ` + "\r\n":             {Do: "reset", Reactor: "a b"},
		`{"do":"drop","endpoint":"btcusdt@trade"}` + "\n":        {Do: "drop", Endpoint: "btcusdt@trade"},
		`{"do":"drop","endpoint":"` + "\\u0000" + `\n\"\u2028"}`: {Do: "drop", Endpoint: "\x00\n\"\u2028"},
		`{"do":"dump","reactor":"md"}`:                           {Do: "dump", Reactor: "md"},
	} {
		q, err := parseRequest([]byte(line))
		require.NoError(t, err, line)
		want.strategy = q.strategy
		require.Equal(t, want, q, line)
	}
	q, err := parseRequest([]byte(`{"do":"idle","reactor":"md","idle":"park(50us)"}`))
	require.NoError(t, err)
	require.Equal(t, idle.Park(50e3), q.strategy)

	for line, want := range map[string]string{
		"":                            "not understood: EOF",
		"\n":                          "not understood: EOF",
		"dump":                        "not understood: invalid character",
		`{"do":"dump"`:                "not understood: unexpected EOF",
		`{"do":"dump"} {}`:            "more than one object in a line",
		`{"do":"dump"}]`:              "not understood: more than one",
		`["dump"]`:                    "not understood: json: cannot unmarshal array",
		`{"do":7}`:                    "not understood: json: cannot unmarshal number",
		`{"do":"dump","pid":1}`:       `not understood: json: unknown field "pid"`,
		`{}`:                          `the request has no "do"`,
		`null`:                        `the request has no "do"`,
		`{"do":"kill"}`:               `unknown request "kill": want idle, reset, drop or dump`,
		`{"do":"drop"}`:               `request "drop" needs "endpoint"`,
		`{"do":"idle"}`:               `request "idle" needs "reactor" "idle"`,
		`{"do":"idle","idle":"spin"}`: `request "idle" needs "reactor"`,
		`{"do":"idle","reactor":"md","idle":"sleepy"}`:              `idle: unknown strategy "sleepy"`,
		`{"do":"idle","reactor":"md","idle":"spin","endpoint":"x"}`: `request "idle" takes no "endpoint"`,
		`{"do":"drop","endpoint":"x","idle":"spin"}`:                `request "drop" takes no "idle"`,
		`{"do":"reset","endpoint":"x"}`:                             `request "reset" takes no "endpoint"`,
		`{"do":"dump","endpoint":"x","idle":"spin"}`:                `request "dump" takes no "endpoint" "idle"`,
	} {
		q, err := parseRequest([]byte(line))
		require.ErrorContains(t, err, want, line)
		require.Zero(t, q, line)
	}
}

// FuzzParseRequest: no line makes it panic; what is understood can be done, and is
// the same after a round trip.
func FuzzParseRequest(f *testing.F) {
	for _, line := range []string{
		`{"do":"idle","reactor":"md","idle":"spin"}`, `{"do":"reset"}`, `{"do":"drop","endpoint":"x"}`, `{"do":"dump"}`,
		`{"do":"dump","do":"drop"}`, `{"DO":"dump"}`, `{"do":"\ud800"}`, `[[[[`, "{\"do\":\"drop\",\"endpoint\":\"\xff\"}",
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		q, err := parseRequest(line)
		if err != nil {
			require.Zero(t, q)
			require.NotEmpty(t, err.Error())
			return
		}
		require.Contains(t, []string{doIdle, doReset, doDrop, doDump}, q.Do)
		require.Equal(t, q.Do == doDrop, q.Endpoint != "")
		require.Equal(t, q.Do == doIdle, q.Idle != "")
		text, err := json.Marshal(q)
		require.NoError(t, err)
		again, err := parseRequest(text)
		require.NoError(t, err)
		require.Equal(t, q, again)
	})
}

func TestSummary(t *testing.T) {
	stuck := &reactor.StuckError{Reactor: "md"}
	none := func(near ...string) error { return &reactor.NoEndpointError{Name: "x", Near: near} }
	drop := request{Do: doDrop, Endpoint: "x"}
	require.NoError(t, summary(drop, []error{nil, none("y"), reactor.ErrClosed}))
	require.NoError(t, summary(request{Do: doReset}, []error{nil, reactor.ErrClosed}))
	require.ErrorIs(t, summary(request{Do: doReset}, []error{reactor.ErrClosed}), reactor.ErrClosed)
	require.ErrorIs(t, summary(drop, []error{reactor.ErrClosed}), reactor.ErrClosed)
	require.Equal(t, stuck, summary(drop, []error{nil, stuck, none()}))
	require.EqualError(t, summary(drop, []error{none("x1", "z"), none("x1"), reactor.ErrClosed}),
		`reactor: no such endpoint: "x": did you mean "x1" or "z"?`)
	both := summary(drop, []error{stuck, reactor.ErrMailboxFull})
	require.ErrorIs(t, both, reactor.ErrMailboxFull)
	require.Equal(t, Stuck, codeOf(both))
	require.NotContains(t, both.Error(), "\n")
}

func TestCodes(t *testing.T) {
	for err, want := range map[error]Code{
		errNoReactor:                        NotFound,
		fmt.Errorf("a: %w", errNoReactor):   NotFound,
		reactor.ErrNoConnection:             NotFound,
		&reactor.NoEndpointError{Name: "x"}: NotFound,
		&reactor.StuckError{}:               Stuck,
		reactor.ErrMailboxFull:              Busy,
		reactor.ErrClosed:                   Failed,
	} {
		require.Equal(t, want, codeOf(err), err)
	}
}

func TestEventString(t *testing.T) {
	require.Equal(t, `control: uid 1000, pid 7 (boomctl): drop endpoint "btc": 2 dropped`,
		Event{UID: 1000, PID: 7, Command: "boomctl", Do: "drop", Endpoint: "btc", Dropped: 2}.String())
	require.Equal(t, `control: uid 0, pid 7: idle reactor "md" strategy "spin"`,
		Event{PID: 7, Do: "idle", Reactor: "md", Idle: "spin"}.String())
	require.Equal(t, `control: uid 5, pid 7: a request: refused: no`,
		Event{UID: 5, PID: 7, Err: fmt.Errorf("no")}.String())
	// What a peer sends cannot move to another line of a log.
	require.NotContains(t, Event{Do: "drop", Endpoint: "a\nb", Err: nil}.String(), "\n")
}

func TestQuoted(t *testing.T) {
	require.Equal(t, `"a"`, quoted([]string{"a"}))
	require.Equal(t, `"a", "b" or "c"`, quoted(strings.Split("abc", "")))
}
