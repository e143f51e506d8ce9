package stats

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// backing is what a File keeps of its file. The descriptor stays open for its
// lock, which says that the process lives: the kernel drops it with the last copy
// of the descriptor, however the process ends, and a successor with the same PID
// does not hold it.
type backing struct {
	fd int
}

// created is set while this process has a counters file.
var created atomic.Bool

// memoryName is the name of a counters file that is in no directory.
const memoryName = "boomnet-stats"

// Create makes the counters file of this process, 0600, in a file system that is
// in memory, for on a disk write-back would stall a store now and then. Where the
// directory is on a disk the file is a memfd, and in the directory is only a link
// to it. Its memory is there before it is used: a store takes no page fault.
//
// Files of processes of the same user that have ended are removed from the
// directory first. Two files at a time are an error, ErrCreated.
func Create(cfg FileConfig) (*File, error) {
	if cfg.Dir == "" {
		cfg.Dir = Dir()
	}
	if cfg.Name == "" {
		cfg.Name = filepath.Base(os.Args[0])
	}
	if cfg.MaxSize == 0 {
		cfg.MaxSize = DefaultFileSize
	}
	if cfg.MaxSize < MinFileSize || cfg.MaxSize > MaxFileSize {
		return nil, fmt.Errorf("stats: MaxSize %d is not between %d and %d", cfg.MaxSize, MinFileSize, int64(MaxFileSize))
	}
	if err := MakeDir(cfg.Dir); err != nil {
		return nil, err
	}
	if !created.CompareAndSwap(false, true) {
		return nil, ErrCreated
	}
	f, err := create(cfg)
	if err != nil {
		created.Store(false)
		return nil, err
	}
	return f, nil
}

func create(cfg FileConfig) (f *File, err error) {
	if err := removeStale(cfg.Dir); err != nil {
		return nil, err
	}
	f = &File{max: cfg.MaxSize / pageSize * pageSize, free: make(map[int][]*extent), backing: backing{fd: -1}}
	defer func() {
		if err != nil {
			f.abandon()
		}
	}()
	// The file gets its name when it is complete and locked.
	onDisk := !inMemory(cfg.Dir)
	if onDisk {
		f.backing.fd, err = unix.MemfdCreate(memoryName, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			return nil, fmt.Errorf("stats: %w", os.NewSyscallError("memfd_create", err))
		}
		// Nobody can take pages away under our stores.
		if _, err := unix.FcntlInt(uintptr(f.backing.fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK); err != nil {
			return nil, fmt.Errorf("stats: %w", os.NewSyscallError("fcntl F_ADD_SEALS", err))
		}
	} else {
		f.backing.fd, err = unix.Open(cfg.Dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return nil, fmt.Errorf("stats: a file in %s: %w", cfg.Dir, os.NewSyscallError("open", err))
		}
	}
	f.path = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.backing.fd)
	if err := unix.Flock(f.backing.fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("stats: %s: %w", f.path, os.NewSyscallError("flock", err))
	}
	f.mapped, err = unix.Mmap(f.backing.fd, 0, int(f.max), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("stats: %s: mmap of %d bytes: %w", f.path, f.max, err)
	}
	first := int(min(pieceSize, f.max))
	if err := f.grow(0, first); err != nil {
		return nil, fmt.Errorf("stats: counters file in %s, %d bytes: %w", cfg.Dir, first, err)
	}
	f.size = first
	f.begin(os.Getpid(), cfg.Name)
	f.path, err = publish(cfg.Dir, f.path, onDisk)
	return f, err
}

const fileSuffix = ".stats"

// publish gives the file at, an entry of /proc, its name: PID.stats, or PID-2.stats
// and so on where that is taken by a process of another PID namespace with the
// same directory. A file on a disk is a link to it.
func publish(dir, at string, onDisk bool) (path string, err error) {
	const most = 64
	for i := 1; i <= most; i++ {
		path = filepath.Join(dir, strconv.Itoa(os.Getpid()))
		if i > 1 {
			path += "-" + strconv.Itoa(i)
		}
		path += fileSuffix
		if onDisk {
			err = unix.Symlink(at, path)
		} else {
			err = unix.Linkat(unix.AT_FDCWD, at, unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
		}
		if err == nil {
			return path, nil
		}
		if err != unix.EEXIST {
			break
		}
	}
	return "", fmt.Errorf("stats: %w", &os.LinkError{Op: "link", Old: at, New: path, Err: err})
}

// grow makes the file longer: its memory is there and mapped when it returns, so
// that no store meets a page fault, or a file system without room.
func (f *File) grow(from, to int) error {
	if err := unix.Fallocate(f.backing.fd, 0, int64(from), int64(to-from)); err != nil {
		return os.NewSyscallError("fallocate", err)
	}
	if err := unix.Madvise(f.mapped[from:to], unix.MADV_POPULATE_WRITE); err != nil { // Linux < 5.14
		for at := from; at < to; at += pageSize {
			*(*uint64)(unsafe.Pointer(&f.mapped[at])) = 0 // nobody uses it yet
		}
	}
	return nil
}

// Close removes the file. Cells may be used for as long as one likes: readers
// that have attached go on to see those that are not freed, and find the process
// Stale; new ones find no file.
// The address space stays reserved, because cells point there; the memory is
// given back when all Blocks have been freed. Close of nil does nothing.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	closed := f.closed
	f.closed = true
	f.mu.Unlock()
	if closed {
		return nil
	}
	err := os.Remove(f.path)
	unix.Close(f.backing.fd) // and the lock with it
	f.process.Free()
	created.Store(false)
	if err != nil {
		return fmt.Errorf("stats: %w", err)
	}
	return nil
}

// retire gives the memory back when nobody needs it. f is locked.
func (f *File) retire() {
	if !f.closed || f.live > 0 {
		return
	}
	// A cell of a freed Block that somebody still reads has memory, of nobody's.
	_, _ = unix.MmapPtr(-1, 0, unsafe.Pointer(&f.mapped[0]), uintptr(f.max),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS|unix.MAP_NORESERVE|unix.MAP_FIXED)
}

// abandon undoes a Create that has failed.
func (f *File) abandon() {
	if f.mapped != nil {
		_ = unix.Munmap(f.mapped)
	}
	if f.backing.fd >= 0 {
		unix.Close(f.backing.fd)
	}
}

// removeStale removes the files of processes that have ended. Those of others,
// and what cannot be removed, stay.
func removeStale(dir string) error {
	processes, err := List(dir)
	if err != nil {
		return err
	}
	for _, p := range processes {
		if p.Stale {
			_ = os.Remove(p.Path)
		}
	}
	return nil
}

// openFile opens a counters file for reading, or says in the error what is wrong.
func openFile(path string) (fd int, err error) {
	if to, err := os.Readlink(path); err == nil { // of a memfd
		var pid, n int
		if c, err := fmt.Sscanf(to, "/proc/%d/fd/%d", &pid, &n); err != nil || c != 2 {
			return -1, fmt.Errorf("%w: %s is a link to %s", ErrFormat, path, to)
		}
		fd, err = unix.Open(fmt.Sprintf("/proc/%d/fd/%d", pid, n), unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return -1, fmt.Errorf("stats: %w", &os.PathError{Op: "open", Path: path, Err: err})
		}
	} else if fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0); err != nil {
		return -1, fmt.Errorf("stats: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = fmt.Errorf("%w: %s is not a regular file", ErrFormat, path)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// abandoned reports whether the process that made the file has ended.
func abandoned(fd int) bool {
	if unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB) != nil {
		return false
	}
	_ = unix.Flock(fd, unix.LOCK_UN)
	return true
}
