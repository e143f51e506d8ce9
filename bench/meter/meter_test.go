package meter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/clock"
)

func env(m map[string]string) func(string) string { return func(k string) string { return m[k] } }

func TestParse(t *testing.T) {
	w, err := parse([]string{"4000", "/burst/100/256", "10000"}, env(nil))
	require.NoError(t, err)
	require.Equal(t, Work{Port: 4000, Path: "/burst/100/256", Mode: Burst, N: 100, Iterations: 10000}, w)
	require.Equal(t, "ws://127.0.0.1:4000/burst/100/256", w.URL())

	w, err = parse([]string{"4000", "/flood/7/180/256"}, env(map[string]string{"TLS": "1", "ANCHORS_CA": "ca.pem"}))
	require.NoError(t, err)
	require.Equal(t, Work{Port: 4000, Path: "/flood/7/180/256", Mode: Flood, N: 7, TLS: true, CA: "ca.pem"}, w)
	require.Equal(t, "wss://127.0.0.1:4000/flood/7/180/256", w.URL())
}

func TestParseRefuses(t *testing.T) {
	for _, args := range [][]string{
		nil,
		{"4000"},
		{"0", "/flood/1/180/1"},
		{"65536", "/flood/1/180/1"},
		{"4000", "flood/1/180/1"},
		{"4000", "/flood"},
		{"4000", "/other/1/180"},
		{"4000", "/flood/0/180/1"},
		{"4000", "/flood/999999999999/180/1"},
		{"4000", "/burst/100/256"},
		{"4000", "/burst/100/256", "0"},
		{"4000", "/burst/100/256", "x"},
		{"4000", "/burst/100/256", "1", "2"},
	} {
		_, err := parse(args, env(nil))
		require.Error(t, err, "%q", args)
	}
}

func TestTLSConfig(t *testing.T) {
	c, err := Work{}.TLSConfig()
	require.NoError(t, err)
	require.Nil(t, c)

	c, err = Work{TLS: true}.TLSConfig()
	require.NoError(t, err)
	require.True(t, c.InsecureSkipVerify)

	_, err = Work{TLS: true, CA: filepath.Join(t.TempDir(), "none")}.TLSConfig()
	require.ErrorIs(t, err, os.ErrNotExist)

	file := filepath.Join(t.TempDir(), "bad.pem")
	require.NoError(t, os.WriteFile(file, []byte("no certificate"), 0o600))
	_, err = Work{TLS: true, CA: file}.TLSConfig()
	require.ErrorContains(t, err, "no certificate in")
}

func TestBurst(t *testing.T) {
	m := New("test", Work{Mode: Burst, N: 3, Iterations: 5})
	rounds := 0
	for more := true; more; more = m.Answered() {
		m.Ask()
		for range 3 {
			m.Message([]byte{1})
		}
		rounds++
	}
	require.Equal(t, warmUp+5, rounds)
	m.Stop()
	l, err := m.line()
	require.NoError(t, err)
	require.Equal(t, 15, l.Messages)
	require.Equal(t, 15, m.messages, "warm-up does not count")
	require.Positive(t, l.PerMsg)
	require.LessOrEqual(t, l.P50, l.Max)
}

func TestPacedDropsFirstTenth(t *testing.T) {
	m := New("test", Work{Mode: Paced, N: 20})
	for range 21 { // one more than announced is not kept
		m.Message(fmt.Appendf(nil, `{"T":"%019d"}`, clock.Nano()-5000))
	}
	m.Stop()
	l, err := m.line()
	require.NoError(t, err)
	require.Equal(t, 18, l.Messages)
	require.GreaterOrEqual(t, l.P50, 5.0, "microseconds")
	require.Zero(t, l.PerMsg)
}

func TestShortRun(t *testing.T) {
	m := New("test", Work{Mode: Flood, N: 2})
	m.Message([]byte{1})
	require.EqualError(t, m.Done(), "meter: 1 messages of 2")
	m = New("test", Work{Mode: Burst, N: 1, Iterations: 2})
	require.EqualError(t, m.Done(), "meter: 0 rounds of 2")
}

func TestPull(t *testing.T) {
	asked, left := 0, 0
	ask := func(q []byte) error { asked, left = asked+1, 2; require.Len(t, q, request); return nil }
	next := func() ([]byte, error) {
		if left == 0 {
			return nil, os.ErrClosed
		}
		left--
		return []byte{1}, nil
	}
	require.NoError(t, Pull("test", Work{Mode: Burst, N: 2, Iterations: 3}, ask, next))
	require.Equal(t, warmUp+3, asked)
	require.ErrorIs(t, Pull("test", Work{Mode: Burst, N: 3, Iterations: 3}, ask, next), os.ErrClosed)
	left = 4
	require.NoError(t, Pull("test", Work{Mode: Flood, N: 4}, ask, next))
	require.Error(t, Pull("test", Work{Mode: Flood, N: 4}, ask, next))
}

func TestLine(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Line{Name: "x", Mode: Paced, Messages: 3, P50: 1.23456, Max: 2}.print(&b))
	require.JSONEq(t, `{"name":"x","mode":"paced","msgs":3,"p50_us":1.23,"max_us":2}`, b.String())
	var l Line
	require.NoError(t, json.Unmarshal(b.Bytes(), &l))
	require.Equal(t, Paced, l.Mode)
}

func TestMeasuringDoesNotAllocate(t *testing.T) {
	p := fmt.Appendf(nil, `{"T":"%019d"}`, clock.Nano())
	m := New("test", Work{Mode: Paced, N: 2000})
	require.Zero(t, testing.AllocsPerRun(1000, func() { m.Message(p) }))
	m = New("test", Work{Mode: Burst, N: 1, Iterations: 4000})
	require.Zero(t, testing.AllocsPerRun(2000, func() { m.Ask(); m.Message(p); m.Answered() }))
}
