//go:build external

package capture

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// These tests show recordings to tshark and capinfos, Debian packages tshark and
// wireshark-common.

// counted is an endpoint that counts what it gets.
type counted struct {
	endpoint.WebSocket
	n    int
	want int
	done chan struct{}
}

// OnOpen starts the feed. tshark 4.0 loses its way in frames that come in one TLS record
// with the answer to the upgrade, so they must not.
func (c *counted) OnOpen(conn *ws.Conn) error {
	return conn.WriteString(`{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`)
}

func (c *counted) OnData(conn *ws.Conn) error {
	for _, ok := conn.Next(); ok; _, ok = conn.Next() {
		if c.n++; c.n == c.want {
			close(c.done)
		}
	}
	return conn.Err()
}

const (
	feedMessages = 500
	allMessages  = feedMessages + 1 // and the answer to SUBSCRIBE
)

// recordFeed records a feed of feedMessages messages, of which some are as long as
// several packets.
func recordFeed(t *testing.T, path string, secure *exchange.TLS, o Options) {
	lines := filepath.Join(t.TempDir(), "feed.tsv")
	w, err := feed.Create(lines)
	require.NoError(t, err)
	for i := range feedMessages {
		size := 100 + i
		if i%100 == 50 {
			size = 150_000
		}
		payload := fmt.Appendf(nil, `{"n":%d,"x":"%s"}`, i, strings.Repeat("x", size))
		require.NoError(t, w.Write(feed.Line{Time: int64(1e18) + int64(i)*1e5, Payload: payload}))
	}
	require.NoError(t, w.Close())
	s, err := exchange.Start(exchange.Config{Feed: lines, Speed: exchange.FlatOut, TLS: secure})
	require.NoError(t, err)
	defer s.Close()

	rec, err := Create(path, o)
	require.NoError(t, err)
	r, err := reactor.New(reactor.Config{Name: "feed", Tape: rec.Tape()})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() { ended <- r.Run(context.Background()) }()
	c := &counted{want: allMessages, done: make(chan struct{})}
	c.URL = s.URL() + "/ws"
	if ca := s.CA(); ca != nil {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		c.Options.Stream.TLS = &tls.Config{RootCAs: pool}
	}
	_, err = reactor.Register(r, c)
	require.NoError(t, err)
	select {
	case <-c.done:
	case <-time.After(20 * time.Second):
		t.Error("the feed has not come")
	}
	require.NoError(t, r.Close())
	require.NoError(t, <-ended)
	require.NoError(t, rec.Close())
	require.Zero(t, rec.Stats().Ring)
}

// dissect runs tshark over a file, with every checksum checked, and returns its lines.
func dissect(t *testing.T, path, filter string, fields ...string) (lines []string) {
	t.Helper()
	args := []string{"-r", path, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y", filter, "-T", "fields"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out := run(t, "tshark", args...)
	for line := range strings.Lines(out) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	program, err := exec.LookPath(name)
	require.NoError(t, err)
	cmd := exec.Command(program, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	require.NotContains(t, stderr.String(), "damaged")
	require.NotContains(t, stderr.String(), "cut short")
	return string(out)
}

func TestExternalTshark(t *testing.T) {
	for _, c := range []struct {
		name   string
		secure *exchange.TLS
		tape   tape.Config
		port   bool // 80 stands for the real one
		layer  string
	}{
		{"plain", nil, tape.Config{}, false, tape.Plain},
		{"above TLS", &exchange.TLS{}, tape.Config{}, true, tape.AboveTLS},
		{"below TLS 1.3", &exchange.TLS{}, tape.Config{BelowTLS: true, Secrets: true}, false, tape.BelowTLS},
		{"below TLS 1.2", &exchange.TLS{MaxVersion: tls.VersionTLS12}, tape.Config{BelowTLS: true, Secrets: true}, false, tape.BelowTLS},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := at(t)
			recordFeed(t, path, c.secure, Options{Tape: c.tape})

			require.Empty(t, dissect(t, path, complaints, "frame.number", "_ws.col.Info"), "complaints")
			in, out, got := make(map[string]int), make(map[string]int), make(map[string]int)
			var comments []string
			for _, line := range dissect(t, path, "tcp", "frame.packet_flags_direction", "websocket.opcode", "http.request.uri",
				"http.response.code", "tcp.flags.syn", "tcp.flags.fin", "tcp.checksum.status", "tcp.dstport", "frame.comment") {
				f := strings.Split(line, "\t")
				frames := in
				if f[0] == outbound {
					frames = out
				}
				for opcode := range strings.SplitSeq(f[1], ",") {
					frames[opcode]++
				}
				got["uri "+f[2]]++
				got["status "+f[3]]++
				got["syn "+f[4]]++
				got["fin "+f[5]]++
				got["checksum "+f[6]]++
				if f[0] == outbound && f[4] == "1" {
					got["port "+f[7]]++
				}
				comments = append(comments, f[8])
			}
			require.Equal(t, allMessages, in["1"], "messages")
			require.Equal(t, 1, out["1"])
			require.Equal(t, 1, out["8"], "the close frame")
			require.Equal(t, 1, got["uri /ws"])
			require.Equal(t, 1, got["status 101"])
			require.Equal(t, 2, got["syn 1"])
			require.Equal(t, 2, got["fin 1"])
			require.NotZero(t, got["checksum 1"], "checksums were checked")
			require.Zero(t, got["checksum 0"])

			all := strings.Join(comments, "\n")
			for _, want := range []string{"/ws, connection 1 (id ", "recorded: " + c.layer, "state open", "closed by us"} {
				require.Contains(t, all, want)
			}
			require.Equal(t, c.port, strings.Contains(all, "port 80 stands for"))
			require.Equal(t, c.port, got["port 80"] == 1)
		})
	}
}

// outbound is the direction in epb_flags as tshark prints it.
const outbound = "0x00000002"

// complaints are what tshark does not like.
const complaints = "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.flags"

// Each file of a rotation is dissected alone.
func TestExternalTsharkRotation(t *testing.T) {
	path := at(t)
	recordFeed(t, path, &exchange.TLS{}, Options{MaxBytes: 300_000})
	parts, err := Parts(path)
	require.NoError(t, err)
	require.Greater(t, len(parts), 2)
	for _, p := range parts {
		frames, upgraded := 0, 0
		for _, line := range dissect(t, p, "websocket || http.response.code == 101", "websocket.opcode", "http.response.code") {
			if strings.HasSuffix(line, "101") {
				upgraded++
			}
			frames++
		}
		require.Greater(t, frames, 1, p)
		require.Equal(t, 1, upgraded, p)
		require.Empty(t, dissect(t, p, complaints, "frame.number", "_ws.col.Info"), p)
	}
}

func TestExternalCapinfos(t *testing.T) {
	path := at(t)
	recordFeed(t, path, nil, Options{})
	out := run(t, "capinfos", "-M", path)
	require.Contains(t, out, "Capture application: "+Software)
	require.Contains(t, out, "Raw IP")
	require.Contains(t, out, "Name = feed")
	packets := 0
	in, err := openInput(path)
	require.NoError(t, err)
	defer in.Close()
	blocks, err := pcapng.NewReader(in)
	require.NoError(t, err)
	for {
		b, err := blocks.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if b.Kind == pcapng.KindPacket {
			packets++
		}
	}
	require.Regexp(t, fmt.Sprintf(`Number of packets = %d\n`, packets), out)
}
