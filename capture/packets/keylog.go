package packets

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// Bounds of a key log.
const (
	// MaxKeyLogSessions is how many connections a [KeyLog] holds the secrets of.
	MaxKeyLogSessions = 1 << 16
	// MaxKeyLogBytes is how much [ParseKeyLog] reads.
	MaxKeyLogBytes = 256 << 20
	// maxKeyLogLine is how long a line may be; a longer one counts as malformed.
	maxKeyLogLine = 1024
)

// ErrKeyLog: an input is no key log, or goes over a bound of one.
var ErrKeyLog = errors.New("packets: not a usable key log")

// keyLabel is what a secret is for.
type keyLabel int

const (
	masterSecret keyLabel = iota
	clientHandshake
	serverHandshake
	clientTraffic
	serverTraffic
	keyLabels
)

func (l keyLabel) String() string { return keyNames[l] }

// keyNames are the labels as they stand in the file.
var keyNames = [keyLabels]string{
	masterSecret:    "CLIENT_RANDOM",
	clientHandshake: "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
	serverHandshake: "SERVER_HANDSHAKE_TRAFFIC_SECRET",
	clientTraffic:   "CLIENT_TRAFFIC_SECRET_0",
	serverTraffic:   "SERVER_TRAFFIC_SECRET_0",
}

// KeyLog holds the secrets of TLS connections by their client randoms, as programs
// write them to SSLKEYLOGFILE (RFC 9850). The zero value is empty. Not safe for
// concurrent use: an [Opener] reads it in its Add, and adds to it which tickets of TLS
// 1.2 it has seen, as resumed connections have no line of their own in many logs. So
// the openers of all connections of a capture are to share one.
type KeyLog struct {
	sessions  map[[32]byte]*[keyLabels][]byte
	tickets   map[[32]byte][32]byte // SHA-256 of a ticket: the client random
	lines     int                   // of the form of a key log, of a known label or not
	malformed int
}

// ParseKeyLog reads a key log to its end. Lines of unknown labels are ignored,
// malformed lines left out and counted: the last line of a file that is being
// written may be half a line. The error is that of r, or an [ErrKeyLog]: there are
// lines but none is one of a key log, or a bound is passed.
func ParseKeyLog(r io.Reader) (*KeyLog, error) {
	k := &KeyLog{}
	in := bufio.NewReaderSize(r, maxKeyLogLine)
	for total := 0; ; {
		line, err := in.ReadSlice('\n')
		total += len(line)
		long := false
		for errors.Is(err, bufio.ErrBufferFull) && total <= MaxKeyLogBytes {
			long = true
			line, err = in.ReadSlice('\n')
			total += len(line)
		}
		if total > MaxKeyLogBytes {
			return nil, fmt.Errorf("%w: over %d bytes", ErrKeyLog, MaxKeyLogBytes)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("packets: reading the key log: %w", err)
		}
		if long {
			k.malformed++
		} else if err := k.add(line); err != nil {
			return nil, err
		}
		if err != nil {
			break
		}
	}
	if k.lines == 0 && k.malformed > 0 {
		return nil, fmt.Errorf("%w: none of its %d lines is of the form LABEL RANDOM SECRET", ErrKeyLog, k.malformed)
	}
	return k, nil
}

// Add adds whole lines, such as those of a Decryption Secrets Block; b is not kept.
// A secret that is there already is replaced. The error is an [ErrKeyLog] when there
// are more than MaxKeyLogSessions connections; malformed lines are only counted.
func (k *KeyLog) Add(b []byte) error {
	for len(b) > 0 {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte("\n"))
		if len(line) > maxKeyLogLine {
			k.malformed++
		} else if err := k.add(line); err != nil {
			return err
		}
	}
	return nil
}

// Sessions returns of how many connections there are secrets.
func (k *KeyLog) Sessions() int { return len(k.sessions) }

// Malformed returns how many lines were left out.
func (k *KeyLog) Malformed() int { return k.malformed }

func (k *KeyLog) add(line []byte) error {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' {
		return nil
	}
	f := bytes.Fields(line)
	if len(f) != 3 {
		k.malformed++
		return nil
	}
	label := keyLabels
	for l, name := range keyNames {
		if string(f[0]) == name {
			label = keyLabel(l)
		}
	}
	var random [32]byte
	secret := make([]byte, hex.DecodedLen(len(f[2])))
	if label != keyLabels && len(f[1]) != 2*len(random) {
		k.malformed++
		return nil
	}
	if _, err := hex.Decode(secret, f[2]); err != nil {
		k.malformed++
		return nil
	}
	if label == keyLabels {
		k.lines++
		return nil
	}
	if _, err := hex.Decode(random[:], f[1]); err != nil {
		k.malformed++
		return nil
	}
	if len(secret) != 48 && (len(secret) != 32 || label == masterSecret) {
		k.malformed++
		return nil
	}
	k.lines++
	s := k.sessions[random]
	if s == nil {
		if len(k.sessions) >= MaxKeyLogSessions {
			return fmt.Errorf("%w: over %d connections", ErrKeyLog, MaxKeyLogSessions)
		}
		if k.sessions == nil {
			k.sessions = make(map[[32]byte]*[keyLabels][]byte)
		}
		s = new([keyLabels][]byte)
		k.sessions[random] = s
	}
	s[label] = secret
	return nil
}

// secret returns a secret, or nil.
func (k *KeyLog) secret(random [32]byte, label keyLabel) []byte {
	if k == nil {
		return nil
	}
	if s := k.sessions[random]; s != nil {
		return s[label]
	}
	return nil
}
