package imported_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture"
	"github.com/boomnet-go/boomnet/capture/pcapng"
	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/internal/recording/imported"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
)

// feed keeps the messages of a topic.
type feed struct {
	endpoint.WebSocket
	messages []string
	enough   func()
}

func (f *feed) OnOpen(c *ws.Conn) error {
	return c.WriteText([]byte(`{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}`))
}

func (f *feed) OnData(c *ws.Conn) error {
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		f.messages = append(f.messages, string(m.Payload))
	}
	if len(f.messages) >= 50 && f.enough != nil {
		f.enough()
	}
	return c.Err()
}

// A file of ours is, to a reader of packets, a capture like any other: TCP with the right
// numbers, sealed by TLS or not. What is made of its packets alone replays into the same
// messages.
func TestPacketsBecomeARecording(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			cfg := exchange.Config{Rate: 300}
			if secure {
				cfg.TLS = &exchange.TLS{}
			}
			srv, err := exchange.Start(cfg)
			require.NoError(t, err)
			defer srv.Close()
			live := &feed{}
			live.URL = srv.URL() + "/ws"
			if secure {
				roots := x509.NewCertPool()
				require.True(t, roots.AppendCertsFromPEM(srv.CA()))
				live.Options.Stream.TLS = &tls.Config{RootCAs: roots}
				live.Options.Stream.TLS.CipherSuites = []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}
				live.Options.Stream.TLS.MaxVersion = tls.VersionTLS12
			}
			path := filepath.Join(t.TempDir(), "wire.pcapng")
			rec, err := capture.Create(path, capture.Options{Tape: tape.Config{BelowTLS: secure, Secrets: secure}})
			require.NoError(t, err)
			r, err := reactor.New(reactor.Config{Tape: rec.Tape()})
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			live.enough = cancel
			_, err = reactor.Register(r, live)
			require.NoError(t, err)
			require.NoError(t, r.Run(ctx))
			require.NoError(t, rec.Close())

			p, err := imported.ReadPackets(path, imported.PacketsConfig{Endpoint: "feed"})
			require.NoError(t, err)
			require.Empty(t, p.Skipped)
			require.Equal(t, 1, p.Imported)
			require.Zero(t, p.Passed.Malformed+p.Passed.Other+p.Gaps)
			require.Equal(t, live.messages, replayed(t, p.Recording, live.URL))

			// Without the packet of one message, and out of order.
			if secure {
				return
			}
			file := packetsOf(t, path)
			file[8], file[9] = file[9], file[8]
			p, err = imported.ReadPackets(write(t, file), imported.PacketsConfig{})
			require.NoError(t, err)
			require.Zero(t, p.Gaps)
			require.Equal(t, live.messages, replayed(t, p.Recording, live.URL))
			p, err = imported.ReadPackets(write(t, append(file[:20:20], file[21:]...)), imported.PacketsConfig{})
			require.NoError(t, err)
			require.NotZero(t, p.Gaps)
		})
	}
	path := filepath.Join(t.TempDir(), "empty.pcapng")
	require.NoError(t, os.WriteFile(path, pcapng.AppendSection(nil, &pcapng.Section{}), 0o600))
	_, err := imported.ReadPackets(path, imported.PacketsConfig{})
	require.ErrorContains(t, err, "no WebSocket connection in 0 packets")
	_, err = imported.ReadPackets(path, imported.PacketsConfig{KeyLog: bytes.NewReader([]byte("no key log\n"))})
	require.Error(t, err)
}

// replayed are the messages of an endpoint on a replay.
func replayed(t *testing.T, m tape.Memory, url string) []string {
	e := &feed{}
	e.Name, e.URL = "feed", url
	done, err := (&capture.Reproduction{Recording: m, Endpoints: []endpoint.Protocol{e}}).Run(context.Background())
	require.NoError(t, err)
	require.Empty(t, done.Divergences)
	return e.messages
}

// packetsOf are the packets of a file, with what they say of themselves only.
func packetsOf(t *testing.T, path string) (out [][]byte) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	in, err := pcapng.NewReader(f)
	require.NoError(t, err)
	for {
		b, err := in.Next()
		if err != nil {
			return out
		}
		if b.Packet != nil {
			p := *b.Packet
			p.Options = nil
			out = append(out, pcapng.AppendPacket(nil, &p))
		}
	}
}

func write(t *testing.T, packets [][]byte) string {
	file := pcapng.AppendSection(nil, &pcapng.Section{})
	file = pcapng.AppendInterface(file, &pcapng.Interface{LinkType: pcapng.LinkRaw})
	path := filepath.Join(t.TempDir(), "packets.pcapng")
	require.NoError(t, os.WriteFile(path, append(file, bytes.Join(packets, nil)...), 0o600))
	return path
}
