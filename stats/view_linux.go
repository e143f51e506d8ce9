package stats

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// source is the file that a View reads.
type source struct{ fd int }

func (s source) stale() bool { return abandoned(s.fd) }

// Attach opens a counters file for reading, also one that its process has left
// behind. Process.Path of List is such a path. ErrFormat, ErrVersion: it cannot
// be read. Close the View when it is no longer needed.
func Attach(path string) (*View, error) {
	fd, err := openFile(path)
	if err != nil {
		return nil, err
	}
	v := &View{path: path, source: source{fd}}
	if err := v.begin(); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return v, nil
}

// begin reads the header from the file, before any of it is mapped.
func (v *View) begin() error {
	var h fileHeader
	n, err := unix.Pread(v.source.fd, bytesOf(&h), 0)
	if err != nil {
		return fmt.Errorf("stats: %w", &os.PathError{Op: "read", Path: v.path, Err: err})
	}
	size, err := v.fileSize()
	if err != nil {
		return err
	}
	if err := h.check(v.path, n, size); err != nil {
		return err
	}
	return v.cover(h.used.Load())
}

func (v *View) fileSize() (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(v.source.fd, &st); err != nil {
		return 0, fmt.Errorf("stats: %w", &os.PathError{Op: "fstat", Path: v.path, Err: err})
	}
	return st.Size, nil
}

// cover maps the file as far as it is used.
func (v *View) cover(used uint64) error {
	if used <= uint64(len(v.mapped)) {
		return nil
	}
	size, err := v.fileSize()
	if err != nil {
		return err
	}
	if size > MaxFileSize || used > uint64(size) {
		return fmt.Errorf("%w: %s: %d bytes in use, the file has %d", ErrFormat, v.path, used, size)
	}
	mapped, err := unix.Mmap(v.source.fd, 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("stats: %s: mmap of %d bytes: %w", v.path, size, err)
	}
	if v.mapped != nil {
		_ = unix.Munmap(v.mapped)
	}
	v.mapped = mapped
	return nil
}

// Close lets go of the file. Closing twice does nothing.
func (v *View) Close() error {
	if v.mapped == nil {
		return nil
	}
	err := unix.Munmap(v.mapped)
	v.mapped = nil
	unix.Close(v.source.fd)
	if err != nil {
		return fmt.Errorf("stats: %s: %w", v.path, os.NewSyscallError("munmap", err))
	}
	return nil
}
