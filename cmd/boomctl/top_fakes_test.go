package main

import (
	"fmt"
	"time"

	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/stats"
)

// fakeNow is when the samples of these tests were taken.
var fakeNow = time.Date(2026, 3, 4, 9, 30, 0, 0, time.UTC)

// fakeMono is the same moment on clock.Nano.
const fakeMono = int64(time.Hour)

// fakeProcess is a process of which a test makes up the blocks.
func fakeProcess(pid int, name string) *seenProcess {
	return &seenProcess{Process: stats.Process{PID: pid, Name: name, Started: fakeNow.Add(-time.Hour)}}
}

// fakeSample is a second of these processes.
func fakeSample(processes ...*seenProcess) *sample {
	s := &sample{at: fakeNow, mono: fakeMono, over: time.Second, number: 2, processes: processes}
	for _, p := range processes {
		s.blocks = append(s.blocks, p.order...)
	}
	return s
}

func (p *seenProcess) fake(kind, name, parent string, cells ...*seenCell) *seenBlock {
	b := &seenBlock{kind: kind, name: name, parent: parent, process: p, cells: cells, byName: make(map[string]*seenCell)}
	for _, c := range cells {
		b.byName[c.desc.Name] = c
	}
	p.order = append(p.order, b)
	return b
}

// fakeCounter is a counter that grew to now within the sample.
func fakeCounter(name, unit string, by, now int64) *seenCell {
	return &seenCell{stats.Desc{Name: name, Unit: unit, Kind: stats.KindCounter}, stats.Value{Int: now}, stats.Value{Int: now - by}, 2}
}

func fakeGauge(name, unit string, v int64) *seenCell {
	return &seenCell{stats.Desc{Name: name, Unit: unit, Kind: stats.KindGauge}, stats.Value{Int: v}, stats.Value{Int: v}, 2}
}

func fakeText(name, text string) *seenCell {
	return &seenCell{stats.Desc{Name: name, Kind: stats.KindText}, stats.Value{Text: text}, stats.Value{Text: text}, 2}
}

// fakeHistogram counted 1 µs before the sample, and these within it.
func fakeHistogram(name string, values ...int64) *seenCell {
	var h stats.Histogram
	h.Record(1000)
	before := h.Snapshot()
	for _, v := range values {
		h.Record(v)
	}
	return &seenCell{stats.Desc{Name: name, Unit: "ns", Kind: stats.KindHistogram}, stats.Value{Histogram: h.Snapshot()}, stats.Value{Histogram: before}, 2}
}

func fakeErrors(forgotten int64, records ...stats.ErrorRecord) *seenCell {
	return &seenCell{stats.Desc{Name: "errors", Unit: "errors", Kind: stats.KindErrors}, stats.Value{Int: forgotten, Errors: records}, stats.Value{}, 2}
}

func (p *seenProcess) fakeReactor(name string, cpu, turns int64, busy, longest time.Duration, errors *seenCell) *seenBlock {
	return p.fake(stats.ReactorBlock, name, "", fakeCounter("turns", "turns", turns, 60*turns), fakeCounter("work", "items", turns/4, 15*turns),
		fakeCounter("parks", "parks", turns/8, 8*turns), fakeCounter("busy", "ns", int64(busy), int64(60*busy)), fakeGauge("longest_turn", "ns", int64(longest)),
		fakeGauge("cpu", "cpu", cpu), fakeText("idle", "backoff"), fakeText("selector", "epoll"), errors)
}

func (p *seenProcess) fakeEndpoint(name, reactor string, state endpoint.State, messages, reconnects int64, lost string, latencies ...int64) *seenBlock {
	return p.fake(stats.EndpointBlock, name, reactor, fakeCounter("messages", "messages", messages, 3600*messages), fakeCounter("bytes", "bytes", 150*messages, 540000*messages),
		fakeCounter("sent", "frames", 2, 7200), fakeGauge("queue", "bytes", reconnects*100), fakeCounter("reconnects", "connections", 0, reconnects),
		fakeCounter("losses", "connections", 0, reconnects), fakeGauge("state", "state", int64(state)), fakeGauge("since", "ns", fakeMono-12_340_000_000),
		fakeText("last_loss", lost), fakeHistogram("receive_to_handler", latencies...))
}

func (p *seenProcess) fakeRing(name, reactor string, offered, depth, high, refused int64) *seenBlock {
	return p.fake(stats.RingBlock, name, reactor, fakeCounter("offered", "messages", offered, 3600*offered), fakeCounter("refused", "messages", 0, refused),
		fakeGauge("high_water", "messages", high), fakeGauge("depth", "messages", depth))
}

// fakeDesk is a process as a desk may have it: something is wrong with it.
func fakeDesk() *seenProcess {
	p := fakeProcess(4242, "feedhandler")
	p.fakeReactor("md", 3, 1_250_000, 610*time.Millisecond, 84*time.Microsecond, fakeErrors(2,
		stats.ErrorRecord{Text: "open 1006: ws: closed: N abnormal: read tcp N->N: recvfrom: connection reset by peer", Count: 12, First: fakeNow.Add(-50 * time.Hour), Last: fakeNow.Add(-3 * time.Second)},
		stats.ErrorRecord{Text: "connecting: dial tcp N: connect: connection refused", Count: 1234, First: fakeNow.Add(-3 * time.Hour), Last: fakeNow.Add(-5 * time.Minute)}))
	p.fakeReactor("orders", -1, 900, 4*time.Millisecond, 1200*time.Microsecond, fakeErrors(0))
	p.fakeEndpoint("btcusdt@trade", "md", endpoint.Open, 12_400, 2, "open: 1006 connection reset by peer", 800, 900, 1000, 52_000)
	p.fakeEndpoint("ethusdt@trade", "md", endpoint.Open, 8_100, 0, "", 700, 800, 950)
	p.fakeEndpoint("xrpusdt@trade", "md", endpoint.Backoff, 0, 17, "connecting: connection refused")
	p.fakeEndpoint("a venue with a name that is quite long, as names are", "md", endpoint.Connecting, 0, 0, "")
	p.fakeEndpoint("gateway", "orders", endpoint.Failed, 0, 3, "upgrading: 403 Forbidden")
	p.fakeRing("md→orders trades", "orders", 20_400, 12, 831, 0)
	p.fakeRing("orders→md acks", "md", 40, 0, 3, 7)
	return p
}

// fakeMany is a process with n endpoints.
func fakeMany(n int) *seenProcess {
	p := fakeProcess(77, "many")
	p.fakeReactor("r0", 1, 1000, time.Millisecond, time.Millisecond, fakeErrors(0))
	for i := range n {
		p.fakeEndpoint(fmt.Sprintf("e%04d", i), "r0", endpoint.Open, int64(i), 0, "", int64(100+i))
	}
	return p
}

func fakeScreen(processes ...*seenProcess) *topScreen {
	t := &topScreen{dir: "/dev/shm/boomnet-1000", keyboard: true, focus: focusEndpoints}
	t.see(fakeSample(processes...))
	return t
}
