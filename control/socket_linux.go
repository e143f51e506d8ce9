package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// socket is a Unix socket that has a name in a directory.
//
// Its making leaves no gap for anybody. The directory is opened first and checked
// by its descriptor, and all goes on relative to that (/proc/self/fd/N), so it
// cannot be exchanged meanwhile. The mode of the socket is set before bind, which
// gives it to the file that it makes (less the umask, so it can only be stricter
// at first). It is bound under a name that nobody looks at, and renamed when it
// listens: who sees PID.sock can connect, and one that refuses is left over from a
// process that has ended. Only who holds the directory's lock renames or removes.
type socket struct {
	*net.UnixListener
	path string
	name string
	dir  *os.File
	file fileID // what we have made, in case somebody replaces it
}

type fileID struct{ dev, ino uint64 }

const (
	socketMode = 0o600
	suffix     = ".sock"
	unready    = ".new" // follows the name of a socket that does not listen yet
)

// openSocket makes the socket of process pid.
func openSocket(dir string, pid int) (s *socket, err error) {
	d, err := openDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			d.Close()
		}
	}()
	unlock, err := lock(d)
	if err != nil {
		return nil, err
	}
	defer unlock()
	sweep(d)
	s = &socket{dir: d, name: strconv.Itoa(pid) + suffix}
	s.path = filepath.Join(dir, s.name)
	if alive(within(d, s.name)) {
		return nil, fmt.Errorf("%w: %s", ErrInUse, s.path)
	}
	temporary := "." + s.name + "." + rand.Text() + unready
	set := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) { err = unix.Fchmod(int(fd), socketMode) }), err)
	}}
	l, err := set.Listen(context.Background(), "unix", within(d, temporary))
	if err != nil {
		return nil, fmt.Errorf("control: %s: %w", s.path, err)
	}
	s.UnixListener = l.(*net.UnixListener)
	s.SetUnlinkOnClose(false) // its name changes
	at := int(d.Fd())
	fail := func(what string, err error) (*socket, error) {
		_ = unix.Unlinkat(at, temporary, 0)
		s.UnixListener.Close()
		return nil, fmt.Errorf("control: %s: %s: %w", s.path, what, err)
	}
	if err = unix.Fchmodat(at, temporary, socketMode, 0); err != nil { // the umask has its say in bind
		return fail("chmod", err)
	}
	if s.file, err = identify(d, temporary); err != nil {
		return fail("stat", err)
	}
	if err = unix.Renameat(at, temporary, at, s.name); err != nil {
		return fail("rename", err)
	}
	return s, nil
}

// close removes the socket, unless another one has its name.
func (s *socket) close() error {
	err := s.UnixListener.Close()
	if unlock, e := lock(s.dir); e != nil {
		err = errors.Join(err, e)
	} else {
		if id, e := identify(s.dir, s.name); e == nil && id == s.file {
			err = errors.Join(err, unix.Unlinkat(int(s.dir.Fd()), s.name, 0))
		}
		unlock()
	}
	return errors.Join(err, s.dir.Close())
}

// openDir opens a directory that is this user's alone, and makes it if need be.
func openDir(dir string) (*os.File, error) {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("control: %w", err)
	}
	d, err := os.OpenFile(dir, unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	var st unix.Stat_t
	switch err := unix.Fstat(int(d.Fd()), &st); {
	case err != nil:
		err = fmt.Errorf("control: %s: fstat: %w", dir, err)
		return nil, errors.Join(err, d.Close())
	case int(st.Uid) != os.Geteuid():
		err = fmt.Errorf("%w: %s belongs to uid %d, not to %d", ErrUnsafe, dir, st.Uid, os.Geteuid())
		return nil, errors.Join(err, d.Close())
	case st.Mode&0o077 != 0:
		err = fmt.Errorf("%w: %s has mode %#o, want 0700", ErrUnsafe, dir, st.Mode&0o777)
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// lockTime bounds how long another process may take that makes its socket.
const lockTime = 5 * time.Second

// lock keeps other processes from changing what is in d.
func lock(d *os.File) (unlock func(), err error) {
	for until := time.Now().Add(lockTime); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(int(d.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = unix.Flock(int(d.Fd()), unix.LOCK_UN) }, nil
		case err == unix.EINTR, err == unix.EWOULDBLOCK && time.Now().Before(until):
		default:
			return nil, fmt.Errorf("control: %s: flock: %w", d.Name(), err)
		}
	}
}

// within is a path to a file in d, wherever d is now, and short: the path of a Unix
// socket has at most 107 bytes.
func within(d *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), name)
}

func identify(d *os.File, name string) (fileID, error) {
	var st unix.Stat_t
	err := unix.Fstatat(int(d.Fd()), name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return fileID{uint64(st.Dev), st.Ino}, err
}

// alive reports whether somebody listens at path. A socket whose process has ended
// refuses; one whose queue is full has no room just now. The kernel says which at
// once, and no clock is asked: where threads wait long for a CPU, time that has
// passed tells nothing about the socket.
func alive(path string) bool {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return true // not known: nobody's socket is taken away
	}
	defer unix.Close(fd)
	for {
		switch err := unix.Connect(fd, &unix.SockaddrUnix{Name: path}); err {
		case unix.EINTR:
		case unix.ECONNREFUSED, unix.ENOENT, unix.ENOTSOCK:
			return false
		default:
			return true
		}
	}
}

// sweep removes what processes have left behind that are gone. What cannot be
// removed stays: it is in nobody's way.
func sweep(d *os.File) {
	for name := range entries(d) {
		pid, _ := strconv.Atoi(strings.Split(strings.TrimPrefix(name, "."), ".")[0])
		dead := pid > 0 && unix.Kill(pid, 0) == unix.ESRCH
		if dead && !alive(within(d, name)) {
			_ = unix.Unlinkat(int(d.Fd()), name, 0)
		}
	}
}

// entries are the names in d that may be sockets of ours.
func entries(d *os.File) map[string]bool {
	found := make(map[string]bool)
	again, err := os.ReadDir(fmt.Sprintf("/proc/self/fd/%d", d.Fd()))
	if err != nil {
		return nil
	}
	for _, e := range again {
		name := e.Name()
		_, ours := pidOf(name)
		if e.Type() == os.ModeSocket && (ours || strings.HasPrefix(name, ".") && strings.HasSuffix(name, unready)) {
			found[name] = true
		}
	}
	return found
}

// peerOf asks the kernel who has connected, as it was then.
func peerOf(c *net.UnixConn) (p peer, err error) {
	p.uid = -1
	raw, err := c.SyscallConn()
	if err != nil {
		return p, err
	}
	var cred *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) {
		cred, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return p, err
	}
	if asked != nil {
		return p, fmt.Errorf("control: SO_PEERCRED: %w", asked)
	}
	p = peer{uid: int(cred.Uid), pid: int(cred.Pid)}
	if name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.pid)); err == nil {
		p.command = strings.TrimSpace(string(name))
	}
	return p, nil
}

// dial connects to the socket at path, which may be longer than the address of a
// socket can be.
func dial(ctx context.Context, path string) (net.Conn, error) {
	d, err := os.OpenFile(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	var to net.Dialer
	c, err := to.DialContext(ctx, "unix", within(d, filepath.Base(path)))
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // without the path that nobody knows
	}
	return c, err
}
