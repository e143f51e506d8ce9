package ws

import (
	"errors"
	"fmt"
	"time"
)

// ErrRateLimited answers a data write over Options.SendLimit. Nothing was taken;
// Conn.SendAt tells when there is room. Returning it does not allocate.
var ErrRateLimited = errors.New("ws: send limit reached, nothing taken")

// SendLimit bounds how many frames a connection sends, as venues that disconnect
// and ban do: never more than Frames within any stretch of time as long as Per.
// The zero value is no limit.
//
// All frames count, as they do at the venue: data, pings, and what the protocol
// owes its peer. But only data writes are refused.
type SendLimit struct {
	Frames int           // 1 to MaxSendLimit
	Per    time.Duration // over 0
}

// MaxSendLimit bounds SendLimit.Frames: each takes 8 bytes of memory for each
// connection.
const MaxSendLimit = 1 << 16

func (l SendLimit) check() error {
	if l == (SendLimit{}) || l.Frames >= 1 && l.Frames <= MaxSendLimit && l.Per > 0 {
		return nil
	}
	return fmt.Errorf("ws: SendLimit of %d frames per %v: want 1 to %d frames and a time over 0", l.Frames, l.Per, MaxSendLimit)
}

// sendLog remembers when the last frames were sent: a ring as long as the limit,
// in which the oldest entry stands where the next one will go.
type sendLog struct {
	per  int64
	at   int
	sent []int64
}

func newSendLog(l SendLimit) *sendLog {
	if l.Frames < 1 || l.Per <= 0 {
		return nil
	}
	g := &sendLog{per: int64(l.Per), sent: make([]int64, min(l.Frames, MaxSendLimit))}
	for i := range g.sent {
		g.sent[i] = -1 << 62 // long ago
	}
	return g
}

// free is when the next frame may be sent.
func (g *sendLog) free() int64 { return g.sent[g.at] + g.per }

func (g *sendLog) note(now int64) {
	g.sent[g.at] = now
	if g.at++; g.at == len(g.sent) {
		g.at = 0
	}
}

// SendAt is when Options.SendLimit has room for another message, in nanoseconds
// of the clock: not after now when it has, and 0 without a limit.
func (c *Conn) SendAt() int64 {
	if c == nil || c.sends == nil {
		return 0
	}
	return max(c.sends.free(), 0)
}

// limited reports whether the limit refuses data now.
func (c *Conn) limited() bool { return c.sends != nil && c.clock.Now() < c.sends.free() }
