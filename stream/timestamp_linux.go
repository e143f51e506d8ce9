package stream

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setTimestamps switches receive times on.
func setTimestamps(fd int, t Timestamps) error {
	flags := unix.SOF_TIMESTAMPING_RX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE
	switch t {
	case TimestampsOff:
		return nil
	case TimestampsSoftware:
	case TimestampsHardware:
		flags |= unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
	default:
		return &OptionError{"SO_TIMESTAMPING", strconv.Itoa(int(t)), unix.EINVAL}
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, flags); err != nil {
		return &OptionError{"SO_TIMESTAMPING", t.String(), err}
	}
	return nil
}

// stampOf finds the stamps among control messages; zero where there are none, or
// where they were cut short.
func stampOf(control []byte) Stamp {
	for len(control) >= unix.SizeofCmsghdr {
		h := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(control)))
		size := uint64(h.Len)
		if size < unix.SizeofCmsghdr || size > uint64(len(control)) {
			break
		}
		data := control[unix.SizeofCmsghdr:size]
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPING && len(data) >= int(unsafe.Sizeof(unix.ScmTimestamping{})) {
			// The second of the three has long been out of use.
			ts := &(*unix.ScmTimestamping)(unsafe.Pointer(unsafe.SliceData(data))).Ts
			return Stamp{Software: ts[0].Nano(), Hardware: ts[2].Nano()}
		}
		control = control[min(unix.CmsgSpace(len(data)), len(control)):]
	}
	return Stamp{}
}

// checkHardware fails if it is known that the interface which a socket receives
// on will not stamp packets.
func checkHardware(fd int, local netip.Addr) error {
	name := receivingInterface(fd, local)
	if name == "" {
		return nil
	}
	return hardwareStamps(fd, name)
}

// HardwareTimestamps asks whether a network interface stamps the packets that it
// receives, as TimestampsHardware needs it: nil when it does, and when it does
// not say. The *OptionError says what is missing; it is EOPNOTSUPP when the
// interface cannot or was not told to, ENODEV when there is none of that name. It
// needs no privilege and may be called on any goroutine; it allocates.
func HardwareTimestamps(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("stream: %w", os.NewSyscallError("socket", err))
	}
	return errors.Join(hardwareStamps(fd, name), unix.Close(fd))
}

func hardwareStamps(fd int, name string) error {
	refuse := func(why string, errno unix.Errno) error {
		return &OptionError{"SO_TIMESTAMPING", TimestampsHardware.String(), fmt.Errorf("interface %s %s: %w", name, why, errno)}
	}
	const needed = unix.SOF_TIMESTAMPING_RX_HARDWARE | unix.SOF_TIMESTAMPING_RAW_HARDWARE
	info, err := unix.IoctlGetEthtoolTsInfo(fd, name)
	switch {
	case err == unix.ENODEV || err == unix.EINVAL: // EINVAL: no name at all, or a longer one than there are
		return refuse("is not there", unix.ENODEV)
	case err == nil && info.So_timestamping&needed != needed:
		return refuse("cannot stamp what it receives", unix.EOPNOTSUPP)
	}
	if config, err := unix.IoctlGetHwTstamp(fd, name); err == nil && config.Rx_filter == unix.HWTSTAMP_FILTER_NONE {
		return refuse("was not told to stamp what it receives (hwstamp_ctl -i "+name+" -r 1)", unix.EOPNOTSUPP)
	}
	return nil
}

// receivingInterface is the one that the socket is bound to, or the one that has
// its address; "" when that does not tell.
func receivingInterface(fd int, local netip.Addr) string {
	if name, err := unix.GetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE); err == nil && name != "" {
		return name
	}
	interfaces, err := net.Interfaces()
	if err != nil || !local.IsValid() {
		return ""
	}
	for _, i := range interfaces {
		loopback := i.Flags&net.FlagLoopback != 0
		if loopback && local.IsLoopback() {
			return i.Name
		}
		if loopback || local.Zone() != "" && local.Zone() != i.Name {
			continue // an address of this kind is reached through other interfaces
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr() == local.WithZone("") {
				return i.Name
			}
		}
	}
	return ""
}

// Timestamps implements [Stamped].
func (t *TCP) Timestamps() Timestamps {
	if t.receiver == nil {
		return TimestampsOff
	}
	return t.receiver.timestamps
}

// Stamp implements [Stamped].
func (t *TCP) Stamp() Stamp {
	if t.receiver == nil {
		return Stamp{}
	}
	return t.receiver.stamp
}

var _ Stamped = (*TCP)(nil)
