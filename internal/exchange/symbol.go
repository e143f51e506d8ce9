package exchange

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"
)

// kind is what a stream carries.
type kind byte

const (
	trade kind = iota
	bookTicker
	depth
)

// kinds are the suffixes of stream names.
var kinds = map[string]kind{
	"trade":        trade,
	"bookTicker":   bookTicker,
	"depth":        depth,
	"depth@100ms":  depth,
	"depth@1000ms": depth,
}

// maxSymbol is the longest symbol in bytes.
const maxSymbol = 32

// streamName is a parsed stream name.
type streamName struct {
	name   string
	symbol string // lower case
	kind   kind
}

// parseStream parses SYMBOL@KIND.
func parseStream(name string) (streamName, error) {
	if len(name) > maxSymbol+16 {
		return streamName{}, fmt.Errorf("stream name of %d bytes, limit %d", len(name), maxSymbol+16)
	}
	symbol, suffix, _ := strings.Cut(name, "@")
	k, ok := kinds[suffix]
	if !ok {
		return streamName{}, fmt.Errorf("bad stream name %q, want symbol@trade, @bookTicker, @depth or @depth@100ms", name)
	}
	if symbol == "" || len(symbol) > maxSymbol {
		return streamName{}, fmt.Errorf("bad stream name %q: a symbol has 1 to %d characters", name, maxSymbol)
	}
	for _, r := range symbol {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' {
			return streamName{}, fmt.Errorf("bad stream name %q: a symbol is lower-case letters, digits and _", name)
		}
	}
	return streamName{name, symbol, k}, nil
}

// Prices and quantities are integers in units of 10^-8, written with eight decimals.
const unit = 100_000_000

// symbol is one random walk, shared by the streams of the symbol.
type symbol struct {
	name   string // upper case
	random *rand.Rand
	price  int64
	base   int64 // the walk stays between half and twice of it
	tick   int64
}

// prices are those that people recognise: start and tick, in units.
var prices = map[string][2]int64{
	"btcusdt": {65_000 * unit, unit / 100},
	"ethusdt": {3_500 * unit, unit / 100},
	"xrpusdt": {unit / 2, unit / 10_000},
}

// newSymbol starts a walk. The price of an unknown symbol comes from its name.
func newSymbol(name string, seed uint64) *symbol {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	p, ok := prices[name]
	if !ok {
		p = [2]int64{int64(1+h.Sum64()%100_000) * (unit / 10), unit / 1_000}
	}
	return &symbol{
		name:   strings.ToUpper(name),
		random: rand.New(rand.NewPCG(seed, h.Sum64())),
		price:  p[0],
		base:   p[0],
		tick:   p[1],
	}
}

// step moves the price by up to three ticks and returns it.
func (s *symbol) step() int64 {
	s.price += s.tick * int64(s.random.IntN(7)-3)
	s.price = min(max(s.price, s.base/2), s.base*2)
	return s.price
}

// quantity is between 0.001 and 5.
func (s *symbol) quantity() int64 { return int64(1+s.random.IntN(5000)) * (unit / 1000) }

// appendTrade appends one trade with the sequence number id.
func (s *symbol) appendTrade(b []byte, id uint64, at stamp) []byte {
	b = append(b, `{"e":"trade","E":`...)
	b = strconv.AppendInt(b, at.wall, 10)
	b = s.appendName(b)
	b = append(b, `,"t":`...)
	b = strconv.AppendUint(b, id, 10)
	b = append(b, `,"p":"`...)
	b = appendFixed(b, s.step())
	b = append(b, `","q":"`...)
	b = appendFixed(b, s.quantity())
	b = append(b, `","T":`...)
	b = strconv.AppendInt(b, at.mono, 10)
	b = append(b, `,"m":`...)
	b = strconv.AppendBool(b, s.random.IntN(2) == 0)
	return append(b, `,"M":true}`...)
}

// appendBookTicker appends the best bid and ask with the update id.
func (s *symbol) appendBookTicker(b []byte, id uint64, at stamp) []byte {
	bid := s.step()
	b = append(b, `{"e":"bookTicker","u":`...)
	b = strconv.AppendUint(b, id, 10)
	b = s.appendName(b)
	b = append(b, `,"b":"`...)
	b = appendFixed(b, bid)
	b = append(b, `","B":"`...)
	b = appendFixed(b, s.quantity())
	b = append(b, `","a":"`...)
	b = appendFixed(b, bid+s.tick)
	b = append(b, `","A":"`...)
	b = appendFixed(b, s.quantity())
	b = append(b, `","T":`...)
	b = strconv.AppendInt(b, at.mono, 10)
	b = append(b, `,"E":`...)
	b = strconv.AppendInt(b, at.wall, 10)
	return append(b, '}')
}

// appendDepth appends changes of the book that carry the update ids first to last.
func (s *symbol) appendDepth(b []byte, first, last uint64, at stamp) []byte {
	bid := s.step()
	b = append(b, `{"e":"depthUpdate","E":`...)
	b = strconv.AppendInt(b, at.wall, 10)
	b = append(b, `,"T":`...)
	b = strconv.AppendInt(b, at.mono, 10)
	b = s.appendName(b)
	b = append(b, `,"U":`...)
	b = strconv.AppendUint(b, first, 10)
	b = append(b, `,"u":`...)
	b = strconv.AppendUint(b, last, 10)
	b = append(b, `,"b":[`...)
	b = s.appendLevels(b, bid, -s.tick)
	b = append(b, `],"a":[`...)
	b = s.appendLevels(b, bid+s.tick, s.tick)
	return append(b, `]}`...)
}

// appendLevels appends one to three levels from price on; quantity 0 removes one.
func (s *symbol) appendLevels(b []byte, price, step int64) []byte {
	for i, n := 0, 1+s.random.IntN(3); i < n; i++ {
		if i > 0 {
			b = append(b, ',')
		}
		q := s.quantity()
		if s.random.IntN(4) == 0 {
			q = 0
		}
		b = append(b, `["`...)
		b = appendFixed(b, price)
		b = append(b, `","`...)
		b = appendFixed(b, q)
		b = append(b, `"]`...)
		price += step * int64(1+s.random.IntN(3))
	}
	return b
}

func (s *symbol) appendName(b []byte) []byte {
	b = append(b, `,"s":"`...)
	b = append(b, s.name...)
	return append(b, '"')
}

// appendFixed appends v, at least 0, in units as a decimal with eight places.
func appendFixed(b []byte, v int64) []byte {
	b = strconv.AppendInt(b, v/unit, 10)
	b = append(b, '.')
	for d, rest := int64(unit/10), v%unit; d > 0; d /= 10 {
		b = append(b, byte('0'+rest/d%10))
	}
	return b
}
