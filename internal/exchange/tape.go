package exchange

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/internal/feed"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
)

const (
	// tapeMemory is the largest feed, in bytes, that is held in memory and shared
	// by all connections; each connection reads a larger one from its file.
	tapeMemory = 64 << 20
	// lineCost is what a line in memory costs beside its payload.
	lineCost = 48
	// tapeBatch is about how many bytes of messages that are due are queued at once.
	tapeBatch = 64 << 10
)

// tape is a recorded feed.
type tape struct {
	path  string
	info  feed.Info
	lines []feed.Line // nil: read from the file
}

// loadTape reads the whole feed once, so that an error in it is found here.
func loadTape(path string, memory int64) (*tape, error) {
	info, err := feed.Scan(path)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	if info.Messages == 0 {
		return nil, fmt.Errorf("exchange: no message in %s", path)
	}
	t := &tape{path: path, info: info}
	if info.Bytes+int64(info.Messages)*lineCost > memory {
		return t, nil
	}
	r, err := feed.Open(path)
	if err != nil {
		return nil, fmt.Errorf("exchange: %w", err)
	}
	defer func() { _ = r.Close() }()
	for range info.Messages {
		l, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("exchange: %s: %w", path, err)
		}
		l.Payload = append([]byte(nil), l.Payload...)
		t.lines = append(t.lines, l)
	}
	return t, nil
}

// open returns a function that yields the lines in order, then io.EOF, and one
// that must be called in the end.
func (t *tape) open() (next func() (feed.Line, error), done func(), err error) {
	if t.lines == nil {
		r, err := feed.Open(t.path)
		if err != nil {
			return nil, nil, err
		}
		return r.Next, func() { _ = r.Close() }, nil
	}
	i := 0
	return func() (feed.Line, error) {
		if i == len(t.lines) {
			return feed.Line{}, io.EOF
		}
		i++
		return t.lines[i-1], nil
	}, func() {}, nil
}

// playTape starts the recording, once in the life of a connection.
func (c *conn) playTape() {
	c.tapes.Do(func() {
		c.writer.Go(func() {
			p := player{conn: c, speed: c.srv.cfg.Speed}
			for again := true; again; again = again && c.srv.cfg.Loop {
				again = p.play(c.srv.tape)
			}
		})
	})
}

// player sends a tape to one connection. It waits for a slow client, so a feed
// costs little memory, and a client that stands still holds up only itself.
type player struct {
	conn  *conn
	speed float64
	batch batch
}

// play sends the tape once; false: the connection has ended.
func (p *player) play(t *tape) bool {
	next, done, err := t.open()
	if err != nil {
		p.fail()
		return false
	}
	defer done()
	start := clock.Nano()
	for {
		l, err := next()
		if err == io.EOF {
			return p.flush()
		}
		if err != nil { // the file was sound when it was scanned
			p.fail()
			return false
		}
		if !math.IsInf(p.speed, 1) {
			due := start + int64(float64(l.Time-t.info.First)/p.speed)
			if wait := due - clock.Nano(); wait > 0 && !(p.flush() && p.conn.sleep(time.Duration(wait))) {
				return false
			}
		}
		op := frame.Text
		if !frame.ValidUTF8(l.Payload) {
			op = frame.Binary
		}
		p.batch.add(op, l.Payload)
		if len(p.batch.frames) >= tapeBatch && !p.flush() {
			return false
		}
	}
}

// fail ends the connection because the feed's file can no longer be read.
func (p *player) fail() {
	p.conn.srv.stats.drop("feed")
	p.conn.sendClose(frame.CloseInternalError, "feed cannot be read")
}

// flush queues the batch; false: the connection has ended.
func (p *player) flush() bool {
	if len(p.batch.ends) == 0 {
		return true
	}
	err := p.conn.out.putWait(p.batch.frames, p.batch.ends)
	if err == errSlow {
		p.conn.abort(dropSlow)
	}
	if err == nil {
		p.conn.srv.stats.replayed.Add(uint64(len(p.batch.ends)))
	}
	p.batch.reset()
	return err == nil
}
