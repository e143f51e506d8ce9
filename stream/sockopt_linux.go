package stream

import (
	"fmt"
	"math"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// OptionError is a socket option that the kernel refused, or did not grant in
// full. errors.Is reaches the syscall.Errno.
type OptionError struct {
	Name  string // as in the manual: "SO_BINDTODEVICE"
	Value string // what was asked for
	Err   error
}

func (e *OptionError) Error() string { return e.Name + " " + e.Value + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *OptionError) Unwrap() error { return e.Err }

// control sets the options on a socket that is about to connect.
func (o *Options) control(network, address string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) { failed = o.apply(network, address, int(fd)) }); err != nil {
		return err
	}
	return failed
}

func (o *Options) apply(network, address string, fd int) error {
	if o.Interface != "" {
		// The kernel would cut a longer name short and find another device.
		err := error(unix.ENODEV)
		if len(o.Interface) < unix.IFNAMSIZ {
			err = unix.BindToDevice(fd, o.Interface)
		}
		if err != nil {
			return &OptionError{"SO_BINDTODEVICE", strconv.Quote(o.Interface), err}
		}
	}
	if !o.Nagle {
		if err := setInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, "TCP_NODELAY", 1); err != nil {
			return err
		}
	}
	if err := o.applyKeepAlive(fd); err != nil {
		return err
	}
	if o.UserTimeout != 0 {
		if err := setInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT", roundUp(o.UserTimeout, time.Millisecond)); err != nil {
			return err
		}
	}
	if err := setBuffer(fd, unix.SO_RCVBUF, "SO_RCVBUF", "net.core.rmem_max", o.RecvBuffer); err != nil {
		return err
	}
	if err := setBuffer(fd, unix.SO_SNDBUF, "SO_SNDBUF", "net.core.wmem_max", o.SendBuffer); err != nil {
		return err
	}
	if err := o.applyTuning(network, fd); err != nil {
		return err
	}
	if o.Control != nil {
		if err := o.Control(network, address, fd); err != nil {
			return fmt.Errorf("control hook: %w", err)
		}
	}
	return nil
}

// Defaults of the keepalive options, those of Go's net package.
const (
	DefaultKeepAlive         = 15 * time.Second
	DefaultKeepAliveInterval = 15 * time.Second
	DefaultKeepAliveCount    = 9
)

func (o *Options) applyKeepAlive(fd int) error {
	if o.KeepAlive < 0 {
		return setInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, "SO_KEEPALIVE", 0)
	}
	for _, opt := range []struct {
		level, opt int
		name       string
		value      int64
	}{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, "SO_KEEPALIVE", 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, "TCP_KEEPIDLE", seconds(o.KeepAlive, DefaultKeepAlive)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, "TCP_KEEPINTVL", seconds(o.KeepAliveInterval, DefaultKeepAliveInterval)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, "TCP_KEEPCNT", int64(orDefault(o.KeepAliveCount, DefaultKeepAliveCount))},
	} {
		if err := setInt(fd, opt.level, opt.opt, opt.name, opt.value); err != nil {
			return err
		}
	}
	return nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// seconds is in the unit of the kernel's keepalive times.
func seconds(d, otherwise time.Duration) int64 {
	return roundUp(orDefault(d, otherwise), time.Second)
}

// roundUp counts d in whole units, so that a short time never becomes none.
func roundUp(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}

func setInt(fd, level, opt int, name string, value int64) error {
	err := error(unix.EINVAL)
	if value >= math.MinInt32 && value <= math.MaxInt32 {
		err = unix.SetsockoptInt(fd, level, opt, int(value))
	}
	if err != nil {
		return &OptionError{name, strconv.FormatInt(value, 10), err}
	}
	return nil
}

// setBuffer sets the size of a buffer and looks at what came of it: above the
// limit of the machine the kernel grants less without a word. It doubles the
// number for its own bookkeeping and reports the double.
func setBuffer(fd, opt int, name, sysctl string, size int) error {
	if size == 0 {
		return nil
	}
	if size < 0 {
		return &OptionError{name, strconv.Itoa(size), unix.EINVAL}
	}
	if err := setInt(fd, unix.SOL_SOCKET, opt, name, int64(size)); err != nil {
		return err
	}
	granted, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, opt)
	if err == nil && granted/2 < size {
		err = fmt.Errorf("the kernel grants %d bytes, see %s: %w", granted/2, sysctl, unix.ENOBUFS)
	}
	if err != nil {
		return &OptionError{name, strconv.Itoa(size), err}
	}
	return nil
}
