package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/internal/unprivileged"
	"github.com/boomnet-go/boomnet/reactor"
)

// raw is a connection to a server without a Client.
type raw struct {
	t *testing.T
	net.Conn
	in *bufio.Reader
}

func (b *bench) raw() *raw {
	b.t.Helper()
	c, err := dial(b.t.Context(), b.server.Path())
	require.NoError(b.t, err)
	b.t.Cleanup(func() { c.Close() })
	require.NoError(b.t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return &raw{b.t, c, bufio.NewReader(c)}
}

func (r *raw) send(s string) {
	r.t.Helper()
	_, err := io.WriteString(r, s)
	require.NoError(r.t, err)
}

func (r *raw) line() string {
	r.t.Helper()
	s, err := r.in.ReadString('\n')
	require.NoError(r.t, err, s)
	return s
}

// ended requires that the server hangs up.
func (r *raw) ended() {
	r.t.Helper()
	_, err := r.in.ReadByte()
	if !errors.Is(err, unix.ECONNRESET) { // it had not read all
		require.ErrorIs(r.t, err, io.EOF)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	require.NoError(t, err)
	return info.Mode()
}

func TestPermissions(t *testing.T) {
	for _, umask := range []int{0, 0o022, 0o177, 0o777} {
		t.Run(fmt.Sprintf("%#o", umask), func(t *testing.T) {
			parent := t.TempDir()
			require.NoError(t, os.Mkdir(parent+"/boomnet", 0o700))
			was := unix.Umask(umask)
			defer unix.Umask(was) // also when it fails
			b := newBench(t, func(c *Config) { c.Dir = parent + "/boomnet" }, "md")
			unix.Umask(was)
			require.Equal(t, os.ModeSocket|0o600, mode(t, b.server.Path()))
			b.dial()
		})
	}
	b := newBench(t, nil, "md")
	require.Equal(t, os.ModeDir|0o700, mode(t, filepath.Dir(b.server.Path())))
	require.Equal(t, strconv.Itoa(os.Getpid())+".sock", filepath.Base(b.server.Path()))
}

// At no moment is there a socket that others may use, or one that does not listen
// under the name that is looked for.
func TestNothingIsSeenTooEarly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boomnet")
	require.NoError(t, os.Mkdir(dir, 0o700))
	was := unix.Umask(0)
	defer unix.Umask(was)
	var watching sync.WaitGroup
	defer watching.Wait()
	done := make(chan struct{})
	defer close(done)
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			found, err := os.ReadDir(dir)
			if err != nil {
				t.Error(err)
				return
			}
			for _, e := range found {
				if info, err := e.Info(); err == nil && info.Mode() != os.ModeSocket|0o600 {
					t.Errorf("%s has mode %v", e.Name(), info.Mode())
				}
			}
			c, err := net.Dial("unix", PathOf(dir, os.Getpid()))
			if err == nil {
				c.Close()
			} else if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EAGAIN) {
				// Refused: it is being closed, and about to be removed.
				if _, e := os.Lstat(PathOf(dir, os.Getpid())); !errors.Is(err, unix.ECONNREFUSED) || e != nil && !os.IsNotExist(e) {
					t.Error(err)
				}
			}
		}
	})
	for range 100 {
		s, err := Listen(Config{Dir: dir, Find: func() []*reactor.Reactor { return nil }})
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestUnsafeDirectories(t *testing.T) {
	listen := func(dir string) error {
		s, err := Listen(Config{Dir: dir, Find: func() []*reactor.Reactor { return nil }})
		if err == nil {
			s.Close()
		}
		return err
	}
	parent := t.TempDir()
	open := filepath.Join(parent, "open")
	require.NoError(t, os.Mkdir(open, 0o755))
	err := listen(open)
	require.ErrorIs(t, err, ErrUnsafe)
	require.ErrorContains(t, err, "has mode 0755, want 0700")

	require.NoError(t, os.Chmod(open, 0o700))
	require.NoError(t, listen(open))
	link := filepath.Join(parent, "link")
	require.NoError(t, os.Symlink(open, link))
	require.Error(t, listen(link), "a link may be somebody else's")

	file := filepath.Join(parent, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.ErrorIs(t, listen(file), unix.ENOTDIR)
	require.ErrorIs(t, listen(filepath.Join(parent, "a", "b")), os.ErrNotExist)

	// Somebody else's: root can give one away, others know one of root's.
	foreign := "/proc/1"
	if os.Geteuid() == 0 {
		foreign = filepath.Join(parent, "foreign")
		require.NoError(t, os.Mkdir(foreign, 0o700))
		require.NoError(t, os.Chown(foreign, 65534, 65534))
	}
	err = listen(foreign)
	require.ErrorIs(t, err, ErrUnsafe)
	require.ErrorContains(t, err, "belongs to uid")
}

// Another user is told no, even if the directory and the socket would let him in.
func TestOtherUsersAreRefused(t *testing.T) {
	b := newBench(t, nil, "md")
	uid := 65534
	if os.Geteuid() != 0 { // then it is the server that is another's
		uid = os.Geteuid()
		b.server.uid = uid + 1
	}
	dir := filepath.Dir(b.server.Path())
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	require.NoError(t, os.Chmod(b.server.Path(), 0o666))
	var said []byte
	require.NoError(t, unprivileged.RunAs(uid, func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Connect(fd, &unix.SockaddrUnix{Name: b.server.Path()}); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		_, _ = unix.Write(fd, []byte(`{"do":"drop","endpoint":"x"}`+"\n")) // it may be too late
		var part [256]byte
		for {
			n, err := unix.Read(fd, part[:])
			if said = append(said, part[:max(n, 0)]...); n <= 0 {
				if err == unix.ECONNRESET {
					return nil
				}
				return err
			}
		}
	}))
	var a answer
	require.NoError(t, json.Unmarshal(said, &a), "%s", said)
	require.Equal(t, Forbidden, a.Code)
	require.Equal(t, fmt.Sprintf("control: uid %d may not: this is for uid %d and root", uid, b.server.uid), a.Error)
	e := b.last()
	require.Equal(t, uid, e.UID)
	require.Equal(t, os.Getpid(), e.PID)
	require.Equal(t, "connect", e.Do)
	require.Error(t, e.Err)
	require.Len(t, b.events, 1, "the request was not looked at")
}

// With the permissions as they are another user does not get as far as that.
func TestOtherUsersCannotConnect(t *testing.T) {
	if os.Geteuid() != 0 {
		return // it cannot be another one: the modes are looked at in TestPermissions
	}
	b := newBench(t, nil, "md")
	for d := filepath.Dir(b.server.Path()); d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		require.NoError(t, os.Chmod(d, 0o755))
	}
	err := unprivileged.RunAs(65534, func() error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Connect(fd, &unix.SockaddrUnix{Name: b.server.Path()})
	})
	require.ErrorIs(t, err, unix.EACCES)
}

