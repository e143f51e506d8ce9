package term

import (
	"io"
	"os"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// Key is a key that was pressed: a character, or one of the constants.
type Key rune

// Keys that are no character.
const (
	KeyUp Key = -(iota + 1)
	KeyDown
	KeyLeft
	KeyRight
	KeyPageUp
	KeyPageDown
	KeyHome
	KeyEnd
	KeyUnknown

	KeyTab       Key = '\t'
	KeyEnter     Key = '\r'
	KeyEscape    Key = 0x1b
	KeyBackspace Key = 0x7f
	KeyCtrlC     Key = 3
)

// sequences are what terminals send behind "ESC [" or "ESC O".
var sequences = map[string]Key{
	"A": KeyUp, "B": KeyDown, "C": KeyRight, "D": KeyLeft, "H": KeyHome, "F": KeyEnd,
	"1~": KeyHome, "4~": KeyEnd, "5~": KeyPageUp, "6~": KeyPageDown, "7~": KeyHome, "8~": KeyEnd,
}

// maxSequence bounds an escape sequence, in bytes.
const maxSequence = 16

// DecodeKey takes the first key off p and returns how many bytes it was: 0 when p
// is empty or ends within a key. last says that no more bytes are to come for
// now: then an ESC is the key, and what is incomplete is KeyUnknown.
func DecodeKey(p []byte, last bool) (Key, int) {
	switch {
	case len(p) == 0:
		return 0, 0
	case p[0] == byte(KeyEscape):
		return decodeEscape(p, last)
	case p[0] == '\n':
		return KeyEnter, 1
	case p[0] == '\b':
		return KeyBackspace, 1
	case !utf8.FullRune(p) && !last:
		return 0, 0
	}
	r, n := utf8.DecodeRune(p)
	if r == utf8.RuneError {
		return KeyUnknown, n
	}
	return Key(r), n
}

func decodeEscape(p []byte, last bool) (Key, int) {
	if len(p) == 1 && !last {
		return 0, 0
	}
	if len(p) == 1 || p[1] != '[' && p[1] != 'O' {
		return KeyEscape, 1
	}
	for i := 2; i < min(len(p), maxSequence); i++ {
		if c := p[i]; c >= 0x40 && c <= 0x7e { // the last byte of a sequence
			if k, ok := sequences[string(p[2:i+1])]; ok {
				return k, i + 1
			}
			return KeyUnknown, i + 1
		}
	}
	if len(p) < maxSequence && !last {
		return 0, 0
	}
	return KeyUnknown, min(len(p), maxSequence)
}

// escapeWait is how long after an ESC the rest of a sequence may come.
const escapeWait = 50 * time.Millisecond

// Keys reads a terminal key by key, see StartKeys.
type Keys struct {
	fd    int
	state *term.State
	keys  chan Key
	done  chan struct{}
}

// StartKeys takes the terminal out of its line mode and begins to read it. The
// error is that f is no terminal, or that it cannot be set.
func StartKeys(f *os.File) (*Keys, error) {
	k := &Keys{fd: int(f.Fd()), keys: make(chan Key, 16), done: make(chan struct{})}
	state, err := term.MakeRaw(k.fd)
	if err != nil {
		return nil, err
	}
	k.state = state
	in := make(chan []byte)
	go read(f, in, k.done)
	go k.decode(in)
	return k, nil
}

// C gives the keys. It is closed when the terminal has ended.
func (k *Keys) C() <-chan Key { return k.keys }

// Stop puts the terminal back as it was. A goroutine goes on waiting for one more
// key until the process ends: a read of a terminal cannot be given up.
func (k *Keys) Stop() error {
	close(k.done)
	return term.Restore(k.fd, k.state)
}

func read(f io.Reader, out chan<- []byte, done <-chan struct{}) {
	defer close(out)
	for {
		p := make([]byte, 256)
		n, err := f.Read(p)
		if n > 0 {
			select {
			case out <- p[:n]:
			case <-done:
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (k *Keys) decode(in <-chan []byte) {
	defer close(k.keys)
	var held []byte
	for {
		var late <-chan time.Time
		if len(held) > 0 {
			late = time.After(escapeWait)
		}
		last := false
		select {
		case p, ok := <-in:
			if !ok {
				return
			}
			held = append(held, p...)
		case <-late:
			last = true
		case <-k.done:
			return
		}
		for {
			key, n := DecodeKey(held, last)
			if n == 0 {
				break
			}
			held = held[n:]
			select {
			case k.keys <- key:
			case <-k.done:
				return
			}
		}
	}
}
