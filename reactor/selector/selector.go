// Package selector finds out which descriptors are ready.
//
// A [Selector] is chosen at start: [Epoll] for many sockets, [Direct], which
// asks nobody and lets every stream try to read, for one or few. Readiness is a
// hint: a stream that is reported may have nothing, and what it holds above the
// kernel (a TLS record, unread frames) no selector sees; that is the reactor's
// own ready list.
package selector

import (
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/reactor/internal/syswait"
)

// Kind names a selector.
type Kind uint8

// The selectors. The zero value is Epoll.
const (
	// Epoll is epoll(7), level-triggered, with EPOLLRDHUP. Asking costs about
	// 0.2 µs whatever the number of descriptors.
	Epoll Kind = iota
	// Direct reports every descriptor as perhaps readable, so that each turn
	// tries to read each stream: about 0.5 µs a stream, and the quickest there
	// is for one or a few. It parks in ppoll(2).
	Direct
)

func (k Kind) String() string {
	switch k {
	case Epoll:
		return "epoll"
	case Direct:
		return "direct"
	}
	return fmt.Sprintf("selector %d", uint8(k))
}

// ParseKind understands "epoll" and "direct".
func ParseKind(s string) (Kind, error) {
	switch s {
	case "epoll", "":
		return Epoll, nil
	case "direct":
		return Direct, nil
	}
	return 0, fmt.Errorf("selector: unknown selector %q: want epoll or direct", s)
}

// Event is a descriptor that may be ready.
type Event struct {
	// Token is what the descriptor was added with.
	Token uint64
	// Readable is also set at end of file and on errors: a read tells which.
	Readable, Writable bool
}

// Word is a word in memory that ends a Spin when it no longer holds what was seen
// in it: the published index of a ring, the tail of a mailbox. Others write it, by
// atomics.
type Word = syswait.Word

// Waiter is what Spin waits by: words, and whether the P is pinned. The zero value
// is ready. It is its goroutine's own.
type Waiter = syswait.Waiter

// Selector watches descriptors. One goroutine uses it, but for Wake.
type Selector interface {
	// Add watches fd for input. token comes back with its events.
	Add(fd int, token uint64) error
	// Write begins, or ends, to watch fd for room to write as well.
	Write(fd int, token uint64, on bool) error
	// Remove forgets fd, which must still be open.
	Remove(fd int) error
	// Wait fills events and returns how many. It waits for at most timeout; 0
	// does not wait and cannot block. It returns early, perhaps with 0, after
	// a Wake or a signal.
	Wait(events []Event, timeout time.Duration) (int, error)
	// Spin is Wait for a thread that keeps its core: it asks without blocking, again
	// and again, in the state that Go has for goroutines in a system call, until
	// there is an event, one of w's words has changed or timeout, at most 1 s, has
	// passed. A pinned P is let go meanwhile.
	// Without descriptors to watch it looks at the words only, and a Wake is seen by
	// the next Wait. In a build without the tag boomnet_wait, or on a machine that
	// cannot have it (idle.Strategy.Check), it asks once.
	Spin(events []Event, timeout time.Duration, w *Waiter) (int, error)
	// Wake ends a Wait with a timeout that is under way, or the next one. It
	// may be called on any goroutine. It costs the caller about 10 µs.
	Wake() error
	// Close frees the selector; the watched descriptors stay open.
	Close() error
}

// New makes a selector.
func New(k Kind) (Selector, error) {
	switch k {
	case Epoll:
		return newEpoll(BusyPoll{})
	case Direct:
		return newDirect()
	}
	return nil, fmt.Errorf("selector: unknown selector %d", uint8(k))
}