func TestGarbage(t *testing.T) {
	b := newBench(t, nil, "md")
	r := b.raw()
	require.Contains(t, r.line(), `{"control":1,`)
	for _, garbage := range []string{"\n", "GET / HTTP/1.1\r\n", "\x00\xff\n", `{"do":"drop"}` + "\n", `{"do":"rm -rf"}` + "\n", strings.Repeat("[", 3000) + "\n"} {
		r.send(garbage)
		require.Contains(t, r.line(), `"code":"bad_request"`, garbage)
		require.Error(t, b.last().Err)
		require.Empty(t, b.last().Do)
	}
	// Several at once, cut anywhere; it is still in step.
	r.send(`{"do":"dr`)
	r.send(`op"}` + "\n" + `{}` + "\n" + `{"do":"dump","reactor":"x"}` + "\n")
	require.Contains(t, r.line(), `needs \"endpoint\"`)
	require.Contains(t, r.line(), `has no \"do\"`)
	require.Contains(t, r.line(), `"code":"not_found"`)
}

func TestOversizedRequest(t *testing.T) {
	b := newBench(t, nil, "md")
	r := b.raw()
	r.line()
	// As long as may be, newline included.
	fits := `{"do":"dump","reactor":"` + strings.Repeat("x", MaxRequest-len(`{"do":"dump","reactor":""}`+"\n")) + `"}` + "\n"
	require.Len(t, fits, MaxRequest)
	r.send(fits)
	require.Contains(t, r.line(), "no such reactor")
	// One byte more, and the server does not wait for the rest.
	r.send(fits[:MaxRequest-1] + "x")
	require.Contains(t, r.line(), fmt.Sprintf(`"error":"control: the request is longer than %d bytes","code":"bad_request"`, MaxRequest))
	r.ended()
	require.ErrorContains(t, b.last().Err, "longer than")

	_, err := b.dial().Dump(t.Context(), strings.Repeat("x", MaxRequest))
	requireCode(t, err, BadRequest, "longer than")
}

