package packets

import (
	"crypto/tls"
	"errors"
	"fmt"
)

var (
	// ErrNotTLS: the bytes do not begin as TLS does.
	ErrNotTLS = errors.New("packets: not TLS")
	// ErrRecord: a TLS record is malformed, or over its bound.
	ErrRecord = errors.New("packets: wrong TLS record")
	// ErrHandshake: a handshake message is malformed, over its bound, or not expected
	// where it stands; as when a capture begins inside of a connection.
	ErrHandshake = errors.New("packets: wrong TLS handshake")
	// ErrNoKeys: the key log has no secret for a connection. The detail has its client
	// random in hex, to look for in other key logs.
	ErrNoKeys = errors.New("packets: no TLS keys")
	// ErrDecrypt: a record does not open: the secret is of another connection, or the
	// capture is damaged.
	ErrDecrypt = errors.New("packets: TLS record does not open")
	// ErrEarlyData: the client sends 0-RTT data, which is not opened. What the server
	// sends is.
	ErrEarlyData = errors.New("packets: TLS early data")
	// ErrRenegotiation: a second handshake in a connection (before TLS 1.3), which is
	// not followed.
	ErrRenegotiation = errors.New("packets: TLS renegotiation")
	// ErrGap: bytes are missing in the capture, and nothing behind them can be opened.
	ErrGap = errors.New("packets: gap in TLS")
)

// TLSError says where opening a direction of a connection has ended.
type TLSError struct {
	Err        error // one of the above, or a [*SuiteError]
	FromClient bool
	Record     int // how many records of the direction are before it
	Detail     string
}

func (e *TLSError) Error() string {
	side := "server"
	if e.FromClient {
		side = "client"
	}
	s := fmt.Sprintf("%v: record %d from the %s", e.Err, e.Record, side)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	return s
}

// Unwrap returns Err.
func (e *TLSError) Unwrap() error { return e.Err }

// SuiteError: the connection uses a cipher suite that is not opened, such as one of
// ChaCha20-Poly1305 or of CBC.
type SuiteError struct {
	Version uint16
	Suite   uint16
}

func (e *SuiteError) Error() string {
	return fmt.Sprintf("packets: cipher suite %s of %s is not supported, only those of AES-GCM are",
		tls.CipherSuiteName(e.Suite), tls.VersionName(e.Version))
}
