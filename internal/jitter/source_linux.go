package jitter

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/clock"
)

// threadSource reads what the kernel and the runtime count of the thread that
// calls. Its system calls are raw ones, of which the scheduler does not know:
// looking must not be what makes gaps.
type threadSource struct {
	clock.Monotonic
	cpu        int // of which to read what is beneath; -1: the current one
	stops      *stopCounter
	signals    tripwire
	interrupts *procFile // nil: not to be had
	stat       *procFile
}

// newThreadSource opens what there is to read, on any goroutine.
func newThreadSource(cpu int) (*threadSource, error) {
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &usage); err != nil {
		return nil, fmt.Errorf("jitter: getrusage of the thread: %w", err)
	}
	if _, err := affinity.Current(); err != nil {
		return nil, err
	}
	s := &threadSource{cpu: cpu, stops: newStopCounter()}
	// A container may hide these: gaps then have no finer cause than Interrupt.
	s.interrupts, _ = openProc("/proc/interrupts")
	s.stat, _ = openProc("/proc/stat")
	return s, nil
}

func (s *threadSource) close() {
	s.interrupts.close()
	s.stat.close()
}

// Read implements source.
func (s *threadSource) Read(c *Counters) {
	var usage unix.Rusage
	// Neither can fail: both were tried.
	_ = unix.Getrusage(unix.RUSAGE_THREAD, &usage)
	c.CPU, _ = affinity.Current()
	c.Voluntary, c.Involuntary = usage.Nvcsw, usage.Nivcsw
	c.Faults = usage.Minflt + usage.Majflt
	c.Signals = s.signals.count()
	c.P = currentP()
	c.GCStops, c.OtherStops = s.stops.read()
}

// ReadBeneath implements source.
func (s *threadSource) ReadBeneath(b *Beneath) bool {
	cpu := s.cpu
	if cpu < 0 {
		var err error
		if cpu, err = affinity.Current(); err != nil {
			return false
		}
	}
	text := s.interrupts.read()
	if text == nil {
		return false
	}
	b.Interrupts = 0
	eachInterrupt(text, cpu, func(_, _ []byte, count int64) { b.Interrupts += count })
	b.Steal = stealTicks(s.stat.read(), cpu)
	return true
}

// procFile is a file of /proc that is read again and again.
type procFile struct {
	fd  int
	buf []byte
}

// Sizes of what is read of /proc, in bytes. A machine with 256 CPUs has 1 MiB of
// interrupts.
const (
	firstProc = 64 << 10
	maxProc   = 16 << 20
)

func openProc(path string) (*procFile, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	f := &procFile{fd: fd, buf: make([]byte, firstProc)}
	f.read() // it is as large as it gets now, and mapped
	return f, nil
}

// read is the whole text, valid until the next read; nil when there is none.
func (f *procFile) read() []byte {
	if f == nil {
		return nil
	}
	for n := 0; ; {
		m, err := rawPread(f.fd, f.buf[n:], int64(n))
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil
		case m == 0:
			return f.buf[:n]
		}
		if n += m; n == len(f.buf) {
			if n >= maxProc {
				return nil
			}
			f.buf = append(f.buf, make([]byte, n)...)
		}
	}
}

func (f *procFile) close() {
	if f != nil {
		unix.Close(f.fd)
	}
}

// threadID is the id of the calling thread.
func threadID() int { return unix.Gettid() }

var schedstat = []byte("/proc/thread-self/schedstat\x00")

// runDelayOfThread is for how long the calling thread was ready to run and did not,
// since it began, in nanoseconds; 0 when the kernel does not tell.
func runDelayOfThread() int64 {
	fd, _, errno := unix.RawSyscall6(unix.SYS_OPENAT, 0, uintptr(unsafe.Pointer(&schedstat[0])), unix.O_RDONLY|unix.O_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return 0
	}
	var buf [128]byte
	n, err := rawPread(int(fd), buf[:], 0)
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	if err != nil {
		return 0
	}
	return runDelay(buf[:n])
}

// rawPread is pread(2) as a raw system call: /proc does not block.
func rawPread(fd int, p []byte, offset int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_PREAD64, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)), uintptr(offset), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
