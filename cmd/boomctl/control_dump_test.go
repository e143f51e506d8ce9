package main

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/control"
	"github.com/boomnet-go/boomnet/reactor"
)

func TestWriteDump(t *testing.T) {
	d := &control.Dump{
		PID: 4242, Program: "feedhandler", Go: "go1.26", GOMAXPROCS: 4, Goroutines: 1,
		At: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC),
		Reactors: []*reactor.Dump{{
			Name: "md", Idle: "spin", Closing: true, Thread: 4250, CPU: 3, MailWait: 1, Timers: 2, Ready: 1,
			NextTimer: 20 * time.Millisecond, HistogramsFor: 3 * time.Second,
			Config:   reactor.DumpConfig{CPU: "cpu 3", Selector: "epoll", Mailbox: 8192, BusyPoll: "busy_poll_usecs 50"},
			Counters: map[string]int64{"turns": 1234567},
			Endpoints: []reactor.EndpointDump{{
				Name: "btc\x1b[31m", State: "open", For: time.Minute, Messages: 5000, Bytes: 25e6, Opens: 2, Losses: 1,
				Renewal:  time.Hour,
				LastLoss: &reactor.LossDump{Summary: "open: EOF", Ago: time.Minute, Unsent: 120},
				Connections: []reactor.ConnectionDump{{
					ID: 2, Role: "current", State: "open", For: time.Minute, FD: 9, Queued: 4096,
					Local: netip.MustParseAddrPort("10.0.0.1:40000"), Remote: netip.MustParseAddrPort("192.0.2.7:443"),
					Quiet: 3 * time.Millisecond, Timer: time.Second,
				}},
			}, {
				Name: "eth", State: "backoff", For: time.Second, Retry: 4 * time.Second, Losing: 3, MaxAttempts: 5, Losses: 3,
			}},
		}, {
			Name: "orders", Idle: "noop", MailWait: 7, Config: reactor.DumpConfig{CPU: "unbound", Selector: "direct", Mailbox: 64},
			Stuck: &reactor.Stuck{Text: "it has not turned", Stack: "main.slow\n\t/main.go:31\nmain.OnData\n\t/main.go:7\n"},
		}},
	}
	var b strings.Builder
	require.NoError(t, writeDump(&b, d))
	require.Equal(t, `process 4242  feedhandler  go1.26  GOMAXPROCS 4  1 goroutine  at 03:04:05.006

reactor md  cpu 3  idle spin  selector epoll  busy_poll_usecs 50  CLOSING
  thread 4250 on CPU 3  turns 1,234,567  mail 1 of 8192  timers 2, next in 20.0 ms  ready 1  histograms since 3.00 s ago
  btc [31m             open       for 60.0 s, renewal in 3600 s  5,000 msg  25.0 MB  opened 2×  lost 1×
    └ connection 2 current  open for 60.0 s  10.0.0.1:40000 → 192.0.2.7:443  fd 9  4.10 kB QUEUED  last data 3.00 ms ago  timer in 1.00 s
    └ last loss 60.0 s ago: open: EOF (120 bytes unsent)
  eth                  backoff    for 1.00 s, next try in 4.00 s  0 msg  0 B  opened 0×  lost 3×, 3 in a row of 5

reactor orders  unbound  idle noop  selector direct
  STUCK  it has not turned
    main.slow
        /main.go:31
    main.OnData
        /main.go:7
  mail 7 of 64
  no endpoints
`, b.String())
}
