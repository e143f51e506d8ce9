// Command request asks another reactor and gets answers: a strategy may send an
// order only if the risk reactor, which knows what all strategies hold, allows it.
// A request goes one way through a ring, its answer comes back through another,
// and a number tells which belongs to which. Nobody waits: until the answer is
// there the strategy reads on, and an answer that takes too long is a refusal.
// Look at how long an answer takes.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/request -n 500 -limit 300
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/idle"
	"github.com/boomnet-go/boomnet/reactor/ring"
	"github.com/boomnet-go/boomnet/stats"
)

// Request asks whether a position may grow by so much.
type Request struct{ ID, Size int64 }

// Answer belongs to the request with the same ID.
type Answer struct {
	ID      int64
	Allowed bool
}

// Risk is on a reactor of its own: it keeps one number for all who ask.
type Risk struct {
	position, limit int64
	answers         *reactor.Sender[Answer]
}

// OnRequest answers each request once. There is always room: whoever asks has no
// more requests open than the ring of answers holds.
func (r *Risk) OnRequest(q *Request) {
	a, res := r.answers.Claim()
	if res != ring.Accepted {
		return // the strategy has ended
	}
	a.ID, a.Allowed = q.ID, r.position+q.Size <= r.limit
	if a.Allowed {
		r.position += q.Size
	}
	r.answers.Publish()
}

// window is how many requests may be open.
const window = 64

// Strategy wants one unit for each trade.
type Strategy struct {
	endpoint.WebSocket
	requests               *reactor.Sender[Request]
	asked                  [window]int64 // when, by the request's number modulo window; 0: answered
	within                 time.Duration // later answers are refusals
	next, answered, n      int64
	allowed, refused, late int64
	took                   *stats.Histogram
	done                   func()
}

// OnData asks.
func (s *Strategy) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		place := &s.asked[s.next%window]
		if s.next == s.n || *place != 0 { // so many are open: this trade is let go
			continue
		}
		now := clock.Nano()
		q, res := s.requests.Claim()
		if res != ring.Accepted {
			continue
		}
		q.ID, q.Size = s.next, 1
		s.requests.Publish()
		*place = now
		s.next++
	}
	return c.Err()
}

// OnAnswer goes on with what was asked. It runs on the strategy's own reactor, so it
// could write to the connection here.
func (s *Strategy) OnAnswer(a *Answer) {
	took := clock.Nano() - s.asked[a.ID%window]
	s.asked[a.ID%window] = 0
	s.took.Record(took)
	switch {
	case took > int64(s.within):
		s.late++ // what was allowed would have to be given back
	case a.Allowed:
		s.allowed++
	default:
		s.refused++
	}
	if s.answered++; s.answered == s.n {
		s.done()
	}
}

func main() {
	s := &Strategy{took: stats.NewBlock("strategy").Histogram("answer", "ns", "from request to answer")}
	flag.StringVar(&s.URL, "url", "ws://127.0.0.1:9443/ws/btcusdt@trade", "what to read")
	flag.Int64Var(&s.n, "n", 100, "requests")
	flag.DurationVar(&s.within, "within", time.Second, "how long an answer may take")
	limit := flag.Int64("limit", 80, "how many units may be held")
	how := flag.String("idle", "backoff", "idle strategy of both reactors")
	s.Options.Stream.TLS = trust.Flag()
	flag.Parse()
	strategy, err := idle.Parse(*how)
	check(err)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s.done = stop

	g, err := reactor.NewGroup(reactor.GroupConfig{Reactors: []reactor.Config{{Name: "strategy", Idle: strategy}, {Name: "risk", Idle: strategy}}})
	check(err)
	asks, answers := g.Named("strategy"), g.Named("risk")
	risk := &Risk{limit: *limit}
	s.requests, err = reactor.Link(asks, answers, reactor.LinkConfig{Capacity: window, Wake: true}, risk.OnRequest)
	check(err)
	risk.answers, err = reactor.Link(answers, asks, reactor.LinkConfig{Capacity: window, Wake: true}, s.OnAnswer)
	check(err)
	_, err = reactor.Register(asks, s)
	check(err)
	check(g.Run(ctx))
	h := s.took.Snapshot()
	fmt.Printf("%d requests: %d allowed, %d refused, %d answered too late; an answer took p50 %v, p99 %v\n",
		s.answered, s.allowed, s.refused, s.late, time.Duration(h.ValueAtQuantile(0.5)), time.Duration(h.ValueAtQuantile(0.99)))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
