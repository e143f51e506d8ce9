package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	agentName = "boomnet"
	// startTimeout is how long the server may take until it listens.
	startTimeout = 60 * time.Second
)

// spec is what the fuzzing server reads.
type spec struct {
	Outdir  string   `json:"outdir"`
	Cases   []string `json:"cases"`
	Exclude []string `json:"exclude-cases"`
	Key     string   `json:"key,omitempty"`
	Cert    string   `json:"cert,omitempty"`
}

// run is one fuzzing server and one client that takes its cases.
type run struct {
	python, dir, out string
	secure           bool
	spec             spec
}

// do runs the server and the client, prints the table on w, and reports whether
// every case was passed. The folder is removed if it was temporary and all is well.
func (r *run) do(ctx context.Context, w io.Writer) (passed bool, err error) {
	if r.out == "" {
		if r.out, err = os.MkdirTemp("", "autobahn-"); err != nil {
			return false, err
		}
		defer func() {
			if passed && err == nil {
				_ = os.RemoveAll(r.out)
			}
		}()
	} else {
		transport := "tcp"
		if r.secure {
			transport = "tls"
		}
		if r.out, err = filepath.Abs(filepath.Join(r.out, transport)); err != nil {
			return false, err
		}
		if err := os.MkdirAll(r.out, 0o755); err != nil {
			return false, err
		}
	}
	r.spec.Outdir = filepath.Join(r.out, "reports")
	index := filepath.Join(r.spec.Outdir, "index.json")
	if err := os.Remove(index); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err // the verdicts of an earlier run must not count
	}
	scheme, ca := "ws", ""
	if r.secure {
		r.spec.Key, r.spec.Cert = filepath.Join(r.out, "key.pem"), filepath.Join(r.out, "cert.pem")
		if err := makeCertificate(r.spec.Key, r.spec.Cert); err != nil {
			return false, err
		}
		scheme, ca = "wss", r.spec.Cert
	}
	port, cases, stop, err := r.serve(ctx)
	if err != nil {
		return false, err
	}
	defer stop()
	c, err := newClient(fmt.Sprintf("%s://127.0.0.1:%d", scheme, port), agentName, ca)
	if err != nil {
		return false, err
	}
	start := time.Now()
	if err := c.run(ctx); err != nil {
		return false, fmt.Errorf("%w (see %s)", err, r.out)
	}
	verdicts, err := readIndex(index, agentName)
	if err != nil {
		return false, err
	}
	t := tally(cases, verdicts)
	title := fmt.Sprintf("Autobahn, %d cases over %s:// in %.0f s", len(cases), scheme, time.Since(start).Seconds())
	if err := t.print(w, title); err != nil {
		return false, err
	}
	if !t.passed() {
		fmt.Fprintf(w, "details: %s\n", r.spec.Outdir)
	}
	return t.passed(), nil
}

// serve starts the fuzzing server and returns where it listens and which cases it
// will give. stop ends it.
func (r *run) serve(ctx context.Context) (port int, cases []string, stop func(), err error) {
	fail := func(err error) (int, []string, func(), error) {
		return 0, nil, nil, fmt.Errorf("fuzzing server: %w", err)
	}
	raw, err := json.Marshal(r.spec)
	if err != nil {
		return fail(err)
	}
	path := filepath.Join(r.out, "spec.json")
	if err := os.WriteFile(path, raw, 0o644); err != nil {
		return fail(err)
	}
	log, err := os.Create(filepath.Join(r.out, "server.log"))
	if err != nil {
		return fail(err)
	}
	defer log.Close()
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, r.python, filepath.Join(r.dir, "server.py"), path)
	cmd.Stderr = log
	in, err := cmd.StdinPipe() // held open: its end is the server's
	if err != nil {
		cancel()
		return fail(err)
	}
	answer, err := cmd.StdoutPipe()
	if err != nil {
		cancel()
		return fail(err)
	}
	if err := cmd.Start(); err != nil {
		cancel()
		return fail(err)
	}
	stop = func() {
		_ = in.Close()
		patience := time.AfterFunc(10*time.Second, cancel)
		_ = cmd.Wait() // ended by us: its status says nothing
		patience.Stop()
		cancel()
	}
	late := time.AfterFunc(startTimeout, cancel)
	line, err := bufio.NewReader(answer).ReadBytes('\n')
	late.Stop()
	var up struct {
		Port  int      `json:"port"`
		Cases []string `json:"cases"`
	}
	if err == nil {
		err = json.Unmarshal(line, &up)
	}
	if err != nil {
		stop()
		said, _ := os.ReadFile(log.Name())
		return fail(fmt.Errorf("it did not start: %w\n%s", err, said[max(len(said)-1000, 0):]))
	}
	return up.Port, up.Cases, stop, nil
}

// makeCertificate writes a key and a certificate of its own for 127.0.0.1.
func makeCertificate(keyFile, certFile string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "127.0.0.1"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(48 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644)
}
