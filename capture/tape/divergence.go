package tape

import (
	"bytes"
	"fmt"
)

// Divergence is a difference between what was recorded and what happens in a
// replay: the code is not what it was, or something came in that is not recorded.
type Divergence struct {
	Turn     uint64 // of the recording
	At       int64  // its time, by the recorded clock
	Conn     uint32 // number of the connection in the recording; 0: none
	Endpoint string
	What     string // in a sentence
	// Of a write: where it differs first, what was recorded and what was written.
	Offset    int
	Want, Got []byte
}

func (d *Divergence) Error() string {
	s := fmt.Sprintf("tape: turn %d", d.Turn)
	if d.Endpoint != "" {
		s += fmt.Sprintf(", endpoint %s", d.Endpoint)
	}
	if d.Conn != 0 {
		s += fmt.Sprintf(", connection %d", d.Conn)
	}
	s += ": " + d.What
	if d.Want != nil || d.Got != nil {
		s += fmt.Sprintf(": recorded %s, now %s", around(d.Want, d.Offset), around(d.Got, d.Offset))
	}
	return s
}

// around is what b holds at and behind an offset.
func around(b []byte, offset int) string {
	const most = 32
	if offset >= len(b) {
		return "nothing"
	}
	if rest := b[offset:]; len(rest) > most {
		return fmt.Sprintf("%q…", rest[:most])
	} else {
		return fmt.Sprintf("%q", rest)
	}
}

// firstDifference is the offset at which a and b differ, -1 if they do not.
func firstDifference(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// maxKept bounds the divergences that a Player keeps.
const maxKept = 100

// Diverge reports a difference. The reactor calls it, and what belongs to the player.
func (p *Player) Diverge(d *Divergence) {
	p.mu.Lock()
	p.differ++
	if len(p.kept) < maxKept {
		p.kept = append(p.kept, d)
	}
	p.mu.Unlock()
	if p.cfg.OnDivergence != nil {
		p.cfg.OnDivergence(d)
	}
}

// Divergences are the first hundred differences, and how many there were. Any
// goroutine.
func (p *Player) Divergences() (first []*Divergence, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]*Divergence(nil), p.kept...), p.differ
}
