package capture

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
)

// TB is what [Reproduce] needs of a *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Reproduce makes a test of a recording: it replays the file at path, with the other
// files of its rotation, into endpoints, which are registered by the names they had, to
// its end, as fast as possible.
//
//	func TestTheMorningOf0931(t *testing.T) {
//		book := new(Book)
//		capture.Reproduce(t, "testdata/0931.pcapng", &Trades{Book: book})
//		require.Equal(t, want, book.Top())
//	}
//
// Whatever goes differently than it was recorded fails the test: each difference in
// what is written, connected and read. A recording that was cut, or whose process was
// killed, ends where it ends: connections that stand are then lost with tape.ErrEnd.
// For more than that there is [Reproduction].
func Reproduce(t TB, path string, endpoints ...endpoint.Protocol) Reproduced {
	t.Helper()
	paths, err := Parts(path)
	if err != nil {
		t.Fatalf("%v", err)
	}
	f, err := Open(paths...)
	if err != nil {
		t.Fatalf("%v", err)
	}
	f.Lenient(true)
	done, err := (&Reproduction{Recording: f, Endpoints: endpoints}).Run(context.Background())
	if err != nil {
		t.Fatalf("reproducing %s: %v", path, err)
	}
	for _, d := range done.Divergences {
		t.Errorf("reproducing %s: %v", path, d)
	}
	if more := done.Diverged - len(done.Divergences); more > 0 {
		t.Errorf("reproducing %s: and %d differences more", path, more)
	}
	return done
}

// Reproduction is a replay of a recording, turn by turn.
type Reproduction struct {
	// Recording is what is replayed: a File, or a tape.Memory.
	Recording tape.Recording
	// Endpoints are registered before it begins, in their order, and recognised by
	// their names. Those of the recording that are not among them are left out.
	Endpoints []endpoint.Protocol
	// Play is how the player plays. Default: as fast as possible.
	Play tape.PlayConfig
	// Config is that of the reactor; Replay is set by Run.
	Config reactor.Config
	// Prepare, if not nil, is called before the first turn: to make links and inboxes.
	Prepare func(*reactor.Reactor) error
	// AfterTurn, if not nil, is called after each turn of the recording, on the
	// goroutine of Run, with the turn's number and its time of day: to look at the state,
	// to set a breakpoint. An error ends the replay there.
	AfterTurn func(turn uint64, p *tape.Player) error
}

// Reproduced is what came of a replay.
type Reproduced struct {
	Turns       uint64             // that were played
	Divergences []*tape.Divergence // the first hundred
	Diverged    int                // how many there were
	Complete    bool               // the recording goes to the end of its reactor
}

// Run replays on the calling goroutine until the recording or ctx ends, or AfterTurn
// says so: that error is returned, or the cause of ctx. The reactor is closed then.
func (r *Reproduction) Run(ctx context.Context) (done Reproduced, err error) {
	p, err := tape.NewPlayer(r.Recording, r.Play)
	if err != nil {
		return done, err
	}
	cfg := r.Config
	cfg.Replay = p
	re, err := reactor.New(cfg)
	if err != nil {
		return done, err
	}
	defer func() {
		p.Abort() // where it has not ended
		err = errors.Join(err, re.Close())
		done.Divergences, done.Diverged = p.Divergences()
		done.Complete = p.Complete()
	}()
	for _, e := range r.Endpoints {
		if _, err := reactor.Register(re, e); err != nil {
			return done, fmt.Errorf("capture: registering %T: %w", e, err)
		}
	}
	if r.Prepare != nil {
		if err := r.Prepare(re); err != nil {
			return done, err
		}
	}
	for played := uint64(0); ; {
		if ctx.Err() != nil {
			return done, context.Cause(ctx)
		}
		_, err := re.Poll()
		if errors.Is(err, tape.ErrEnd) {
			return done, nil
		}
		if err != nil {
			return done, err
		}
		now := p.Turn()
		if now == played { // the time of the next one has not come
			time.Sleep(100 * time.Microsecond)
			continue
		}
		played = now
		done.Turns++
		if r.AfterTurn != nil {
			if err := r.AfterTurn(now, p); err != nil {
				return done, err
			}
		}
	}
}
