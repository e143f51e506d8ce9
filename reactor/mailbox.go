package reactor

import (
	"sync/atomic"

	"github.com/boomnet-go/boomnet/endpoint"
)

// mail is a message to the reactor: the only way in from other goroutines.
type mail struct {
	kind  mailKind
	slot  *slot
	conn  *conn
	state endpoint.State
	hot   endpoint.Hot
	err   error
	call  func()
}

type mailKind uint8

const (
	mailRegister   mailKind = iota // slot begins
	mailDeregister                 // slot ends
	mailPhase                      // conn's set-up has entered state
	mailOutcome                    // conn's set-up has ended with hot or err
	mailCall                       // call, for Dispatch and Each
)

// mailbox is a bounded queue with many writers and one reader. Each cell has a
// sequence number that says whose turn it is: position i of the queue may be
// written when the number is i and read when it is i+1. A writer takes its
// position by compare-and-swap, so an idle mailbox costs the reader one load.
type mailbox struct {
	cells []cell
	mask  uint64
	_     [64]byte
	tail  atomic.Uint64 // next position to write
	_     [64]byte
	head  uint64 // next position to read; the reader's own
}

type cell struct {
	seq  atomic.Uint64
	mail mail
}

// newMailbox makes a mailbox for capacity messages, a power of two.
func newMailbox(capacity int) *mailbox {
	b := &mailbox{cells: make([]cell, capacity), mask: uint64(capacity - 1)}
	for i := range b.cells {
		b.cells[i].seq.Store(uint64(i))
	}
	return b
}

// push reports false when the mailbox is full. Any goroutine may call it.
func (b *mailbox) push(m mail) bool {
	for {
		pos := b.tail.Load()
		c := &b.cells[pos&b.mask]
		switch seq := c.seq.Load(); {
		case seq == pos:
			if b.tail.CompareAndSwap(pos, pos+1) {
				c.mail = m
				c.seq.Store(pos + 1)
				return true
			}
		case seq < pos:
			return false // still holds the message of one round ago
		}
	}
}

// pop takes the next message. Reactor only.
func (b *mailbox) pop() (mail, bool) {
	c := &b.cells[b.head&b.mask]
	if c.seq.Load() != b.head+1 {
		return mail{}, false
	}
	m := c.mail
	c.mail = mail{} // for the garbage collector
	c.seq.Store(b.head + uint64(len(b.cells)))
	b.head++
	return m, true
}

// empty reports whether pop would find nothing. Reactor only.
func (b *mailbox) empty() bool {
	return b.cells[b.head&b.mask].seq.Load() != b.head+1
}

// waiting counts the messages that were not taken yet. Any goroutine may call it;
// it looks at each cell.
func (b *mailbox) waiting() (n int) {
	tail := b.tail.Load()
	for pos := tail - min(tail, uint64(len(b.cells))); pos < tail; pos++ {
		if b.cells[pos&b.mask].seq.Load() == pos+1 {
			n++
		}
	}
	return n
}
