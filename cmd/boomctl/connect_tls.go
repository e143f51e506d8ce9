package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// connectTLS are connect's flags for TLS, beside --cacert and --insecure.
type connectTLS struct {
	Cert   string   `placeholder:"FILE" help:"Client certificate to show when the server asks for one, PEM, with its chain. Goes with --key."`
	Key    string   `placeholder:"FILE" help:"Its private key, PEM."`
	ALPN   []string `name:"alpn" sep:"none" placeholder:"PROTOCOL" help:"Protocol to offer in the TLS handshake (http/1.1). Repeatable, in order of preference."`
	KeyLog string   `name:"keylog" placeholder:"FILE" help:"Append the keys of TLS sessions to FILE, for Wireshark."`
}

// tlsConfig is that of every connection of the session; the next connection of a
// --reconnect resumes the session of the last.
func (c *connectTLS) tlsConfig(caFile string, insecure bool) (*tls.Config, error) {
	t := &tls.Config{
		InsecureSkipVerify: insecure,
		NextProtos:         c.ALPN,
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
	}
	if c.Cert != "" {
		pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
		if err != nil {
			return nil, fmt.Errorf("--cert %s, --key %s: %w", c.Cert, c.Key, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	var err error
	t.RootCAs, err = roots("--cacert", caFile)
	return t, err
}

// roots reads certificates to trust; without a file it is nil, the system's.
func roots(flag, file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s: no PEM certificate in it", flag, file)
	}
	return pool, nil
}

// secured is what the TLS handshake agreed on.
func secured(state tls.ConnectionState) string {
	s := ", " + tls.VersionName(state.Version)
	if state.DidResume {
		s += " resumed"
	}
	if state.NegotiatedProtocol != "" {
		s += fmt.Sprintf(", ALPN %q", state.NegotiatedProtocol)
	}
	return s
}
