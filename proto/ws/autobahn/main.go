// Autobahn takes the cases of the Autobahn|Testsuite, the conformance suite of RFC
// 6455 and RFC 7692, with package ws, and judges strictly: NON-STRICT and
// UNIMPLEMENTED are failures like FAILED.
//
//	run.sh quick            385 cases over TCP, 301 over TLS: minutes
//	run.sh full             all 517 over both: half an hour
//
// The suite's fuzzing server is a program for Python 2.7; install.sh puts it into
// a virtualenv of its own, run.sh calls that and then this program:
//
//	autobahn -python PYTHON [-tls] [-cases PATTERNS] [-exclude PATTERNS]
//
// starts the server, takes the cases, prints a table, and ends with status 1 unless
// all were passed. Without -python it is only the client, of a server that runs
// elsewhere, for which the environment names AUTOBAHN_URL (ws://127.0.0.1:9001),
// AUTOBAHN_AGENT, and for wss:// the certificates to trust in AUTOBAHN_CA (a PEM file).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	python := flag.String("python", "", "the Python 2.7 that has the suite; none: only the client")
	dir := flag.String("dir", "proto/ws/autobahn", "where server.py is")
	secure := flag.Bool("tls", false, "over TLS, with a certificate made for this run")
	cases := flag.String("cases", "*", "the cases to take, patterns of the suite separated by spaces")
	exclude := flag.String("exclude", "", "the cases to leave out, likewise")
	out := flag.String("out", "", "folder for the server's log and reports, in tcp or tls below it; none: a temporary one, kept on failure")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	passed, err := true, error(nil)
	if *python == "" {
		err = clientOnly(ctx)
	} else {
		r := &run{python: *python, dir: *dir, out: *out, secure: *secure}
		r.spec.Cases, r.spec.Exclude = strings.Fields(*cases), strings.Fields(*exclude)
		passed, err = r.do(ctx, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "autobahn:", err)
	}
	if err != nil || !passed {
		stop()
		os.Exit(1)
	}
}

func clientOnly(ctx context.Context) error {
	at, agent := os.Getenv("AUTOBAHN_URL"), os.Getenv("AUTOBAHN_AGENT")
	if at == "" {
		return fmt.Errorf("neither -python nor AUTOBAHN_URL is set")
	}
	if agent == "" {
		agent = agentName
	}
	c, err := newClient(at, agent, os.Getenv("AUTOBAHN_CA"))
	if err != nil {
		return err
	}
	return c.run(ctx)
}
