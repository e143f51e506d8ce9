package main

import (
	"bufio"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/stretchr/testify/require"
)

// fuzzer serves what the fuzzing server does, with two cases: a text and a ping.
type fuzzer struct {
	mu sync.Mutex
	// seen is the path of each request, and what the client echoed.
	seen []string
}

func (f *fuzzer) note(s string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, s)
}

func (f *fuzzer) serve(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		f.visit(c)
		_ = c.Close()
	}
}

func (f *fuzzer) visit(c net.Conn) {
	in := bufio.NewReader(c)
	r, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	f.note(r.URL.String())
	sum := sha1.Sum([]byte(r.Header.Get("Sec-Websocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(c, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	send := func(op frame.Opcode, payload string) {
		_, _ = c.Write(append(frame.AppendHeader(nil, frame.Header{Fin: true, Opcode: op, Length: uint64(len(payload))}), payload...))
	}
	switch r.URL.Path {
	case "/getCaseCount":
		send(frame.Text, "2")
	case "/runCase":
		if r.URL.Query().Get("case") == "1" {
			send(frame.Text, "hello")
		} else {
			send(frame.Ping, "hello")
		}
		op, payload := receive(in)
		f.note(fmt.Sprint(op, " ", payload))
	}
	send(frame.Close, "\x03\xe8")
	op, _ := receive(in)
	f.note(op.String())
}

// receive reads a small frame of the client.
func receive(in io.Reader) (frame.Opcode, string) {
	head := make([]byte, 6) // a length of 7 bits, and the key
	if _, err := io.ReadFull(in, head); err != nil {
		return 0, err.Error()
	}
	h, _, err := frame.ParseHeader(head)
	if err != nil {
		return 0, err.Error()
	}
	p := make([]byte, h.Length)
	_, _ = io.ReadFull(in, p)
	frame.Mask(p, h.Key, 0)
	return h.Opcode, string(p)
}

func TestClientTakesEveryCase(t *testing.T) {
	want := []string{
		"/getCaseCount", "close",
		"/runCase?case=1&agent=a+b", "text hello", "close",
		"/runCase?case=2&agent=a+b", "pong hello", "close",
		"/updateReports?agent=a+b", "close",
	}
	for _, scheme := range []string{"ws", "wss"} {
		t.Run(scheme, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			ca := ""
			if scheme == "wss" {
				key := filepath.Join(t.TempDir(), "key.pem")
				ca = filepath.Join(t.TempDir(), "cert.pem")
				require.NoError(t, makeCertificate(key, ca))
				pair, err := tls.LoadX509KeyPair(ca, key)
				require.NoError(t, err)
				l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}})
			}
			f := new(fuzzer)
			var done sync.WaitGroup
			done.Go(func() { f.serve(l) })
			c, err := newClient(scheme+"://"+l.Addr().String(), "a b", ca)
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			require.NoError(t, c.run(ctx))
			require.NoError(t, l.Close())
			done.Wait()
			require.Equal(t, want, f.seen)
			require.Error(t, c.run(ctx), "there is no server any more")
		})
	}
	_, err := newClient("wss://h", "a", filepath.Join(t.TempDir(), "none"))
	require.Error(t, err)
}
