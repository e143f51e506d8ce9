package main

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// sockoptProbe is one option to try.
type sockoptProbe struct {
	name, value string
	use, needs  string // what it is good for, and what it needs beside a kernel
	unseen      string // why its effect cannot be seen over loopback; "": it can
	run         runFunc
}

type (
	runFunc   func(context.Context) (seen string, err error)
	checkFunc func(context.Context, stream.Stream) (seen string, err error)
)

const (
	netAdmin = "CAP_NET_ADMIN"
	noQueue  = "loopback has no queue to poll"
)

// sockoptProbes are all there are, in the order in which they are shown.
func sockoptProbes() []sockoptProbe {
	probes := []sockoptProbe{
		{"TCP_NODELAY", "1", "a small message leaves at once (set unless Nagle is asked for)", "", "",
			readBack(stream.Options{}, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)},
		{"TCP_QUICKACK", "1", "acknowledges at once, for peers that wait for it; costs a call a read", "", "",
			dialled("tcp4", stream.Options{QuickAck: true}, quickAck)},
		{"TCP_KEEPIDLE", "15 s", "finds out that a silent peer is gone", "", "",
			readBack(stream.Options{KeepAlive: 15 * time.Second}, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 15)},
		{"TCP_USER_TIMEOUT", "2000 ms", "gives up on bytes that stay unacknowledged", "", "",
			readBack(stream.Options{UserTimeout: 2 * time.Second}, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 2000)},
		{"TCP_NOTSENT_LOWAT", "16384 bytes", "orders wait where they can be counted, not in the kernel", "", "",
			readBack(stream.Options{NotSentLowWater: 16384}, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, 16384)},
		{"SO_RCVBUF", "65536 bytes", "a receive buffer of a fixed size", "net.core.rmem_max for large ones", "",
			readBack(stream.Options{RecvBuffer: 65536}, unix.SOL_SOCKET, unix.SO_RCVBUF, 2*65536)},
		{"SO_SNDBUF", "65536 bytes", "a send buffer of a fixed size", "net.core.wmem_max for large ones", "",
			readBack(stream.Options{SendBuffer: 65536}, unix.SOL_SOCKET, unix.SO_SNDBUF, 2*65536)},
		{"SO_BINDTODEVICE", "lo", "one interface, whatever routing prefers", "", "",
			dialled("tcp4", stream.Options{Interface: "lo"}, boundTo)},
		{"IP_TOS", "0xb8 (EF)", "priority in switches on the way, IPv4", "", "",
			readBack(stream.Options{TOS: 0xb8}, unix.IPPROTO_IP, unix.IP_TOS, 0xb8)},
		{"IPV6_TCLASS", "0xb8 (EF)", "priority in switches on the way, IPv6", "", "",
			dialled("tcp6", stream.Options{TOS: 0xb8}, sameAs(unix.IPPROTO_IPV6, unix.IPV6_TCLASS, 0xb8))},
		{"SO_PRIORITY", "6", "a class in this machine's queueing disciplines", "CAP_NET_ADMIN above 6", "",
			readBack(stream.Options{Priority: 6}, unix.SOL_SOCKET, unix.SO_PRIORITY, 6)},
		{"SO_MARK", "1", "routing and firewall rules by fwmark", netAdmin, "",
			readBack(stream.Options{Mark: 1}, unix.SOL_SOCKET, unix.SO_MARK, 1)},
		{"SO_INCOMING_CPU", "asked for", "which CPU packets come in on: where to pin the reactor", "", "",
			dialled("tcp4", stream.Options{IncomingCPU: affinity.Fixed(0)}, incomingCPU)},
		{"SO_BUSY_POLL", "50 µs", "a read polls the NIC's queue itself", "CAP_NET_ADMIN on old kernels", noQueue,
			readBack(stream.Options{BusyPoll: 50 * time.Microsecond}, unix.SOL_SOCKET, unix.SO_BUSY_POLL, 50)},
		{"SO_PREFER_BUSY_POLL", "1", "no NIC interrupts while there is polling", netAdmin + ", napi_defer_hard_irqs", noQueue,
			readBack(stream.Options{PreferBusyPoll: true}, unix.SOL_SOCKET, unix.SO_PREFER_BUSY_POLL, 1)},
		{"SO_BUSY_POLL_BUDGET", "64 packets", "how many packets one poll takes", netAdmin, noQueue,
			dialled("tcp4", stream.Options{BusyPollBudget: 64}, nil)},
		{"EPIOCSPARAMS", "50 µs, 64", "a reactor that parks polls the NIC's queue first", "Linux 6.9", noQueue,
			epollPolls(selector.BusyPoll{Time: 50 * time.Microsecond, Budget: 64, Prefer: true})},
		{"EPIOCSPARAMS", "50 µs, 128", "more than 64 packets a poll", "Linux 6.9, " + netAdmin, noQueue,
			epollPolls(selector.BusyPoll{Time: 50 * time.Microsecond, Budget: 128})},
		{"SO_TIMESTAMPING", "software", "when the kernel received what a read brings; 60 ns a read", "", "",
			dialled("tcp4", stream.Options{Timestamps: stream.TimestampsSoftware}, isStamped)},
	}
	for _, name := range networkCards() {
		probes = append(probes, sockoptProbe{"SO_TIMESTAMPING", "hardware", "when the NIC received it",
			"a NIC that stamps, told to, and phc2sys to compare", "",
			func(context.Context) (string, error) {
				return "interface " + name + " stamps", stream.HardwareTimestamps(name)
			}})
	}
	return probes
}

