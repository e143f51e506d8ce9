package stream

import (
	"io"
	"sync"
)

// keyLog stands between a connection's key log and the user's KeyLogWriter,
// which many connections may share. It is the one place through which the
// secrets of a connection pass: "LABEL client_random secret\n", a line a Write
// (the NSS key log format), during the handshake only.
type keyLog struct{ user io.Writer }

// keyLogs serialises the users' writers: whatever the TLS implementation
// promises, a writer is never called by two connections at once.
var keyLogs sync.Mutex

func (k keyLog) Write(line []byte) (int, error) {
	keyLogs.Lock()
	defer keyLogs.Unlock()
	return k.user.Write(line)
}
