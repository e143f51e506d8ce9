package tape

import (
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
)

// Bare records streams that no reactor drives:
//
//	bare, err := rec.Bare("poller")
//	s, err := bare.Connection("quotes", endpoint.Seams{}).Seams().Dial(ctx, "tls://example.com:443", nil)
//	…
//	bare.End()
//
// Every call of such a stream that brings something takes a mutex. There are no
// turns in the recording: a replay is by the stream, see Player.
type Bare struct{ rec *Recorder }

// Bare takes the recorder for streams without a reactor. ErrInUse: it has a reactor.
func (r *Recorder) Bare(name string) (*Bare, error) {
	if _, err := r.Use(name, clock.Monotonic{}, nil); err != nil {
		return nil, err
	}
	return &Bare{r}, nil
}

// Connection returns what records one connection, by the name of what it is for.
// Its clock, randomness, resolver and dialer are in its Seams. Any goroutine.
func (b *Bare) Connection(name string, user endpoint.Seams) *Conn {
	r := b.rec
	r.mu.Lock()
	r.conns++
	c := &Conn{rec: r, user: user, num: r.conns}
	r.mu.Unlock()
	r.aside(&Record{Kind: KindConnect, At: r.clock.Now(), Conn: c.num, Text: []byte(name), Arg: 1})
	return c
}

// End says that nothing more comes.
func (b *Bare) End() { b.rec.End() }