// networkCards are the interfaces that are up, or loopback where there is no other.
func networkCards() (names []string) {
	interfaces, _ := net.Interfaces() // none, then
	for _, i := range interfaces {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 {
			names = append(names, i.Name)
		}
	}
	if len(names) == 0 {
		return []string{"lo"}
	}
	return names
}

// dialled tries an option on a connection to an echo server; check may be nil.
func dialled(network string, o stream.Options, check checkFunc) runFunc {
	return func(ctx context.Context) (string, error) {
		l, err := echoServer(network)
		if err != nil {
			return "", err
		}
		defer l.Close()
		s, err := o.Dial(ctx, "tcp://"+l.Addr().String())
		if err != nil {
			return "", err
		}
		defer s.Close()
		if check == nil {
			return "", nil
		}
		return check(ctx, s)
	}
}

func readBack(o stream.Options, level, opt, want int) runFunc {
	return dialled("tcp4", o, sameAs(level, opt, want))
}

// sameAs reads an option back.
func sameAs(level, opt, want int) checkFunc {
	return func(_ context.Context, s stream.Stream) (string, error) {
		got, err := unix.GetsockoptInt(s.Source().FD, level, opt)
		if err != nil {
			return "", err
		}
		if got != want && !(want == 1 && got != 0) {
			return "", fmt.Errorf("the kernel has %d", got)
		}
		return fmt.Sprintf("read back %d", got), nil
	}
}

// ask sends something and waits for the echo.
func ask(ctx context.Context, s stream.Stream) error {
	if _, err := s.Write([]byte("x")); err != nil {
		return err
	}
	var p [16]byte
	for {
		_, err := s.Read(p[:])
		if err != stream.ErrWouldBlock {
			return err
		}
		if err := s.(stream.Waiter).Wait(ctx, false); err != nil {
			return err
		}
	}
}

func quickAck(ctx context.Context, s stream.Stream) (string, error) {
	for range 10 { // the kernel would have turned it off by now
		if err := ask(ctx, s); err != nil {
			return "", err
		}
	}
	if _, err := sameAs(unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)(ctx, s); err != nil {
		return "", err
	}
	return "still on after ten reads", nil
}

func boundTo(_ context.Context, s stream.Stream) (string, error) {
	name, err := unix.GetsockoptString(s.Source().FD, unix.SOL_SOCKET, unix.SO_BINDTODEVICE)
	return "read back " + name, err
}

func incomingCPU(ctx context.Context, s stream.Stream) (string, error) {
	if err := ask(ctx, s); err != nil {
		return "", err
	}
	cpu, err := stream.IncomingCPU(s.Source().FD)
	return fmt.Sprintf("cpu %d of %d", cpu, runtime.NumCPU()), err
}

// isStamped waits for the first stamp, which the kernel takes its time with.
func isStamped(ctx context.Context, s stream.Stream) (string, error) {
	var wall clock.Wall
	for {
		if err := ask(ctx, s); err != nil {
			return "", err
		}
		now := clock.Nano()
		if at := s.(stream.Stamped).Stamp().Software; at != 0 {
			age := time.Duration(now - wall.Monotonic(at, now))
			return fmt.Sprintf("stamped %v before it was read", age.Round(100*time.Nanosecond)), nil
		}
		time.Sleep(time.Millisecond)
	}
}

func epollPolls(b selector.BusyPoll) runFunc {
	return func(context.Context) (string, error) {
		s, err := selector.NewEpoll(b)
		if err != nil {
			return "", err
		}
		return "", s.Close()
	}
}
