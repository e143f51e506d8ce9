package reactor

import (
	"time"

	"github.com/boomnet-go/boomnet/stats"
)

// ringCells are the numbers of a link or an inbox, for readers of Config.Counters.
// The receiving reactor writes all of them: a cell has one writer, an inbox many
// senders. It reads what senders count where they count it, which takes that cache
// line away from them, and so does that rarely: see publishRings.
type ringCells struct {
	block     *stats.Block
	offered   *stats.Counter
	refused   *stats.Counter
	handled   *stats.Counter
	dropped   *stats.Counter
	depth     *stats.Gauge
	highWater *stats.Gauge
}

// newRingCells returns nil where there is no file: LinkInfo has the same numbers.
func newRingCells(p *port) *ringCells {
	file := p.to.cfg.Counters
	if file == nil {
		return nil
	}
	b := file.NewBlock(stats.RingBlock, p.short(), p.to.Name())
	return &ringCells{
		block:     b,
		offered:   b.Counter("offered", "messages", "messages sent or posted, and those that were refused"),
		refused:   b.Counter("refused", "messages", "those of them that were refused, as the ring was full or had ended"),
		handled:   b.Counter("handled", "messages", "messages whose handler has returned"),
		dropped:   b.Counter("dropped", "messages", "messages never to be handled, as the handler has panicked"),
		depth:     b.Gauge("depth", "messages", "messages that wait"),
		highWater: b.Gauge("high_water", "messages", "most that waited when a side looked"),
	}
}

// short names a link or an inbox in a table: "feed→strategy Trade".
func (p *port) short() string {
	message := p.message.Name() // without its package
	if message == "" {
		message = p.message.String()
	}
	from := "inbox"
	if p.from != nil {
		from = p.from.Name()
	}
	return from + "→" + p.to.Name() + " " + message
}

// publish writes how in stands. Receiver only.
func (c *ringCells) publish(in inbound) {
	n := in.counts()
	c.offered.Store(int64(n.sent + n.refused))
	c.refused.Store(int64(n.refused))
	c.handled.Store(int64(n.handled))
	c.highWater.Set(int64(n.highWater))
	waiting, dropped := int64(n.sent-n.handled), int64(0)
	if in.base().ended.Load() {
		waiting, dropped = 0, waiting
	}
	c.depth.Set(waiting)
	c.dropped.Store(dropped)
}

// maxRingAge is how old the cells of rings become while the reactor turns.
const maxRingAge = time.Millisecond

// publishRings writes the cells of what comes in: in a turn when they are older than
// maxRingAge, and before each park. Reactor only.
func (r *Reactor) publishRings() {
	for _, in := range r.rings {
		in.base().cells.publish(in)
	}
	r.ringsAt = r.now
}

// showRing has the cells of in published from now on. They replace those of the one
// before, which has failed.
func (r *Reactor) showRing(in inbound) {
	p := in.base()
	if p.cells == nil {
		return
	}
	for _, other := range r.rings {
		if o := other.base(); o.from == p.from && o.message == p.message {
			r.hideRing(other)
			break
		}
	}
	r.rings = append(r.rings, in)
}

// hideRing gives the cells of in back.
func (r *Reactor) hideRing(in inbound) {
	c := in.base().cells
	if c == nil {
		return
	}
	for i, other := range r.rings {
		if other == in {
			r.rings = append(r.rings[:i], r.rings[i+1:]...)
			break
		}
	}
	r.free(c.block)
}

// free gives the memory of a block back, to whom nobody writes any more.
func (r *Reactor) free(b *stats.Block) {
	if r.closed.Load() {
		b.Free() // nobody's turn is held up
	} else {
		r.background(task{run: b.Free})
	}
}
