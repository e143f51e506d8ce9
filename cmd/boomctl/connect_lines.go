package main

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// bell wakes the session's goroutine from any other. It may be rung after the
// session is over, by a reader of standard input that outlives it.
type bell struct {
	mu  sync.Mutex
	sel selector.Selector // nil once it hangs no more
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.sel != nil {
		_ = b.sel.Wake() // an eventfd of ours: it cannot fail while it is open
	}
}

func (b *bell) unhang() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sel = nil
}

// lines brings standard input to the session, line by line and in order. A
// goroutine reads; it hands over whole lines, as many as one read completed, and
// stays at most two such batches ahead, so memory is bounded by the longest line.
//
//	Read ──→ carry, which ends in a cut line ──→ batch of whole lines ──→ peek, drop
type lines struct {
	batches chan batch
	stop    chan struct{}
	line    []byte // what peek shows, if have
	have    bool
	rest    []byte // whole lines behind it
	number  int64  // of the lines begun
	limit   int    // of a line, in bytes
	err     error  // why there are no more lines, unless that is the end
	done    bool   // there are no more
}

type batch struct {
	lines []byte // each with its newline
	err   error  // io.EOF, or what went wrong; then there are no lines
}

const (
	readChunk = 64 << 10 // how much of standard input is read at once, in bytes
	carryKeep = 1 << 20  // the largest empty buffer that is kept, in bytes
)

// readLines starts to read. ring is called on the reading goroutine when there is
// something for peek.
func readLines(r io.Reader, limit int, ring func()) *lines {
	l := &lines{limit: limit, batches: make(chan batch, 1), stop: make(chan struct{})}
	go l.read(r, ring)
	return l
}

// close lets the reader go, once its Read returns.
func (l *lines) close() { close(l.stop) }

func (l *lines) read(r io.Reader, ring func()) {
	hand := func(b batch) bool {
		select {
		case l.batches <- b:
			ring()
			return true
		case <-l.stop:
			return false
		}
	}
	var carry []byte
	for {
		if cap(carry)-len(carry) < readChunk {
			carry = append(make([]byte, 0, 2*max(len(carry), readChunk)), carry...)
		}
		from := len(carry)
		n, err := r.Read(carry[from : from+readChunk])
		carry = carry[:from+n]
		if end := bytes.LastIndexByte(carry[from:], '\n'); end >= 0 {
			whole := from + end + 1
			if !hand(batch{lines: bytes.Clone(carry[:whole])}) {
				return
			}
			if carry = carry[:copy(carry, carry[whole:])]; cap(carry) > carryKeep {
				carry = bytes.Clone(carry)
			}
		}
		if len(carry) > l.limit {
			err = fmt.Errorf("line longer than %d bytes", l.limit)
		}
		if err != nil {
			if err == io.EOF && len(carry) > 0 && !hand(batch{lines: append(carry, '\n')}) {
				return
			}
			hand(batch{err: err})
			return
		}
	}
}

// peek is the next line without its newline, if there is one now. It is valid
// until drop.
func (l *lines) peek() (line []byte, ok bool) {
	if l.have {
		return l.line, true
	}
	if len(l.rest) == 0 && !l.done {
		select {
		case b := <-l.batches:
			l.rest = b.lines
			if b.err != nil {
				l.done = true
				if b.err != io.EOF {
					l.err = fmt.Errorf("standard input: %w", b.err)
				}
			}
		default:
		}
	}
	if len(l.rest) == 0 {
		return nil, false
	}
	end := bytes.IndexByte(l.rest, '\n')
	l.line, l.rest = l.rest[:end], l.rest[end+1:]
	l.number++
	switch {
	case len(l.line) > l.limit:
		l.err = fmt.Errorf("standard input: line %d has %d bytes, limit %d", l.number, len(l.line), l.limit)
	case !frame.ValidUTF8(l.line): // RFC 6455, section 5.6: text is UTF-8
		l.err = fmt.Errorf("standard input: line %d is not valid UTF-8", l.number)
	default:
		l.have = true
		return l.line, true
	}
	l.done, l.line, l.rest = true, nil, nil
	return nil, false
}

// drop goes on to the line after the one that peek showed.
func (l *lines) drop() { l.line, l.have = nil, false }
