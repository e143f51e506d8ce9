package reactor

import (
	"context"
	"errors"
	"fmt"

	"github.com/boomnet-go/boomnet/stream"
)

// ProbeCPU connects to a target of stream.Options.Dial ("tls://host:443"), asks on
// which CPU the packets of that connection came in (SO_INCOMING_CPU), and closes
// it. It is for an interface whose packets from one peer all take one queue: one
// queue only, or a rule that steers them. With receive-side scaling the queue is
// chosen by a hash of both addresses and both ports, so that the next connection,
// from another port, may come in elsewhere: then ask the connection itself, by
// stream.IncomingCPU in OnOpen, and register again if it matters. It blocks until
// connected, not for a reactor's goroutine. Errors are those of Dial, and
// [ErrNoPacket] for a connection that nothing has come in on.
func ProbeCPU(ctx context.Context, target string, o *stream.Options) (cpu int, err error) {
	if o == nil {
		o = new(stream.Options)
	}
	s, err := o.Dial(ctx, target)
	if err != nil {
		return -1, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if cpu, err = stream.IncomingCPU(s.Source().FD); err != nil {
		return -1, err
	}
	if cpu < 0 {
		return -1, fmt.Errorf("%w: %s", ErrNoPacket, target)
	}
	return cpu, nil
}
