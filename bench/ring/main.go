// Command ring measures rings between two threads, each pinned to a CPU:
//
//	ring [-with NAME] [-cpus 0,1] oneway|roundtrip COUNT [CAPACITY]
//	ring [-rounds 9] [-cpus 0,1] compare [NAME=PROGRAM ...]
//
// COUNT messages of 64 bytes go through a ring of CAPACITY (1024): oneway from
// the second CPU to the first one as fast as they are taken, roundtrip one at a
// time to it and back through another ring. The consumer reads the first and the
// last word of each and checks the order. It prints one line of JSON, ns being the
// time of a message, or of a round trip:
//
//	{"name":"boomnet","mode":"oneway","msgs":20000000,"ns":21.5}
//
// NAME is what carries the messages:
//
//	boomnet        a ring.Ring: claim, fill in place, publish; peek, read in place, release (the default)
//	boomnet-16     the same in batches of up to 16; oneway only
//	boomnet-offer  the same, each message built aside and copied in; oneway only
//	boomnet-bytes  a ring.Bytes, a record a message
//	xsync          SPSCQueue of puzpuzpuz/xsync
//	chan           a channel of Go's
//
// compare runs each of them, and every PROGRAM that keeps to this contract, in an
// order that rotates from round to round, and prints best, median, and the median
// of the ratios within a round: to the first PROGRAM, without one to boomnet.
// Before and after it prints the round trip of a cache line between the two CPUs,
// which on a virtual machine is not the same for long.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/bench/meter"
	"github.com/boomnet-go/boomnet/clock"
)

const usage = "usage: ring [-with NAME] [-cpus 0,1] oneway|roundtrip COUNT [CAPACITY]\n" +
	"       ring [-rounds 9] [-cpus 0,1] compare [NAME=PROGRAM ...]"

// message is what goes through: a cache line.
type message [8]uint64

// fill sets every word, one after the other, as one sets fields.
func fill(m *message, i uint64) {
	m[0] = i
	m[1] = i
	m[2] = i
	m[3] = i
	m[4] = i
	m[5] = i
	m[6] = i
	m[7] = i
}

// check is what the consumer does with a message.
func check(m *message, i uint64) uint64 {
	if m[0] != i {
		panic(fmt.Sprintf("message %d came in place of %d", m[0], i))
	}
	return m[7]
}

// pair is the work of the two threads for n messages.
type pair struct {
	produce func(n uint64)
	consume func(n uint64) uint64 // answers the sum of what it read
}

// carrier makes the pairs of one kind of ring; nil is what it cannot do.
type carrier struct {
	oneway, roundtrip func(capacity int) (pair, error)
}

var carriers = map[string]carrier{
	"boomnet":       {inPlace, inPlaceBack},
	"boomnet-16":    {batches, nil},
	"boomnet-offer": {offers, nil},
	"boomnet-bytes": {records, recordsBack},
	"xsync":         {xsyncQueue, xsyncQueueBack},
	"chan":          {channel, channelBack},
}

// order is that of compare's rows.
var order = []string{"boomnet", "boomnet-16", "boomnet-offer", "boomnet-bytes", "xsync", "chan"}

// line is what a run prints.
type line struct {
	Name string  `json:"name"`
	Mode string  `json:"mode"`
	Msgs uint64  `json:"msgs"`
	NS   float64 `json:"ns"`
}

func main() {
	if err := run(os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		meter.Fail(fmt.Errorf("ring: %w", err))
	}
}

func run(args []string) error {
	f := flag.NewFlagSet("ring", flag.ContinueOnError)
	f.Usage = func() { fmt.Fprintln(f.Output(), usage); f.PrintDefaults() }
	with := f.String("with", "boomnet", "what carries the messages")
	list := f.String("cpus", "0,1", "CPUs of the consumer and the producer")
	rounds := f.Int("rounds", 9, "of compare")
	if err := f.Parse(args); err != nil {
		return err
	}
	cpus, err := parseCPUs(*list)
	if err != nil {
		return err
	}
	if f.Arg(0) == "compare" {
		return compare(os.Stdout, *rounds, cpus, f.Args()[1:])
	}
	if f.NArg() < 2 || f.NArg() > 3 {
		return errors.New(usage)
	}
	l := line{Name: *with, Mode: f.Arg(0)}
	if l.Msgs, err = strconv.ParseUint(f.Arg(1), 10, 64); err != nil || l.Msgs == 0 {
		return fmt.Errorf("COUNT %q: want a number over 0", f.Arg(1))
	}
	capacity := 1024
	if f.NArg() == 3 {
		if capacity, err = strconv.Atoi(f.Arg(2)); err != nil || capacity < 1 {
			return fmt.Errorf("CAPACITY %q: want a number over 0", f.Arg(2))
		}
	}
	p, err := build(l, capacity)
	if err != nil {
		return err
	}
	if l.NS, err = measure(p, l.Msgs, cpus); err != nil {
		return err
	}
	l.NS = math.Round(10*l.NS) / 10
	return json.NewEncoder(os.Stdout).Encode(l)
}

func parseCPUs(list string) (cpus [2]int, err error) {
	a, b, _ := strings.Cut(list, ",")
	for i, s := range []string{a, b} {
		if cpus[i], err = strconv.Atoi(s); err != nil {
			return cpus, fmt.Errorf("-cpus %q: want two numbers, as in 0,1", list)
		}
	}
	return cpus, nil
}

// build makes what l asks for.
func build(l line, capacity int) (pair, error) {
	c, ok := carriers[l.Name]
	if !ok {
		return pair{}, fmt.Errorf("-with %q: want one of %s", l.Name, strings.Join(order, ", "))
	}
	make := c.oneway
	switch l.Mode {
	case "oneway":
	case "roundtrip":
		make = c.roundtrip
	default:
		return pair{}, fmt.Errorf("mode %q: want oneway, roundtrip or compare", l.Mode)
	}
	if make == nil {
		return pair{}, fmt.Errorf("%s does no %s", l.Name, l.Mode)
	}
	return make(capacity)
}

// measure returns ns a message, or a round trip, of n.
func measure(p pair, n uint64, cpus [2]int) (ns float64, err error) {
	meter.Quiet()
	runtime.GOMAXPROCS(4) // the two, and room for the runtime's own
	var started, ended int64
	pinned, done, start := make(chan error, 2), make(chan struct{}, 2), make(chan struct{})
	thread := func(cpu int, work func()) {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		pinned <- affinity.Pin(cpu)
		<-start
		work()
		done <- struct{}{}
	}
	go thread(cpus[0], func() {
		p.consume(n)
		ended = clock.Nano()
	})
	go thread(cpus[1], func() {
		started = clock.Nano()
		p.produce(n)
	})
	if err := errors.Join(<-pinned, <-pinned); err != nil {
		return 0, err
	}
	close(start)
	<-done
	<-done
	return float64(ended-started) / float64(n), nil
}
