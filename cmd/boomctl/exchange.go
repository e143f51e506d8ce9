package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/internal/exchange"
)

// exchangeCmd is `boomctl exchange`.
type exchangeCmd struct {
	Listen string `default:"127.0.0.1:9443" placeholder:"HOST:PORT" help:"Address to serve on; port 0 takes a free one (default ${default})."`

	TLS   bool   `help:"Serve wss:// with a certificate made for this run, or with --cert and --key."`
	Cert  string `placeholder:"FILE" help:"Certificate chain in PEM; with --key, turns --tls on."`
	Key   string `placeholder:"FILE" help:"Private key in PEM."`
	CAOut string `name:"ca-out" placeholder:"FILE" help:"Write the certificate that clients must trust, in PEM; turns --tls on."`

	Rate   float64 `default:"10" placeholder:"N" help:"Messages a second of each stream (default ${default})."`
	Seed   uint64  `default:"1" placeholder:"N" help:"Seed of prices and random faults (default ${default})."`
	Record string  `placeholder:"FILE" help:"Write every message generated, that is of the streams that clients subscribe to, to a new file, which --feed can serve; compressed with gzip."`

	Feed  string `placeholder:"FILE" help:"Serve a recorded feed instead of a generated market: lines of seconds, tab, payload; plain or gzip."`
	Speed speed  `default:"1" placeholder:"N" help:"How many times faster than recorded; 0 or max: as fast as it goes (default ${default})."`
	Loop  bool   `help:"Start the feed again after its end."`

	Faults      bool          `help:"Disconnect, stall and garble connections at random."`
	FaultsEvery time.Duration `default:"5s" placeholder:"TIME" help:"Time between two random faults (default ${default})."`

	CPU    int  `default:"-1" placeholder:"N" help:"Run on this CPU only."`
	JSON   bool `help:"Print one line of JSON when ready: url, addr, ca."`
	Parent bool `help:"End when standard input ends, that is with the process that started this one."`
}

// Help is what `boomctl exchange --help` says beside the flags.
func (*exchangeCmd) Help() string {
	return "Serves market data of made-up symbols to WebSocket clients, in the manner of a large crypto exchange, until Ctrl-C. " +
		"A client can ask for trouble by its URL: ?fault=rst&after=500 resets its connection after 500 messages; the start of the program lists all faults."
}

func (*exchangeCmd) about() about {
	return about{examples: []example{
		{"ws://127.0.0.1:9443, ten messages a second a stream.", "boomctl exchange"},
		{"wss://, and the certificate that clients must trust.", "boomctl exchange --rate 1000 --ca-out ca.pem"},
		{"Disconnects, stalls and garbles, one each second.", "boomctl exchange --faults --faults-every 1s"},
		{"Record what its clients subscribe to, until Ctrl-C.", "boomctl exchange --record feed.gz"},
		{"Serve a recorded feed over and over, twice as fast.", "boomctl exchange --feed feed.gz --loop --speed 2"},
	}}
}

// speed is a factor; "0" and "max" are FlatOut.
type speed float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *speed) UnmarshalText(text []byte) error {
	if string(text) == "max" {
		*s = speed(exchange.FlatOut)
		return nil
	}
	f, err := strconv.ParseFloat(string(text), 64)
	if err != nil || !(f >= 0) {
		return fmt.Errorf("%q is neither a number from 0 nor max", text)
	}
	if f == 0 {
		f = exchange.FlatOut
	}
	*s = speed(f)
	return nil
}

// Validate is called by kong; its errors are usage errors.
func (c *exchangeCmd) Validate() error {
	if !(c.Rate > 0) {
		return fmt.Errorf("--rate %v: must be above 0", c.Rate)
	}
	if c.FaultsEvery <= 0 {
		return fmt.Errorf("--faults-every %v: must be above 0", c.FaultsEvery)
	}
	return nil
}

// Run serves until Ctrl-C, SIGTERM, or with --parent the end of standard input.
func (c *exchangeCmd) Run() error {
	if c.CPU >= 0 {
		if err := pin(c.CPU); err != nil {
			return err
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	s, err := exchange.Start(c.config())
	if err != nil {
		return err
	}
	if err := c.announce(s); err != nil {
		return errors.Join(err, s.Close())
	}
	if c.Parent {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			cancel()
		}()
	}
	<-ctx.Done()
	if err := s.Close(); err != nil {
		return err
	}
	if !c.JSON {
		st := s.Stats()
		fmt.Printf("\n%d connections, %d messages generated, %d replayed, %d echoed\n",
			st.Connections, st.Messages, st.Replayed, st.Echoed)
	}
	return nil
}

func (c *exchangeCmd) config() exchange.Config {
	cfg := exchange.Config{
		Listen: c.Listen,
		Rate:   c.Rate,
		Seed:   c.Seed,
		Record: c.Record,
		Feed:   c.Feed,
		Speed:  float64(c.Speed),
		Loop:   c.Loop,
	}
	if c.TLS || c.Cert != "" || c.Key != "" || c.CAOut != "" {
		cfg.TLS = &exchange.TLS{CertFile: c.Cert, KeyFile: c.Key}
	}
	if c.Faults {
		cfg.FaultsEvery = c.FaultsEvery
	}
	return cfg
}

// announce says on standard output that the server is ready.
func (c *exchangeCmd) announce(s *exchange.Server) error {
	if c.CAOut != "" {
		if s.CA() == nil {
			return errors.New("--ca-out: with --cert there is no certificate of our own to write")
		}
		if err := os.WriteFile(c.CAOut, s.CA(), 0o644); err != nil {
			return fmt.Errorf("--ca-out: %w", err)
		}
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(struct {
			URL  string `json:"url"`
			Addr string `json:"addr"`
			CA   string `json:"ca"`
		}{s.URL(), s.Addr().String(), string(s.CA())})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Simulated exchange on %s\n\n", s.URL())
	if info, ok := s.Feed(); ok {
		fmt.Fprintf(&b, "  %d recorded messages over %v from %s\n", info.Messages,
			time.Duration(info.Last-info.First).Round(time.Millisecond), c.Feed)
		fmt.Fprintf(&b, "  %s/feed, and every other subscription\n", s.URL())
	} else {
		fmt.Fprintf(&b, "  %g messages a second of each stream: SYMBOL@trade, @bookTicker, @depth\n", c.Rate)
		fmt.Fprintf(&b, "  %s/ws/btcusdt@trade\n", s.URL())
		fmt.Fprintf(&b, "  %s/stream?streams=btcusdt@trade/ethusdt@bookTicker\n", s.URL())
	}
	fmt.Fprintf(&b, "  %s/echo\n\n", s.URL())
	fmt.Fprintf(&b, "Faults: add ?fault=rst&after=500 or ?fault=stall&after=2s&for=3s to a URL; there are\n  %s\n",
		strings.Join(names(exchange.Kinds()), " "))
	if s.CA() != nil && c.CAOut == "" {
		b.WriteString("\nClients cannot verify the certificate of this run: write it with --ca-out FILE.\n")
	}
	b.WriteString("\nCtrl-C ends it.\n")
	_, err := os.Stdout.WriteString(b.String())
	return err
}

func names(kinds []exchange.Kind) []string {
	s := make([]string, len(kinds))
	for i, k := range kinds {
		s[i] = string(k)
	}
	return s
}