// Who begins a request must end it; who says nothing must go some time; who does not
// read his answer is not waited for. Others are served meanwhile.
func TestSlowClients(t *testing.T) {
	b := newBench(t, func(c *Config) { c.IOTimeout = 500 * time.Millisecond }, "md")
	slow := b.raw()
	slow.line()
	slow.send(`{"do":"du`)
	slow.ended()

	deaf := b.raw()
	require.NoError(t, deaf.Conn.(*net.UnixConn).SetReadBuffer(1024))
	ask := []byte(strings.Repeat(`{"do":"drop"}`+"\n", 100))
	for {
		if _, err := deaf.Write(ask); err != nil {
			require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the server has hung up")
			break
		}
	}
	silent := newBench(t, func(c *Config) { c.IdleTimeout = 50 * time.Millisecond }, "md").raw()
	silent.line()
	silent.ended()

	b.during(func() {
		_, err := b.dial().Dump(t.Context(), "")
		require.NoError(t, err)
	})
}

func TestConnectionsAreBounded(t *testing.T) {
	b := newBench(t, func(c *Config) { c.MaxConns = 2 }, "md")
	first, second := b.raw(), b.raw()
	first.line()
	second.line()
	_, err := Dial(t.Context(), b.server.Path())
	requireCode(t, err, Busy, "control: 2 connections are open already")
	require.NoError(t, first.Close())
	b.until(func() bool { // as soon as the server has seen that
		c, err := Dial(t.Context(), b.server.Path())
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func TestTwoServers(t *testing.T) {
	b := newBench(t, nil, "md")
	again := Config{Dir: b.server.cfg.Dir, Reactors: b.reactors}
	_, err := Listen(again)
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, b.server.Path())
	b.dial() // the first goes on
	other, err := Listen(Config{Dir: b.server.cfg.Dir + "-2", Reactors: b.reactors})
	require.NoError(t, err, "elsewhere is another matter")
	require.NoError(t, other.Close())

	require.NoError(t, b.server.Close())
	require.NoError(t, b.server.Close(), "twice")
	_, err = os.Lstat(b.server.Path())
	require.ErrorIs(t, err, os.ErrNotExist)
	s, err := Listen(again)
	require.NoError(t, err)
	require.NoError(t, s.Close())
}

// Of several that begin at once one succeeds.
func TestRaceOfServers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "boomnet")
	const n = 8
	servers, errs := make([]*Server, n), make([]error, n)
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() {
			servers[i], errs[i] = Listen(Config{Dir: dir, Find: func() []*reactor.Reactor { return nil }})
		})
	}
	running.Wait()
	won := 0
	for i, s := range servers {
		if errs[i] == nil {
			won++
			defer s.Close()
		} else {
			require.ErrorIs(t, errs[i], ErrInUse)
		}
	}
	require.Equal(t, 1, won)
}

// A server whose socket was replaced does not remove that of another.
func TestCloseRemovesOnlyItsOwn(t *testing.T) {
	b := newBench(t, nil, "md")
	require.NoError(t, os.Remove(b.server.Path()))
	second, err := Listen(Config{Dir: b.server.cfg.Dir, Reactors: b.reactors})
	require.NoError(t, err)
	defer second.Close()
	require.NoError(t, b.server.Close())
	c, err := Dial(t.Context(), second.Path())
	require.NoError(t, err)
	c.Close()
}

// leave makes a socket as a process leaves it that was killed.
func leave(t *testing.T, path string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: path}))
	require.NoError(t, unix.Listen(fd, 1))
	require.NoError(t, unix.Close(fd))
}

// Whether a socket is alive is known at once, whatever the machine does: no time that
// passes makes a live one of none, and one that has no room is not taken away.
func TestAlive(t *testing.T) {
	dir := t.TempDir()
	require.False(t, alive(dir+"/none"))
	require.False(t, alive(dir+"/no/directory"))
	leave(t, dir+"/left")
	require.False(t, alive(dir+"/left"))
	require.NoError(t, os.WriteFile(dir+"/file", nil, 0o600))
	require.False(t, alive(dir+"/file"))

	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: dir + "/full"}))
	require.False(t, alive(dir+"/full"), "it does not listen yet")
	require.NoError(t, unix.Listen(fd, 0))
	for range 3 { // room for one; nobody accepts
		require.True(t, alive(dir+"/full"))
	}
}

