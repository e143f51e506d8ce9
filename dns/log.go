package dns

import (
	"sync"
	"time"
)

// log is what the tries of a flight have come to so far: whoever gives up before
// the flight does can say what he was waiting for.
type log struct {
	mu    sync.Mutex
	tries []Try
	begun []int64 // by the Stub's clock
	done  []bool
}

// begin notes a try that begins now, and returns its number.
func (l *log) begin(t Try, now int64) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tries, l.begun, l.done = append(l.tries, t), append(l.begun, now), append(l.done, false)
	return len(l.tries) - 1
}

func (l *log) end(i int, transport Transport, took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.tries[i]
	t.Transport, t.Time, t.Err = transport, took, err
	l.done[i] = true
}

// failures are the tries that have failed, and those that have no answer yet. nil: none.
func (l *log) failures(now int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var e TriesError
	for i, t := range l.tries {
		switch {
		case !l.done[i]:
			t.Time, t.Err = time.Duration(now-l.begun[i]), ErrNoAnswer
		case t.Err == nil:
			continue
		}
		e.Tries = append(e.Tries, t)
	}
	if e.Tries == nil {
		return nil
	}
	return &e
}
