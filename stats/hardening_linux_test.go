package stats

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// publisher, in the environment of this test's program, has it make a counters
// file in that directory, say where, and wait to be killed.
const publisher = "BOOMNET_TEST_PUBLISHER"

// startPublisher starts a process with a counters file.
func startPublisher(t *testing.T, dir string) (p *exec.Cmd, path string) {
	p = exec.Command(os.Args[0], "-test.run=^TestPublisher$")
	p.Env = append(os.Environ(), publisher+"="+dir)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	p.Stderr = os.Stderr
	stdin, err := p.StdinPipe() // its end ends the process, however this one ends
	require.NoError(t, err)
	require.NoError(t, p.Start())
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait(); _ = stdin.Close() })
	var line string
	_, err = fmt.Fscanln(out, &line)
	require.NoError(t, err)
	return p, line
}

func TestPublisher(t *testing.T) {
	dir := os.Getenv(publisher)
	if dir == "" {
		return // the tests that need it start it
	}
	f, err := Create(FileConfig{Dir: dir, Name: "publisher"})
	require.NoError(t, err)
	f.NewBlock(ReactorBlock, "feed", "").Counter("turns", "turns", "").Add(42)
	fmt.Println(f.Path())
	_, _ = os.Stdin.Read(make([]byte, 1))
	os.Exit(0)
}

func TestTheFileOfAProcessThatWasKilled(t *testing.T) {
	for name, dir := range map[string]string{"in memory": memoryDir(t), "on disk": filepath.Join(t.TempDir(), "counters")} {
		t.Run(name, func(t *testing.T) {
			p, path := startPublisher(t, dir)
			list, err := List(dir)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.NoError(t, list[0].Err)
			require.Equal(t, []any{p.Process.Pid, "publisher", path, false}, []any{list[0].PID, list[0].Name, list[0].Path, list[0].Stale})
			v, err := AttachPID(dir, p.Process.Pid)
			require.NoError(t, err)
			defer v.Close()

			require.NoError(t, p.Process.Kill())
			_ = p.Wait() // killed
			list, err = List(dir)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.True(t, list[0].Stale)
			_, err = AttachPID(dir, p.Process.Pid)
			require.ErrorIs(t, err, ErrNoProcess)

			// Who has attached still sees how it ended, and that it did.
			who, err := v.Process()
			require.NoError(t, err)
			require.True(t, who.Stale)
			var value Value
			require.NoError(t, blocks(t, v)[0].Cells[0].Read(&value))
			require.EqualValues(t, 42, value.Int)
			late, err := Attach(path)
			if name == "in memory" {
				require.NoError(t, err)
				require.NoError(t, late.Close())
			} else {
				require.Error(t, err)
			}

			// The next process cleans up.
			f := newFile(t, FileConfig{Dir: dir})
			list, err = List(dir)
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, f.Path(), list[0].Path)
		})
	}
}

func TestAPIDThatWasUsedBefore(t *testing.T) {
	dir := memoryDir(t)
	// Left by a process that had our PID.
	path := filepath.Join(dir, strconv.Itoa(os.Getpid())+fileSuffix)
	require.NoError(t, os.WriteFile(path, make([]byte, pageSize), 0o600))
	f := newFile(t, FileConfig{Dir: dir})
	require.Equal(t, path, f.Path())
	require.NoError(t, f.Close())

	// And one that lives, in another PID namespace with the same directory.
	other, err := os.Create(path)
	require.NoError(t, err)
	defer other.Close()
	require.NoError(t, unix.Flock(int(other.Fd()), unix.LOCK_EX))
	f = newFile(t, FileConfig{Dir: dir})
	require.Equal(t, filepath.Join(dir, strconv.Itoa(os.Getpid())+"-2"+fileSuffix), f.Path())
	require.FileExists(t, path)
	v, err := AttachPID(dir, os.Getpid())
	require.NoError(t, err)
	require.NoError(t, v.Close())
}

func TestOneFileAProcess(t *testing.T) {
	dir := memoryDir(t)
	f := newFile(t, FileConfig{Dir: dir})
	_, err := Create(FileConfig{Dir: dir})
	require.ErrorIs(t, err, ErrCreated)
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	f = newFile(t, FileConfig{Dir: dir})
	info, err := os.Stat(f.Path())
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
	flags, err := unix.FcntlInt(uintptr(f.backing.fd), unix.F_GETFD, 0)
	require.NoError(t, err)
	require.NotZero(t, flags&unix.FD_CLOEXEC, "programs that are started do not inherit it")
}

