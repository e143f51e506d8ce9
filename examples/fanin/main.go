// Command fanin gathers the quotes of several feeds, each on a reactor of its own,
// in one book on another reactor: a link from each, one handler for all, no locks.
// Which feed a symbol belongs to is chosen by its name and stays the same. An
// ordinary goroutine asks for a report through an inbox. Look at how the feeds
// share the symbols, and at what came in order from each.
//
//	go run ./cmd/boomctl exchange --rate 1000
//	go run ./examples/fanin -for 2s
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/examples/internal/trust"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/ring"
)

// Quote is one message of a symbol: its place in the list, and which one it is.
type Quote struct {
	Symbol int32
	Number int64
}

// Feed numbers what it receives.
type Feed struct {
	endpoint.WebSocket
	symbol int32
	number int64
	missed int64
	quotes *reactor.Sender[Quote]
}

// OnData passes on what the book has room for.
func (f *Feed) OnData(c *ws.Conn) error {
	for _, ok := c.Next(); ok; _, ok = c.Next() {
		q, res := f.quotes.Claim()
		if res != ring.Accepted {
			f.missed++
			continue
		}
		f.number++
		q.Symbol, q.Number = f.symbol, f.number
		f.quotes.Publish()
	}
	return c.Err()
}

// Book is where all quotes meet. It belongs to its reactor's goroutine.
type Book struct {
	symbols []string
	last    []int64 // number of each symbol's last quote
	gaps    int
}

// OnQuote is the handler of every link.
func (b *Book) OnQuote(q *Quote) {
	if q.Number != b.last[q.Symbol]+1 {
		b.gaps++
	}
	b.last[q.Symbol] = q.Number
}

// Ask is what any goroutine may post: to be answered on a channel with room for
// the answer, so that the reactor does not wait.
type Ask struct{ answer chan string }

// OnAsk answers.
func (b *Book) OnAsk(a *Ask) {
	var report strings.Builder
	for i, symbol := range b.symbols {
		fmt.Fprintf(&report, "%s %d quotes, ", symbol, b.last[i])
	}
	fmt.Fprintf(&report, "%d gaps", b.gaps)
	a.answer <- report.String()
}

func main() {
	url := flag.String("url", "ws://127.0.0.1:9443", "exchange, without a path")
	length := flag.Duration("for", 2*time.Second, "how long to read")
	list := flag.String("symbols", "btcusdt,ethusdt,xrpusdt,solusdt,adausdt", "what to read")
	tlsConfig := trust.Flag()
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, *length)
	defer cancel()

	symbols := strings.Split(*list, ",")
	book := &Book{symbols: symbols, last: make([]int64, len(symbols))}
	// Feeds are a group of their own, so that BySymbol chooses among them.
	feeds, err := reactor.NewGroup(reactor.GroupConfig{Reactors: []reactor.Config{{Name: "feed-a"}, {Name: "feed-b"}}})
	check(err)
	gather, err := reactor.New(reactor.Config{Name: "book"})
	check(err)
	quotes := map[*reactor.Reactor]*reactor.Sender[Quote]{}
	for i := range feeds.Len() {
		from := feeds.Reactor(i)
		quotes[from], err = reactor.Link(from, gather, reactor.LinkConfig{Capacity: 4096}, book.OnQuote)
		check(err)
	}
	asks, err := reactor.NewInbox(gather, 16, book.OnAsk)
	check(err)
	for i, symbol := range symbols {
		r := feeds.BySymbol(symbol)
		f := &Feed{WebSocket: endpoint.WebSocket{Name: symbol, URL: *url + "/ws/" + symbol + "@bookTicker"}, symbol: int32(i), quotes: quotes[r]}
		f.Options.Stream.TLS = tlsConfig
		_, err = reactor.Register(r, f)
		check(err)
		fmt.Printf("%s is read by %s\n", symbol, r.Name())
	}

	ended := make(chan error, 1)
	go func() { ended <- gather.Run(context.Background()) }() // until it is closed: after the feeds
	check(feeds.Run(ctx))
	a := Ask{make(chan string, 1)}
	if res := asks.Post(a); res != ring.Accepted {
		log.Fatalf("the book does not answer: %v", res)
	}
	check(gather.Close()) // handles what lies in its links and its inbox
	check(<-ended)
	fmt.Println(<-a.answer)
	for _, l := range gather.Links() {
		fmt.Printf("%s to %s: %d handled of %d, at most %d waiting, %d refused\n", l.Message, l.To, l.Handled, l.Sent, l.HighWater, l.Refused)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
