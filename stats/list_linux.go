package stats

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// List finds the counters files in a directory, "" for Dir(), those of processes
// that have ended included. A directory that is not there has none. It does not
// touch the processes.
func List(dir string) ([]Process, error) {
	if dir == "" {
		dir = Dir()
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return nil, nil
		}
		return nil, fmt.Errorf("stats: %w", err)
	}
	var list []Process
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), fileSuffix) {
			continue
		}
		if p, there := inspect(filepath.Join(dir, e.Name())); there {
			list = append(list, p)
		}
	}
	return list, nil
}

// inspect reads who made a file. It is not there when it has just gone.
func inspect(path string) (p Process, there bool) {
	p.Path = path
	fd, err := openFile(path)
	if err != nil {
		// A link to a memfd whose process has ended leads nowhere.
		_, linked := os.Readlink(path)
		p.Stale = linked == nil && (errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH))
		p.Err = err
		return p, linked == nil || !errors.Is(err, os.ErrNotExist)
	}
	defer unix.Close(fd)
	p.Stale = abandoned(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		p.Err = fmt.Errorf("stats: %w", &os.PathError{Op: "fstat", Path: path, Err: err})
		return p, true
	}
	var h fileHeader
	n, err := unix.Pread(fd, bytesOf(&h), 0)
	if err != nil {
		p.Err = fmt.Errorf("stats: %w", &os.PathError{Op: "read", Path: path, Err: err})
		return p, true
	}
	if p.Err = h.check(path, n, st.Size); p.Err == nil {
		h.describe(&p)
	}
	return p, true
}

// AttachPID attaches to the running process with this PID, by its file in dir, ""
// for Dir(). ErrNoProcess: there is none.
func AttachPID(dir string, pid int) (*View, error) {
	if dir == "" {
		dir = Dir()
	}
	list, err := List(dir)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.PID == pid && !p.Stale && p.Err == nil {
			return Attach(p.Path)
		}
	}
	// Its file may be there and unreadable: then that is the reason.
	prefix := fmt.Sprintf("%d", pid)
	for _, p := range list {
		name := strings.TrimSuffix(filepath.Base(p.Path), fileSuffix)
		if p.Err != nil && !p.Stale && (name == prefix || strings.HasPrefix(name, prefix+"-")) {
			return nil, p.Err
		}
	}
	return nil, fmt.Errorf("%w: PID %d in %s", ErrNoProcess, pid, dir)
}