func TestCreateRefuses(t *testing.T) {
	dir := memoryDir(t)
	open, file := filepath.Join(dir, "open"), filepath.Join(dir, "file")
	require.NoError(t, os.Mkdir(open, 0o700))
	require.NoError(t, os.Chmod(open, 0o750))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, os.Symlink(t.TempDir(), filepath.Join(dir, "link")))
	for _, c := range []struct {
		cfg  FileConfig
		want string
	}{
		{FileConfig{Dir: dir, MaxSize: 1}, "MaxSize 1 is not between 65536 and 4294967296"},
		{FileConfig{Dir: dir, MaxSize: MaxFileSize + 1}, "MaxSize 4294967297 is not"},
		{FileConfig{Dir: open}, "its mode is 0750, want 0700"},
		{FileConfig{Dir: file}, "is not a directory but a"},
		{FileConfig{Dir: filepath.Join(dir, "link")}, "is not a directory but a L"},
		{FileConfig{Dir: filepath.Join(dir, "no", "where")}, "no such file or directory"},
	} {
		f, err := Create(c.cfg)
		require.Nil(t, f)
		require.ErrorContains(t, err, c.want)
	}
	if os.Getuid() == 0 {
		require.NoError(t, os.Chmod(open, 0o700))
		require.NoError(t, os.Chown(open, 1, 1))
		require.ErrorContains(t, MakeDir(open), "belongs to user 1, not to 0")
	}
	newFile(t, FileConfig{Dir: dir}) // the failures left nothing behind
}

func TestAFileOnDiskIsInMemory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "counters")
	if inMemory(t.TempDir()) {
		t.Skip("the temporary directory is in memory, too")
	}
	f := newFile(t, FileConfig{Dir: dir})
	to, err := os.Readlink(f.Path())
	require.NoError(t, err)
	require.Equal(t, fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), f.backing.fd), to)
	name, err := os.Readlink(to)
	require.NoError(t, err)
	require.Equal(t, "/memfd:"+memoryName+" (deleted)", name)
	require.Error(t, unix.Ftruncate(f.backing.fd, 0), "nobody makes it shorter")
	c := f.NewBlock("", "b", "").Counter("c", "", "")
	c.Add(7)
	var v Value
	require.NoError(t, blocks(t, attach(t, f.Path()))[0].Cells[0].Read(&v))
	require.EqualValues(t, 7, v.Int)
}

func TestDir(t *testing.T) {
	t.Setenv("BOOMNET_DIR", "")
	t.Setenv("XDG_RUNTIME_DIR", "")
	shm := "/dev/shm/boomnet-" + strconv.Itoa(os.Getuid())
	require.Equal(t, shm, Dir())
	t.Setenv("XDG_RUNTIME_DIR", "/dev/shm")
	require.Equal(t, "/dev/shm/boomnet", Dir())
	t.Setenv("XDG_RUNTIME_DIR", "/proc") // not tmpfs
	require.Equal(t, shm, Dir())
	t.Setenv("XDG_RUNTIME_DIR", "dev/shm")
	require.Equal(t, shm, Dir())
	t.Setenv("BOOMNET_DIR", "/elsewhere")
	require.Equal(t, "/elsewhere", Dir())
}

func TestGrowthToTheLimit(t *testing.T) {
	f := newFile(t, FileConfig{MaxSize: 2<<20 + 100})
	var list []*Block
	for f.Err() == nil {
		b := f.NewBlock(EndpointBlock, fmt.Sprint("endpoint ", len(list)), "")
		b.Histogram("delay", "ns", "").Record(int64(len(list)))
		b.Counter("n", "", "").Add(int64(len(list)))
		list = append(list, b)
	}
	require.ErrorIs(t, f.Err(), ErrFull)
	require.ErrorContains(t, f.Err(), "MaxSize is 2097152")
	v := attach(t, f.Path())
	seen, err := v.Blocks()
	require.NoError(t, err)
	var value Value
	for i, want := range []int64{2 << 20, 2 << 20, 1} { // file_size, file_limit, unpublished
		require.NoError(t, seen[0].Cells[i].Read(&value))
		require.Equal(t, want, value.Int)
	}
	last := list[len(list)-1]
	last.Each(func(d Desc, v Value) { // on the heap it counts all the same
		if d.Kind == KindCounter {
			require.EqualValues(t, len(list)-1, v.Int)
		}
	})
	for i := range seen[1 : len(seen)-1] {
		for _, c := range seen[1+i].Cells {
			require.NoError(t, c.Read(&value))
			if c.Desc().Kind == KindHistogram {
				require.EqualValues(t, i, value.Histogram.Max())
			} else {
				require.EqualValues(t, i, value.Int)
			}
		}
	}

	// What is given back is used again.
	used := f.header().used.Load()
	for _, b := range list {
		b.Free()
		b.Free()
	}
	require.Empty(t, blocks(t, v))
	for i := range 50 {
		b := f.NewBlock(EndpointBlock, fmt.Sprint("new ", i), "")
		require.Zero(t, b.Histogram("delay", "ns", "").Snapshot().Count())
	}
	require.Len(t, blocks(t, v), 50)
	require.Equal(t, used, f.header().used.Load())
}

