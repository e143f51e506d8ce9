// Package trust is what the examples have in common: the flag -cacert, for a
// server whose certificate is signed by nobody that the system knows.
package trust

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"os"
)

// Flag adds the flag -cacert and returns the TLS configuration that flag.Parse
// fills in. Without the flag it is the zero one: the system's roots.
func Flag() *tls.Config {
	config := new(tls.Config)
	flag.Func("cacert", "trust the certificates in this PEM `file` instead of the system's", func(file string) error {
		pem, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return errors.New("no PEM certificate in it")
		}
		return nil
	})
	return config
}
