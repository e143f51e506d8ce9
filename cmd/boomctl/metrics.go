package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/boomnet-go/boomnet/stats/prometheus"
)

// metricsCmd is `boomctl metrics`: counters files for Prometheus.
type metricsCmd struct {
	PID []int `arg:"" optional:"" help:"Processes. Default: all of this user that publish counters, also those that begin later."`

	Listen     string `default:"127.0.0.1:9500" placeholder:"HOST:PORT" help:"Address to serve on; port 0 takes a free one (default ${default})."`
	Once       bool   `help:"Print to standard output instead, once."`
	Ended      bool   `help:"Also processes that have ended and left their file behind."`
	MaxSamples int    `default:"500000" placeholder:"N" help:"Most samples of a scrape (default ${default})."`
	Dir        string `placeholder:"DIR" help:"Where the counters files are. Default: where programs put them."`
}

// Help is the long help.
func (*metricsCmd) Help() string {
	return `Serves what running processes count at http://HOST:PORT/metrics, until Ctrl-C. The processes notice nothing of it. Anybody who reaches the address can read it: names, addresses of venues and rates are in it.

A dashboard for Grafana is packaging/grafana/boomnet.json in the sources.`
}

func (*metricsCmd) about() about {
	return about{
		examples: []example{
			{"For a Prometheus on this machine.", "boomctl metrics"},
			{"What there is to see.", "boomctl metrics --once | grep '^# HELP'"},
			{"For a collector that reads files.", "boomctl metrics --once >/var/lib/node_exporter/boomnet.prom.new &&\nmv /var/lib/node_exporter/boomnet.prom.new /var/lib/node_exporter/boomnet.prom"},
		},
		environment: []entry{{"BOOMNET_DIR", "Where counters files are, for the programs and for boomctl."}},
	}
}

func (c *metricsCmd) Run() error {
	exporter, err := prometheus.New(prometheus.Config{Dir: c.Dir, PIDs: c.PID, Ended: c.Ended, MaxSamples: c.MaxSamples,
		Observer: func(err error) { fmt.Fprintf(os.Stderr, "boomctl: metrics: %v\n", err) }})
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	defer exporter.Close()
	if c.Once {
		err = exporter.Write(os.Stdout)
	} else {
		err = c.serve(exporter)
	}
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}

// Deadlines of the server: a peer that is slow does not keep a connection for ever.
const (
	metricsRead  = 5 * time.Second
	metricsWrite = 30 * time.Second
	metricsIdle  = 5 * time.Minute // longer than between two scrapes
)

// serve serves until Ctrl-C or SIGTERM.
func (c *metricsCmd) serve(exporter http.Handler) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		fmt.Fprintf(os.Stderr, "boomctl: metrics: %v is not only for this machine: who reaches it can read it, there is neither a password nor TLS\n", a)
	}
	mux := http.NewServeMux()
	mux.Handle("/metrics", exporter)
	mux.Handle("/{$}", http.RedirectHandler("/metrics", http.StatusFound))
	s := &http.Server{Handler: mux, ReadTimeout: metricsRead, WriteTimeout: metricsWrite, IdleTimeout: metricsIdle}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	fmt.Printf("http://%v/metrics\n", l.Addr())
	select {
	case err = <-ended:
		return err
	case <-ctx.Done():
	}
	deadline, cancel := context.WithTimeout(context.Background(), metricsRead)
	defer cancel()
	if err = s.Shutdown(deadline); err != nil {
		err = errors.Join(err, s.Close())
	}
	<-ended // http.ErrServerClosed
	return err
}
