package stream

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// applyTuning sets the options that place a socket's packets and their
// processing: in the network, in the kernel's queues, on a CPU.
func (o *Options) applyTuning(network string, fd int) error {
	cpu, pinned := o.IncomingCPU.CPU()
	for _, opt := range []struct {
		wanted     bool
		level, opt int
		name       string
		value      int64
	}{
		{o.NotSentLowWater != 0, unix.IPPROTO_TCP, unix.TCP_NOTSENT_LOWAT, "TCP_NOTSENT_LOWAT", int64(o.NotSentLowWater)},
		{pinned, unix.SOL_SOCKET, unix.SO_INCOMING_CPU, "SO_INCOMING_CPU", int64(cpu)},
		{o.BusyPoll != 0, unix.SOL_SOCKET, unix.SO_BUSY_POLL, "SO_BUSY_POLL", roundUp(o.BusyPoll, time.Microsecond)},
		{o.PreferBusyPoll, unix.SOL_SOCKET, unix.SO_PREFER_BUSY_POLL, "SO_PREFER_BUSY_POLL", 1},
		{o.BusyPollBudget != 0, unix.SOL_SOCKET, unix.SO_BUSY_POLL_BUDGET, "SO_BUSY_POLL_BUDGET", int64(o.BusyPollBudget)},
	} {
		if !opt.wanted {
			continue
		}
		if opt.value < 0 { // the kernel would read some of them as a large number
			return &OptionError{opt.name, strconv.FormatInt(opt.value, 10), unix.EINVAL}
		}
		if err := setInt(fd, opt.level, opt.opt, opt.name, opt.value); err != nil {
			return sayPrivilege(err)
		}
	}
	if err := o.applyMarks(network, fd); err != nil {
		return sayPrivilege(err)
	}
	return setTimestamps(fd, o.Timestamps)
}

// applyMarks sets what is written on the packets. IP_TOS also sets the priority,
// so that comes after it.
func (o *Options) applyMarks(network string, fd int) error {
	if o.TOS != 0 {
		level, opt, name := unix.IPPROTO_IP, unix.IP_TOS, "IP_TOS"
		if network == "tcp6" {
			level, opt, name = unix.IPPROTO_IPV6, unix.IPV6_TCLASS, "IPV6_TCLASS"
		}
		const ecn = 3 // the kernel would drop these bits without a word
		if o.TOS&ecn != 0 {
			return &OptionError{name, fmt.Sprintf("%#x", o.TOS), fmt.Errorf("the two lowest bits are the kernel's own (ECN): %w", unix.EINVAL)}
		}
		if err := setInt(fd, level, opt, name, int64(o.TOS)); err != nil {
			return err
		}
	}
	if o.Priority != 0 {
		if o.Priority < 0 {
			return &OptionError{"SO_PRIORITY", strconv.Itoa(o.Priority), unix.EINVAL}
		}
		if err := setInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, "SO_PRIORITY", int64(o.Priority)); err != nil {
			return err
		}
	}
	if o.Mark != 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(o.Mark)); err != nil {
			return &OptionError{"SO_MARK", fmt.Sprintf("%#x", o.Mark), err}
		}
	}
	return nil
}

// sayPrivilege adds to an EPERM what would have permitted it.
func sayPrivilege(err error) error {
	if e, ok := errors.AsType[*OptionError](err); ok && errors.Is(e.Err, unix.EPERM) {
		return &OptionError{e.Name, e.Value, fmt.Errorf("%w: it needs CAP_NET_ADMIN", e.Err)}
	}
	return err
}

// IncomingCPU tells on which CPU the last packet of a socket was processed
// (SO_INCOMING_CPU), by the descriptor of its stream's Source: a way to choose
// the core, and so the reactor, for a connection. -1: no packet has come yet.
// One system call; any goroutine while the descriptor is open.
func IncomingCPU(fd int) (cpu int, err error) {
	cpu, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_INCOMING_CPU)
	if err != nil {
		return -1, fmt.Errorf("stream: descriptor %d: %w", fd, os.NewSyscallError("getsockopt SO_INCOMING_CPU", err))
	}
	return cpu, nil
}