// More cells than a page holds, and longer names than a record does.
func TestABlockOfManyCells(t *testing.T) {
	f := newFile(t, FileConfig{})
	b := f.NewBlock("", strings.Repeat("n", 300), "")
	long := strings.Repeat("h", maxString-1) + "üü"
	for i := range 200 {
		b.Counter(fmt.Sprint("cell ", i), "", long).Add(int64(i))
	}
	list := blocks(t, attach(t, f.Path()))
	require.Len(t, list[0].Cells, 200)
	require.Equal(t, strings.Repeat("n", maxString), list[0].Name)
	var v Value
	for i, c := range list[0].Cells {
		require.NoError(t, c.Read(&v))
		require.Equal(t, fmt.Sprint("cell ", i), c.Desc().Name)
		require.Equal(t, strings.Repeat("h", maxString-1), c.Desc().Help)
		require.EqualValues(t, i, v.Int)
	}
}

// Blocks come and go while a reader looks: it takes none for another.
func TestReaderWhileBlocksComeAndGo(t *testing.T) {
	f := newFile(t, FileConfig{})
	v := attach(t, f.Path())
	done := make(chan struct{})
	go func() {
		defer close(done)
		var live []*Block
		for i := range int64(3000) {
			b := f.NewBlock(EndpointBlock, strconv.FormatInt(i, 10), "")
			b.Counter("n", "", "").Store(i)
			b.Text("t", "").Set(strconv.FormatInt(i, 10))
			if i%10 == 0 {
				b.Histogram("h", "", "").Record(i)
			}
			if live = append(live, b); len(live) > 5 {
				live[0].Free()
				live = live[1:]
			}
		}
	}()
	read := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		list, err := v.Blocks()
		require.NoError(t, err)
		var value Value
		for _, b := range list[1:] {
			n, err := strconv.ParseInt(b.Name, 10, 64)
			require.NoError(t, err)
			for _, c := range b.Cells {
				if err := c.Read(&value); err != nil {
					require.ErrorIs(t, err, ErrFreed)
					continue
				}
				read++
				switch c.Desc().Kind {
				case KindCounter:
					require.Contains(t, []int64{0, n}, value.Int, b.Name)
				case KindText:
					require.Contains(t, []string{"", b.Name}, value.Text)
				case KindHistogram:
					require.Contains(t, []int64{0, n}, value.Histogram.Max())
				}
			}
		}
	}
	require.Positive(t, read)
}

func TestCloseWithBlocksInUse(t *testing.T) {
	f := newFile(t, FileConfig{})
	b := f.NewBlock(ReactorBlock, "feed", "")
	c, h := b.Counter("c", "", ""), b.Histogram("h", "", "")
	v := attach(t, f.Path())
	require.NoError(t, f.Close())
	require.NoFileExists(t, f.Path())
	c.Add(1)
	h.Record(1)
	require.EqualValues(t, 1, c.Value())
	list, err := v.Blocks()
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, "feed", list[0].Name)
	b.Gauge("late", "", "").Set(1) // on the heap
	f.NewBlock("", "late", "").Counter("c", "", "").Add(1)
	b.Free()
	c.Add(1) // wrong, and harmless
	b.Counter("later still", "", "").Add(5)
	got := make(map[string]int64)
	b.Each(func(d Desc, v Value) { got[d.Name] = v.Int })
	require.Equal(t, map[string]int64{"c": 1, "h": 0, "late": 1, "later still": 5}, got)
}

