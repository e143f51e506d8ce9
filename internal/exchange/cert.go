package exchange

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// TLS says with which certificate to serve. The zero value makes an authority
// (Server.CA) and a certificate for localhost, 127.0.0.1 and ::1 for this run only:
// ECDSA P-256, valid for a day.
type TLS struct {
	// CertFile and KeyFile are a certificate chain and its key in PEM, to be used
	// instead. Both or none.
	CertFile, KeyFile string
	// Expired makes a certificate that ended an hour ago, for tests.
	Expired bool
	// WrongName makes a certificate for another host, for tests.
	WrongName bool
	// MaxVersion is the highest version offered, tls.VersionTLS12 for instance.
	// Default: the highest that Go has.
	MaxVersion uint16
}

// wrongName is the host in a certificate of TLS.WrongName.
const wrongName = "wrong.example"

// config returns what crypto/tls needs and the authority in PEM, if one was made.
func (t *TLS) config() (*tls.Config, []byte, error) {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS12,
		MaxVersion: t.MaxVersion,
		// One message, one record, from the first message on.
		DynamicRecordSizingDisabled: true,
	}
	if t.CertFile != "" || t.KeyFile != "" {
		if t.CertFile == "" || t.KeyFile == "" {
			return nil, nil, fmt.Errorf("%w: a certificate file and a key file go together", ErrConfig)
		}
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, nil, fmt.Errorf("exchange: certificate %s, key %s: %w", t.CertFile, t.KeyFile, err)
		}
		cfg.Certificates = []tls.Certificate{pair}
		return cfg, nil, nil
	}
	pair, ca, err := t.issue(time.Now())
	if err != nil {
		return nil, nil, fmt.Errorf("exchange: making a certificate: %w", err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, ca, nil
}

// issue makes an authority and a certificate signed by it.
func (t *TLS) issue(now time.Time) (leaf tls.Certificate, ca []byte, err error) {
	const day = 24 * time.Hour
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return leaf, nil, err
	}
	root := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "boomnet simulated exchange, authority"},
		NotBefore:             now.Add(-2 * day),
		NotAfter:              now.Add(day),
		KeyUsage:              x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
	}
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, caKey.Public(), caKey)
	if err != nil {
		return leaf, nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return leaf, nil, err
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "boomnet simulated exchange"},
		NotBefore:    now.Add(-day),
		NotAfter:     now.Add(day),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if t.Expired {
		cert.NotAfter = now.Add(-time.Hour)
	}
	if t.WrongName {
		cert.DNSNames, cert.IPAddresses = []string{wrongName}, nil
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, root, key.Public(), caKey)
	if err != nil {
		return leaf, nil, err
	}
	leaf = tls.Certificate{Certificate: [][]byte{der, rootDER}, PrivateKey: key}
	return leaf, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}), nil
}
