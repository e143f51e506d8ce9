package main

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

func TestSentAt(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{`{"T":123}`, 123, true},
		{`{"data":{"s":"T","T" : 5,"x":1}}`, 5, true},
		{"{\"T\"\n:\t7 }", 7, true},
		{`{"T":"1","a":{"T":2}}`, 2, true},
		{`{"T":9223372036854775807}`, 1<<63 - 1, true},
		{`{"T":9223372036854775808}`, 0, false},
		{`{"T":1.5}`, 0, false},
		{`{"T":1e3}`, 0, false},
		{`{"T":-1}`, 0, false},
		{`{"a":"\"T\":4"}`, 0, false},
		{`{"a":"b\"T":4}`, 0, false},
		{`{"T":`, 0, false},
		{`"T"`, 0, false},
		{``, 0, false},
		{`{"t":3}`, 0, false},
	} {
		got, ok := sentAt([]byte(tc.in))
		require.Equal(t, tc.ok, ok, tc.in)
		require.Equal(t, tc.want, got, tc.in)
	}
}

func FuzzSentAt(f *testing.F) {
	f.Add([]byte(`{"e":"trade","T":1700000000000}`))
	f.Add([]byte(`{"T" :"x","\"T":1,"T":2}`))
	f.Add([]byte(`"T":99999999999999999999`))
	f.Fuzz(func(t *testing.T, p []byte) {
		if ns, ok := sentAt(p); ok && ns < 0 || !ok && ns != 0 {
			t.Fatalf("%d %t", ns, ok)
		}
	})
}

// readAll takes the lines until there are no more.
func readAll(l *lines, rung <-chan struct{}) (got []string, err error) {
	for {
		if line, ok := l.peek(); ok {
			again, _ := l.peek()
			if !bytes.Equal(line, again) {
				return nil, errors.New("peek moved on")
			}
			got = append(got, string(line))
			l.drop()
			continue
		}
		if l.done {
			return got, l.err
		}
		<-rung
	}
}

func linesOf(r io.Reader, limit int) ([]string, error) {
	rung := make(chan struct{}, 1)
	l := readLines(r, limit, func() {
		select {
		case rung <- struct{}{}:
		default:
		}
	})
	defer l.close()
	return readAll(l, rung)
}

func TestLines(t *testing.T) {
	long := strings.Repeat("y", 3*readChunk+5)
	for _, tc := range []struct {
		name, in string
		want     []string
	}{
		{"nothing", "", nil},
		{"one", "a\n", []string{"a"}},
		{"no newline at the end", "a\nb", []string{"a", "b"}},
		{"empty lines", "\n\n", []string{"", ""}},
		{"carriage returns stay", "a\r\n", []string{"a\r"}},
		{"longer than a read", "a\n" + long + "\nb\n" + long, []string{"a", long, "b", long}},
		{"not ASCII", "é\n漢", []string{"é", "漢"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, wrap := range []func(io.Reader) io.Reader{
				func(r io.Reader) io.Reader { return r }, iotest.HalfReader, iotest.DataErrReader,
			} {
				got, err := linesOf(wrap(strings.NewReader(tc.in)), maxLine)
				require.NoError(t, err)
				require.Equal(t, tc.want, got)
			}
		})
	}
	got, err := linesOf(iotest.OneByteReader(strings.NewReader("a\nbc\n\nd")), maxLine)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "bc", "", "d"}, got)
}

func TestLinesThatAreRefused(t *testing.T) {
	got, err := linesOf(strings.NewReader("a\n\xc3\nb\n"), maxLine)
	require.Equal(t, []string{"a"}, got)
	require.EqualError(t, err, "standard input: line 2 is not valid UTF-8")

	const limit = 3 * readChunk
	long := strings.Repeat("z", limit)
	got, err = linesOf(strings.NewReader(long+"\n"), limit)
	require.NoError(t, err)
	require.Len(t, got, 1)
	_, err = linesOf(strings.NewReader("a\n"+long+"z\n"), limit)
	require.ErrorContains(t, err, "limit 196608")
	_, err = linesOf(strings.NewReader(long+long), limit)
	require.ErrorContains(t, err, "longer than 196608 bytes")
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		err    error
		status int
		line   string
	}{
		{&ws.CloseError{Code: frame.CloseNormal, Remote: true, Clean: true}, exitOK, "closed: u: closed by the peer: 1000"},
		{&ws.CloseError{Code: frame.CloseNoStatus, Remote: true, Clean: true}, exitOK, "closed: u: closed by the peer: 1005"},
		{&ws.CloseError{Code: frame.ClosePolicyViolation, Reason: "r", Remote: true}, exitProtocol, "closed: u: closed by the peer: 1008"},
		{&ws.CloseError{Code: frame.CloseAbnormal, Err: io.ErrUnexpectedEOF}, exitProtocol, "lost: u: closed: 1006"},
		{&ws.CloseError{Code: frame.CloseProtocolError, Err: frame.ErrMasked}, exitProtocol, "protocol: u: closed: 1002"},
		{&ws.UpgradeError{StatusCode: 429, Status: "429 Too Many Requests", Err: ws.ErrRefused, Body: []byte("\n slow down \nplease")}, exitUpgrade, "upgrade: u: refused with 429 Too Many Requests: slow down"},
		{&ws.UpgradeError{Err: io.ErrUnexpectedEOF}, exitUpgrade, "upgrade: u: unexpected EOF"},
		{&usageError{io.EOF}, exitUsage, "usage: EOF"},
		{io.EOF, exitFailure, "EOF"},
	} {
		status, line := explain("u", tc.err)
		require.Equal(t, tc.status, status, line)
		require.True(t, strings.HasPrefix(line, tc.line), line)
	}
}

func TestShownHidesSecrets(t *testing.T) {
	u, err := url.Parse("wss://user:secret@host:1/path?key=secret#secret")
	require.NoError(t, err)
	require.Equal(t, "wss://host:1/path", shown(u))
}

func TestNotesAreOneLineEach(t *testing.T) {
	var b bytes.Buffer
	n := &notes{w: &b, quiet: true}
	n.status("unseen")
	n.always("a\nb\x1b[1m%s", "é")
	require.Equal(t, "boomctl: connect: a b [1mé\n", b.String())
}
