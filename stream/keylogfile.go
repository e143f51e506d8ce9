package stream

import (
	"io"
	"os"
)

// KeyLogFile opens a file for tls.Config.KeyLogWriter, so that Wireshark and
// others can decrypt a capture (the NSS key log format, that of SSLKEYLOGFILE).
// Lines are appended, each by one write, so connections and processes may share
// the file. It is made with mode 0600; one that is there keeps its mode: who can
// read it can read what the connections carry. A line that cannot be written
// fails the handshake. The caller closes it after the last handshake.
func KeyLogFile(name string) (io.WriteCloser, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
}