func TestStaleSockets(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	gone := exec.Command(os.Args[0], "-test.run=^$")
	require.NoError(t, gone.Run())
	dead := gone.Process.Pid
	leave(t, PathOf(dir, dead))
	leave(t, filepath.Join(dir, fmt.Sprintf(".%d.sock.XYZ.new", dead)))
	leave(t, PathOf(dir, os.Getpid())) // the number was used before
	leave(t, PathOf(dir, 1))           // lives, whoever it is
	leave(t, filepath.Join(dir, "mine.sock"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.stats", dead)), nil, 0o600))

	_, err := Dial(t.Context(), PathOf(dir, dead))
	require.ErrorIs(t, err, unix.ECONNREFUSED)
	require.ErrorContains(t, err, PathOf(dir, dead))

	b := newBench(t, func(c *Config) { c.Dir = dir }, "md")
	b.dial()
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	var left []string
	for _, e := range found {
		left = append(left, e.Name())
	}
	require.ElementsMatch(t, []string{"1.sock", fmt.Sprintf("%d.sock", os.Getpid()), fmt.Sprintf("%d.stats", dead), "mine.sock"}, left)

	all, err := List(dir)
	require.NoError(t, err)
	require.Equal(t, []Process{{1, PathOf(dir, 1)}, {os.Getpid(), b.server.Path()}}, all)
	all, err = List(filepath.Join(dir, "none"))
	require.NoError(t, err)
	require.Empty(t, all)
}

// Paths may be longer than the address of a socket.
func TestLongPaths(t *testing.T) {
	dir := t.TempDir()
	for len(dir) < 200 {
		dir = filepath.Join(dir, "a-directory-with-a-long-name")
		require.NoError(t, os.Mkdir(dir, 0o700))
	}
	b := newBench(t, func(c *Config) { c.Dir = dir }, "md")
	b.dial()
}

// Close does not wait for a reactor that does not turn, nor for a client.
func TestCloseEndsRequests(t *testing.T) {
	b := newBench(t, func(c *Config) { c.Timeout = time.Hour }, "md")
	b.raw() // says nothing
	c := b.dial()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Dump(context.Background(), "")
		ended <- err
	}()
	b.asked()
	require.NoError(t, b.server.Close())
	require.Error(t, <-ended)
	_, err := c.Dump(t.Context(), "")
	require.ErrorContains(t, err, "control: "+b.server.Path()+": ")
}

func TestClientGivesUp(t *testing.T) {
	b := newBench(t, nil, "md")
	c := b.dial() // and nobody polls
	gone := errors.New("the operator has gone")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Dump(ctx, "")
		ended <- err
	}()
	b.asked()
	cancel(gone)
	require.ErrorIs(t, <-ended, gone)
	b.until(func() bool { // the request goes on without it
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.events) == 1
	})
	require.NoError(t, b.last().Err)

	soon, cancelSoon := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancelSoon()
	_, err := b.dial().Dump(soon, "")
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A server that is none, or of another version, is not taken for one.
func TestClientAgainstOthers(t *testing.T) {
	for said, want := range map[string]string{
		`{"control":7,"pid":1}` + "\n": "the process speaks version 7 of the protocol, this program version 1",
		"SSH-2.0-OpenSSH_9.6\r\n":      "the answer is not understood: invalid character",
		`{"control":1`:                 "the process has closed the connection: unexpected EOF",
		"":                             "the process has closed the connection: unexpected EOF",
		`{"error":"control: no","code":"forbidden"}` + "\n": "control: no",
	} {
		path := filepath.Join(t.TempDir(), "1.sock")
		l, err := net.Listen("unix", path)
		require.NoError(t, err)
		go func() {
			if c, err := l.Accept(); err == nil {
				_, _ = io.WriteString(c, said)
				c.Close()
			}
		}()
		_, err = Dial(t.Context(), path)
		require.ErrorContains(t, err, want)
		require.NoError(t, l.Close())
	}
	_, err := Dial(t.Context(), filepath.Join(t.TempDir(), "1.sock"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// FuzzServer: whatever a client sends the server lives on and answers the next one.
func FuzzServer(f *testing.F) {
	f.Add([]byte("\n\n{}\n"), byte(3))
	f.Add([]byte(`{"do":"dump"}`+"\n"+`{"do":"drop","endpoint":"x"}`), byte(1))
	f.Add([]byte(strings.Repeat("x", MaxRequest+1)), byte(200))
	dir := filepath.Join(f.TempDir(), "boomnet")
	s, err := Listen(Config{Dir: dir, Find: func() []*reactor.Reactor { return nil }})
	require.NoError(f, err)
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, sent []byte, cut byte) {
		c, err := dial(t.Context(), s.Path())
		require.NoError(t, err)
		var writing sync.WaitGroup
		defer writing.Wait()
		writing.Go(func() {
			for len(sent) > 0 {
				n := min(int(cut)+1, len(sent))
				if _, err := c.Write(sent[:n]); err != nil {
					break // it has hung up
				}
				sent = sent[n:]
			}
			_ = c.(*net.UnixConn).CloseWrite()
		})
		in := bufio.NewScanner(c)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			require.True(t, json.Valid(in.Bytes()), "%q", in.Bytes())
		}
		c.Close()
		again, err := Dial(t.Context(), s.Path())
		if e, ok := errors.AsType[*Error](err); ok {
			require.Equal(t, Busy, e.Code) // the last ones have not ended
			return
		}
		require.NoError(t, err)
		again.Close()
	})
}