func TestNoFile(t *testing.T) {
	var f *File
	require.NoError(t, f.Err())
	require.NoError(t, f.Close())
	b := f.NewBlock(ReactorBlock, "feed", "desk")
	require.Equal(t, []string{ReactorBlock, "feed", "desk"}, []string{b.Kind(), b.Name(), b.Parent()})
	c := b.Counter("c", "", "")
	c.Add(3)
	b.Free()
	require.EqualValues(t, 3, c.Value())
}

// A store into what was never used before takes no page fault.
func TestMemoryIsThereBeforeItIsUsed(t *testing.T) {
	f := newFile(t, FileConfig{})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	faults := func() int64 {
		var u unix.Rusage
		require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &u))
		return u.Minflt
	}
	before := faults()
	for at := 2 * pageSize; at < f.size; at += pageSize {
		*(*uint64)(unsafe.Pointer(&f.mapped[at])) = 1
	}
	require.Less(t, faults()-before, int64(f.size/pageSize/4))
}

// Files that a reader must refuse, with a word on what is wrong.
func TestReaderRefuses(t *testing.T) {
	f := newFile(t, FileConfig{})
	f.NewBlock(ReactorBlock, "feed", "").Histogram("h", "ns", "").Record(5)
	whole, err := os.ReadFile(f.Path())
	require.NoError(t, err)
	dir := memoryDir(t)
	path := filepath.Join(dir, "1"+fileSuffix)
	change := func(at int, with ...byte) []byte {
		b := bytes.Clone(whole)
		copy(b[at:], with)
		return b
	}
	const used, firstExtent = 32, pageSize
	for name, c := range map[string]struct {
		file []byte
		err  error
		want string
	}{
		"empty":               {nil, ErrFormat, ""},
		"text":                {[]byte("hello"), ErrFormat, ""},
		"only a header":       {whole[:200], ErrFormat, ""},
		"cut":                 {whole[:pageSize], ErrFormat, "the file has 4096"},
		"magic":               {change(0, 'B'), ErrFormat, ""},
		"older":               {change(8, 0), ErrVersion, "has version 0, this program reads 1"},
		"newer":               {change(8, 2), ErrVersion, "has version 2, this program reads 1"},
		"header size":         {change(12, 1), ErrFormat, ""},
		"too much in use":     {change(used, 1, 2, 3, 4, 5, 6, 7, 8), ErrFormat, "bytes in use"},
		"nothing in use":      {change(used, 0, 0, 0, 0), ErrFormat, ""},
		"extent of 0":         {change(firstExtent+8, 0, 0), ErrFormat, "the extent at 4096 has 0 bytes"},
		"extent of odd size":  {change(firstExtent+8, 1, 16), ErrFormat, "has 4097 bytes"},
		"extent too large":    {change(firstExtent+8, 0, 0, 0, 0, 0, 0, 0, 0x80), ErrFormat, ""},
		"records too long":    {change(firstExtent+24, 0, 0, 0, 0, 0, 0, 0, 0xff), ErrFormat, "bytes of records"},
		"records of no words": {change(firstExtent+24, 33), ErrFormat, ""},
		"a record too long":   {change(firstExtent+32+1, 255, 255, 255), ErrFormat, "records that cannot be"},
		"a cell outside":      {change(firstExtent+32+16+16+8, 0xf8, 0xff, 0xff, 0xff), ErrFormat, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, c.file, 0o600))
			v, err := Attach(path)
			if err == nil {
				_, err = v.Blocks()
				require.NoError(t, v.Close())
			} else {
				list, listed := List(dir)
				require.NoError(t, listed)
				require.Len(t, list, 1)
				require.ErrorIs(t, list[0].Err, c.err)
			}
			require.ErrorIs(t, err, c.err)
			require.ErrorContains(t, err, path)
			require.ErrorContains(t, err, c.want)
		})
	}
	require.NoError(t, os.Remove(path))
	require.NoError(t, unix.Mkfifo(path, 0o600))
	_, err = Attach(path) // does not wait for a writer
	require.ErrorIs(t, err, ErrFormat)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Symlink("/etc/passwd", path))
	_, err = Attach(path)
	require.ErrorIs(t, err, ErrFormat)
	_, err = Attach(dir)
	require.ErrorIs(t, err, ErrFormat)
	_, err = Attach(filepath.Join(dir, "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A file that is made shorter under a reader is an error, not the end of it.
func TestAFileThatIsMadeShorter(t *testing.T) {
	f := newFile(t, FileConfig{})
	b := f.NewBlock(ReactorBlock, "feed", "")
	b.Counter("c", "", "").Add(1)
	b.Histogram("h", "", "").Record(1)
	whole, err := os.ReadFile(f.Path())
	require.NoError(t, err)
	for _, look := range []func(*View, []BlockView) error{
		func(v *View, _ []BlockView) error { _, err := v.Blocks(); return err },
		func(v *View, l []BlockView) error { return l[0].Cells[0].Read(new(Value)) },
		func(v *View, l []BlockView) error { return l[0].Cells[1].Read(new(Value)) },
		func(v *View, _ []BlockView) error { _, err := v.Process(); return err },
	} {
		path := filepath.Join(memoryDir(t), "1"+fileSuffix)
		require.NoError(t, os.WriteFile(path, whole, 0o600))
		v := attach(t, path)
		list := blocks(t, v)
		require.NoError(t, os.Truncate(path, 0))
		require.ErrorIs(t, look(v, list), ErrFormat)
		require.ErrorContains(t, look(v, list), "was made shorter")
	}
}

func TestAViewThatIsClosed(t *testing.T) {
	f := newFile(t, FileConfig{})
	f.NewBlock("", "b", "").Counter("c", "", "")
	v, err := Attach(f.Path())
	require.NoError(t, err)
	list := blocks(t, v)
	require.NoError(t, v.Close())
	require.NoError(t, v.Close())
	require.EqualError(t, list[0].Cells[0].Read(new(Value)), "stats: the view is closed")
	_, err = v.Blocks()
	require.EqualError(t, err, "stats: the view is closed")
}

func TestNothingAllocatesInAFile(t *testing.T) {
	f := newFile(t, FileConfig{})
	b := f.NewBlock("", "b", "")
	c, g, h := b.Counter("c", "", ""), b.Gauge("g", "", ""), b.Histogram("h", "ns", "")
	x, e := b.Text("t", ""), b.Errors("e", "")
	list := blocks(t, attach(t, f.Path()))
	var v Value
	require.NoError(t, list[0].Cells[2].Read(&v))
	for name, do := range map[string]func(){
		"counter":   func() { c.Add(1); c.Store(c.Value()) },
		"gauge":     func() { g.Set(1); g.Add(g.Value()) },
		"histogram": func() { h.Record(12345) },
		"text":      func() { x.Set("open: EOF") },
		"error":     func() { e.Add(noon, "open: EOF") },
		"reader":    func() { _ = list[0].Cells[2].Read(&v) },
	} {
		require.Zero(t, testing.AllocsPerRun(100, do), name)
	}
}

var noon = time.Unix(1_700_000_000, 0)

// FuzzView reads files of any content: with an error or without, never worse.
func FuzzView(f *testing.F) {
	file, err := Create(FileConfig{Dir: memoryDir(f), MaxSize: MinFileSize})
	require.NoError(f, err)
	b := file.NewBlock(ReactorBlock, "feed", "desk")
	b.Counter("c", "calls", "help").Add(1)
	b.Text("t", "help").Set("text")
	f.Add(uint16(0), []byte(nil))
	f.Add(uint16(32), []byte{255})
	f.Add(uint16(pageSize), []byte{1, 0, 0, 0, 0, 0, 0, 0, 128})
	b.Histogram("h", "ns", "help").Record(5)
	b.Errors("e", "help").Add(noon, "oops")
	whole, err := os.ReadFile(file.Path())
	require.NoError(f, err)
	whole = whole[:file.header().used.Load()]
	require.NoError(f, file.Close())
	path := filepath.Join(memoryDir(f), "1"+fileSuffix)
	f.Fuzz(func(t *testing.T, at uint16, with []byte) {
		content := bytes.Clone(whole)
		copy(content[min(int(at), len(content)):], with)
		if len(with) > 0 && with[0] == 0xfe { // any content at all
			content = with[1:]
		}
		require.NoError(t, os.WriteFile(path, content, 0o600))
		v, err := Attach(path)
		if err != nil {
			return
		}
		defer v.Close()
		_, _ = v.Process()
		list, err := v.Blocks()
		if err != nil {
			return
		}
		for _, b := range list {
			for _, c := range b.Cells {
				var value Value
				_ = c.Read(&value)
				if h := value.Histogram; h != nil {
					_, _ = h.ValueAtQuantile(0.5), h.Mean()
				}
			}
		}
	})
}
