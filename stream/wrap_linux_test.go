package stream

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tapped is a stream that remembers what goes through it.
type tapped struct {
	waiting
	in, out bytes.Buffer
	closed  int
}

func (s *tapped) Read(p []byte) (int, error) {
	n, err := s.waiting.Read(p)
	s.in.Write(p[:n])
	return n, err
}

func (s *tapped) Write(p []byte) (int, error) {
	n, err := s.waiting.Write(p)
	s.out.Write(p[:n])
	return n, err
}

func (s *tapped) Close() error {
	s.closed++
	return s.waiting.Close()
}

// echoes serves one connection of l and says when it has ended.
func echoes(l net.Listener, secure bool) (ended chan struct{}) {
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		if secure {
			serveTLS(l, &tls.Config{Certificates: []tls.Certificate{goodCertificate()}}, func(c *tls.Conn) { _, _ = io.Copy(c, c) })
			return
		}
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(struct{ io.Writer }{c}, c) // not by splice, which keeps pipes
			_ = c.Close()
		}
	}()
	return ended
}

// Wrap is called once, between Connecting and Securing, with the socket; what it
// returns is what Dial returns, or what TLS stands on.
func TestWrap(t *testing.T) {
	for _, secure := range []bool{false, true} {
		l := listen(t)
		ended := echoes(l, secure)
		var order []string
		var tap *tapped
		o := &Options{
			Resolver: answers{"127.0.0.1"}, TLS: &tls.Config{RootCAs: testAuthority().pool()},
			OnPhase: func(p Phase) { order = append(order, p.String()) },
			Wrap: func(s Stream) (Stream, error) {
				order = append(order, "wrap")
				require.IsType(t, &TCP{}, s)
				tap = &tapped{waiting: s.(waiting)}
				return tap, nil
			},
		}
		scheme, want := "tcp", []string{"resolving", "connecting", "wrap"}
		if secure {
			scheme, want = "tls", append(want, "securing")
		}
		s, err := o.Dial(testCtx(t), scheme+"://venue.test:"+portOf(t, l.Addr().String()))
		require.NoError(t, err)
		require.Equal(t, want, order)
		_, err = s.Write([]byte("some plain text"))
		require.NoError(t, err)
		p := make([]byte, 100)
		n, err := readSome(t, s.(waiting), p)
		require.NoError(t, err)
		require.Equal(t, "some plain text", string(p[:n]))
		if secure {
			require.IsType(t, &TLS{}, s)
			require.EqualValues(t, 22, tap.out.Bytes()[0], "a TLS handshake")
			require.NotContains(t, tap.out.String(), "some plain text")
			require.NotContains(t, tap.in.String(), "some plain text")
		} else {
			require.Same(t, tap, s)
			require.Equal(t, "some plain text", tap.in.String())
		}
		require.NoError(t, s.Close())
		require.Equal(t, 1, tap.closed)
		<-ended
	}
}

// After an error of Wrap the socket is closed; so is what Wrap returned when TLS fails
// on it.
func TestWrapFails(t *testing.T) {
	refused := errors.New("the tap refuses")
	for name, c := range map[string]struct {
		wrap func(Stream) (Stream, error)
		want string
	}{
		"an error": {func(Stream) (Stream, error) { return nil, refused }, "the tap refuses"},
		"nothing":  {func(Stream) (Stream, error) { return nil, nil }, "neither a stream nor an error"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			ended := echoes(l, false)
			var socket Stream
			o := &Options{Wrap: func(s Stream) (Stream, error) {
				socket = s
				return c.wrap(s)
			}}
			_, err := o.Dial(testCtx(t), "tcp://"+l.Addr().String())
			d := failedIn(t, Connecting, err)
			require.Equal(t, l.Addr().String(), d.Addr)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, name == "an error", errors.Is(err, refused))
			_, err = socket.Read(make([]byte, 1))
			require.ErrorIs(t, err, net.ErrClosed)
			<-ended
		})
	}

	l := listen(t)
	ended := echoes(l, true)
	var tap *tapped
	o := &Options{Wrap: func(s Stream) (Stream, error) { // and TLS does not trust the venue
		tap = &tapped{waiting: s.(waiting)}
		return tap, nil
	}}
	_, err := o.Dial(testCtx(t), "tls://"+l.Addr().String())
	d := failedIn(t, Securing, err)
	require.Empty(t, d.Addr, "the wrapping knows no address")
	require.Equal(t, 1, tap.closed)
	<-ended

	l = listen(t)
	ended = echoes(l, false)
	o = &Options{Wrap: func(s Stream) (Stream, error) { return struct{ Stream }{s}, nil }}
	_, err = o.Dial(testCtx(t), "tls://"+l.Addr().String())
	failedIn(t, Securing, err)
	require.ErrorContains(t, err, "cannot wait")
	<-ended
}

// A dial that does not connect does not wrap.
func TestWrapIsNotCalledWithoutAConnection(t *testing.T) {
	o := &Options{Wrap: func(Stream) (Stream, error) { panic("nothing to wrap") }}
	_, err := o.Dial(testCtx(t), "tcp://"+refusing(t))
	failedIn(t, Connecting, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = o.Dial(ctx, "tcp://"+refusing(t))
	require.Error(t, err)
}

// Behind a proxy it is what the proxy has connected: after its CONNECT, under the TLS
// of the target.
func TestWrapBehindAProxy(t *testing.T) {
	for _, scheme := range proxySchemes {
		for _, secure := range []bool{false, true} {
			p := newProxyOf(t, scheme, "user", "password")
			target, accept := venue(t, secure)
			done := make(chan struct{})
			go func() {
				defer close(done)
				c := accept()
				_, _ = io.Copy(struct{ io.Writer }{c}, io.LimitReader(c, 4))
			}()
			var tap *tapped
			o := viaProxy(p)
			o.Wrap = func(s Stream) (Stream, error) {
				require.Equal(t, scheme == "https", func() bool { _, ok := s.(Secured); return ok }(), "TLS to the proxy")
				tap = &tapped{waiting: s.(waiting)}
				return tap, nil
			}
			s, err := o.Dial(testCtx(t), target)
			require.NoError(t, err, scheme)
			_, err = s.Write([]byte("text"))
			require.NoError(t, err)
			got := make([]byte, 10)
			n, err := readSome(t, s.(waiting), got)
			require.NoError(t, err)
			require.Equal(t, "text", string(got[:n]))
			require.NoError(t, s.Close())
			<-done
			require.False(t, strings.Contains(tap.out.String(), "password"), "what the proxy was told is not in it")
			if secure {
				require.EqualValues(t, 22, tap.out.Bytes()[0])
			} else {
				require.Equal(t, "text", tap.out.String())
				require.Equal(t, "text", tap.in.String())
			}
		}
	}
}
