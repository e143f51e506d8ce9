package stream

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// receiver makes the reads of a TCP stream that are to do more than bring bytes.
// A stream without it pays a branch.
//
//	Timestamps   recvmsg in place of recv, with room for the kernel's stamps
//	QuickAck     TCP_QUICKACK again behind each read that brought bytes
type receiver struct {
	timestamps Timestamps
	quickAck   bool
	stamp      Stamp
	control    [16]uint64 // words, for the alignment: two messages of stamps
}

// newReceiver sets the options that a receiver serves; nil when there are none.
func newReceiver(fd int, o *Options, local netip.Addr) (*receiver, error) {
	if o == nil || o.Timestamps == TimestampsOff && !o.QuickAck {
		return nil, nil
	}
	if err := setTimestamps(fd, o.Timestamps); err != nil {
		return nil, err
	}
	if o.Timestamps == TimestampsHardware {
		if err := checkHardware(fd, local); err != nil {
			return nil, err
		}
	}
	if o.QuickAck {
		if err := setInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, "TCP_QUICKACK", 1); err != nil {
			return nil, err
		}
	}
	return &receiver{timestamps: o.Timestamps, quickAck: o.QuickAck}, nil
}

// recv is the function recv with the receiver's extras.
func (r *receiver) recv(fd int, p []byte) (n int, errno syscall.Errno) {
	if r.timestamps == TimestampsOff {
		n, errno = recv(fd, p)
	} else {
		n, errno = r.recvmsg(fd, p)
	}
	if n > 0 && r.quickAck {
		// It was accepted at set-up; what can fail now is the connection, and
		// the next read tells that.
		one := int32(1)
		syscall.RawSyscall6(syscall.SYS_SETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK,
			uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one), 0)
	}
	return n, errno
}

// recvmsg reads once and takes the stamp of what came. Like recv it never blocks.
func (r *receiver) recvmsg(fd int, p []byte) (int, syscall.Errno) {
	// On the stack, so that p need not escape.
	iov := unix.Iovec{Base: unsafe.SliceData(p)}
	iov.SetLen(len(p))
	for {
		msg := unix.Msghdr{Iov: &iov, Iovlen: 1, Control: (*byte)(unsafe.Pointer(&r.control))}
		msg.SetControllen(int(unsafe.Sizeof(r.control)))
		n, _, errno := syscall.RawSyscall(syscall.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), syscall.MSG_DONTWAIT)
		switch errno {
		case 0:
			if n > 0 {
				r.stamp = stampOf(unsafe.Slice((*byte)(unsafe.Pointer(&r.control)), unsafe.Sizeof(r.control))[:msg.Controllen])
			}
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
