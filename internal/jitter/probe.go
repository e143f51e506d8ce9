package jitter

import (
	"context"
	"io"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stream"
)

// probe is an endpoint without a network: the reactor calls it when it asked to be
// called, and it works for a while. Everything here but Connect and OnLoss keeps to
// the rules of a Detector.
type probe struct {
	start  func() (until int64)
	finish func()

	work   int64 // a piece, in nanoseconds
	wait   int64 // after it; 0: never
	until  int64 // when the watch is over
	due    int64
	worker worker
	det    *Detector
}

// Connect implements endpoint.Protocol: there is nothing to set up.
func (p *probe) Connect(context.Context, *endpoint.Connector) (endpoint.Hot, error) { return p, nil }

// OnLoss implements endpoint.LossHandler.
func (*probe) OnLoss(*endpoint.LossError) endpoint.Action { return endpoint.Stop }

// OnAttach implements endpoint.Attacher.
func (p *probe) OnAttach(endpoint.Attachment) error {
	p.until = p.start()
	p.due = p.det.last
	return nil
}

// Source implements endpoint.Hot.
func (p *probe) Source() stream.Source {
	return stream.Source{FD: -1, Due: func(int64) int64 { return p.due }}
}

// OnReady is called when the probe is due: how much later is what matters.
func (p *probe) OnReady() (more bool, err error) {
	var now int64
	if p.wait > 0 {
		now = p.det.Wake(p.due)
	} else {
		now = p.det.Step() // the turn between two calls is part of the loop
	}
	if now >= p.until {
		return false, io.EOF
	}
	now = p.worker.until(p.det, now+p.work)
	p.due = now + p.wait
	return p.wait == 0, nil
}

// OnDetach implements endpoint.Detacher: the watch is over, or the caller has had
// enough.
func (p *probe) OnDetach() { p.finish() }

// OnWritable implements endpoint.Hot; nothing is ever queued.
func (*probe) OnWritable() error { return nil }

// OnTimer implements endpoint.Hot; no timer is ever set.
func (*probe) OnTimer(int64) error { return nil }

// Close implements endpoint.Hot: nobody is there to say goodbye to.
func (*probe) Close(int64) error { return io.EOF }

// Discard implements endpoint.Discarder: there is no descriptor.
func (*probe) Discard() {}
