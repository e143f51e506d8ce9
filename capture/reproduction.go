package capture

import (
	"errors"
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
)

// TB is what Reproduce needs of a *testing.T.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
	Cleanup(func())
}

// Reproduction is how a reproduction went.
type Reproduction struct {
	Reactor     *reactor.Reactor // it has ended
	Turns       int              // played
	Whole       bool             // the recording was played to its end
	Divergences []*tape.Divergence
	Differences int // all divergences; Divergences has the first hundred
}

// ReproduceOption is an option of Reproduce.
type ReproduceOption func(*reproduce)

type reproduce struct {
	with      []endpoint.Protocol
	play      tape.PlayConfig
	config    reactor.Config
	prepare   func(*reactor.Reactor) error
	step      func(turn uint64, now time.Time) bool
	until     time.Time
	untilTurn uint64
	allow     bool
}

// With registers endpoints, in this order. They are found in the recording by their
// names; those of the recording that are not given are left out.
func With(endpoints ...endpoint.Protocol) ReproduceOption {
	return func(o *reproduce) { o.with = append(o.with, endpoints...) }
}

// AtSpeed plays as fast as it was recorded (1), or so many times as fast. Without it
// the recording is played as fast as it goes.
func AtSpeed(times float64) ReproduceOption {
	return func(o *reproduce) { o.play.Speed = times }
}

// InReactor is the configuration of the reactor: OnPanic, Counters, an observer.
// What a replay brings by itself it replaces.
func InReactor(cfg reactor.Config) ReproduceOption {
	return func(o *reproduce) { o.config = cfg }
}

// Prepared calls f before the first turn: to make links and inboxes.
func Prepared(f func(*reactor.Reactor) error) ReproduceOption {
	return func(o *reproduce) { o.prepare = f }
}

// Until ends the reproduction after the first turn at or after t by the wall clock of
// then.
func Until(t time.Time) ReproduceOption { return func(o *reproduce) { o.until = t } }

// UntilTurn ends the reproduction after turn n of the recording, as divergences and
// boomctl capture cat number them.
func UntilTurn(n uint64) ReproduceOption { return func(o *reproduce) { o.untilTurn = n } }

// EachTurn calls f after each turn, with its number and its time then, on the goroutine
// of the test. The reproduction ends when f returns false.
func EachTurn(f func(turn uint64, now time.Time) bool) ReproduceOption {
	return func(o *reproduce) { o.step = f }
}

// AllowDivergences has divergences logged instead of failing the test: to look what
// changed code does with the bytes of then.
func AllowDivergences() ReproduceOption { return func(o *reproduce) { o.allow = true } }

// Reproduce plays the recording at path, with the other files of its rotation, into a
// reactor of the test's, on the test's goroutine:
//
//	func TestTheMorningOf0931(t *testing.T) {
//		book := new(Book)
//		capture.Reproduce(t, "testdata/0931.pcapng", capture.With(&Trades{Book: book}))
//		require.Equal(t, want, book.Top())
//	}
//
// A divergence fails the test: the endpoint wrote something else than it did then.
// A file that a dead process has left is played as far as it goes. What cannot be read,
// registered or played ends the test.
func Reproduce(t TB, path string, options ...ReproduceOption) *Reproduction {
	t.Helper()
	var o reproduce
	for _, set := range options {
		set(&o)
	}
	result, err := o.run(t, path)
	if err != nil {
		t.Fatalf("capture: %s: %v", path, err)
		return result
	}
	tell := t.Errorf
	if o.allow {
		tell = t.Logf
	}
	for _, d := range result.Divergences {
		tell("%s: %v", path, d)
	}
	if more := result.Differences - len(result.Divergences); more > 0 {
		tell("%s: and %d divergences more", path, more)
	}
	return result
}

func (o *reproduce) run(t TB, path string) (*Reproduction, error) {
	result := new(Reproduction)
	paths, err := Parts(path)
	if err != nil {
		return result, err
	}
	file, err := Open(paths...)
	if err != nil {
		return result, err
	}
	file.Lenient(true)
	player, err := tape.NewPlayer(file, o.play)
	if err != nil {
		return result, err
	}
	o.config.Replay = player
	r, err := reactor.New(o.config)
	if err != nil {
		return result, errors.Join(err, player.Close())
	}
	result.Reactor = r
	t.Cleanup(func() { _ = r.Close() }) // it has ended, unless a handler has panicked
	for _, e := range o.with {
		if _, err := reactor.Register(r, e); err != nil {
			return result, fmt.Errorf("registering %T: %w", e, err)
		}
	}
	if o.prepare != nil {
		if err := o.prepare(r); err != nil {
			return result, err
		}
	}
	err = o.steps(r, player, result)
	result.Divergences, result.Differences = player.Divergences()
	return result, err
}

// steps plays turn by turn to the end, or to where the options end it.
func (o *reproduce) steps(r *reactor.Reactor, p *tape.Player, result *Reproduction) error {
	for more := true; more; {
		before := p.Turn()
		_, err := r.Poll()
		switch turn := p.Turn(); {
		case errors.Is(err, tape.ErrEnd):
			result.Whole, more = true, false
		case err != nil:
			return err
		case turn == before: // its time has not come
			time.Sleep(pollPause)
		default:
			result.Turns++
			more = (o.step == nil || o.step(turn, p.Wall())) && (o.untilTurn == 0 || turn < o.untilTurn) &&
				(o.until.IsZero() || p.Wall().Before(o.until))
		}
	}
	return r.Close()
}

// pollPause is how long Reproduce sleeps when the next turn is not due.
const pollPause = 100 * time.Microsecond
