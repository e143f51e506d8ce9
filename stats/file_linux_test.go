package stats

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newFile makes a counters file in a directory of the test's own, in memory.
func newFile(t testing.TB, cfg FileConfig) *File {
	if cfg.Dir == "" {
		cfg.Dir = memoryDir(t)
	}
	f, err := Create(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// memoryDir is a directory on tmpfs.
func memoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "boomnet-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func attach(t testing.TB, path string) *View {
	v, err := Attach(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

// blocks are the Blocks of a view but the process's own.
func blocks(t testing.TB, v *View) []BlockView {
	list, err := v.Blocks()
	require.NoError(t, err)
	require.NotEmpty(t, list)
	require.Equal(t, ProcessBlock, list[0].Kind)
	return list[1:]
}

func TestAReaderSeesWhatIsCounted(t *testing.T) {
	f := newFile(t, FileConfig{Name: "feed"})
	b := f.NewBlock(EndpointBlock, "btcusdt", "reactor-0")
	c, g, h := b.Counter("reads", "calls", "network reads"), b.Gauge("queue", "bytes", "bytes queued"), b.Histogram("delay", "ns", "from read to handler")
	text, errs := b.Text("last_loss", "why the last connection ended"), b.Errors("errors", "distinct errors")
	c.Add(3)
	g.Set(-4)
	h.Record(100)
	text.Set("connection reset by peer")
	now := time.Now().Truncate(time.Microsecond)
	errs.Add(now, "refused")
	errs.Add(now.Add(time.Second), "refused")

	v := attach(t, f.Path())
	list := blocks(t, v)
	require.Len(t, list, 1)
	require.Equal(t, []string{EndpointBlock, "btcusdt", "reactor-0"}, []string{list[0].Kind, list[0].Name, list[0].Parent})
	var descs []Desc
	values := make([]Value, len(list[0].Cells))
	for i := range list[0].Cells {
		cell := &list[0].Cells[i]
		descs = append(descs, cell.Desc())
		require.NoError(t, cell.Read(&values[i]))
	}
	require.Equal(t, []Desc{
		{"btcusdt", "reads", "calls", "network reads", KindCounter},
		{"btcusdt", "queue", "bytes", "bytes queued", KindGauge},
		{"btcusdt", "delay", "ns", "from read to handler", KindHistogram},
		{"btcusdt", "last_loss", "", "why the last connection ended", KindText},
		{"btcusdt", "errors", "errors", "distinct errors", KindErrors},
	}, descs)
	require.EqualValues(t, 3, values[0].Int)
	require.EqualValues(t, -4, values[1].Int)
	require.EqualValues(t, 1, values[2].Histogram.Count())
	require.EqualValues(t, 100, values[2].Histogram.Max())
	require.Equal(t, "connection reset by peer", values[3].Text)
	require.Len(t, values[4].Errors, 1)
	require.Equal(t, "refused", values[4].Errors[0].Text)
	require.EqualValues(t, 2, values[4].Errors[0].Count)
	require.WithinDuration(t, now.Add(time.Second), values[4].Errors[0].Last, 0)

	// What comes later and goes is seen, too.
	late := b.Counter("late", "", "")
	late.Add(9)
	list = blocks(t, v)
	require.Len(t, list[0].Cells, 6)
	old := list[0].Cells[0]
	b.Free()
	require.Empty(t, blocks(t, v))
	require.ErrorIs(t, old.Read(&values[0]), ErrFreed)
	other := f.NewBlock(EndpointBlock, "ethusdt", "reactor-0")
	require.Zero(t, other.Counter("reads", "calls", "network reads").Value())
	require.ErrorIs(t, old.Read(&values[0]), ErrFreed)
	require.Equal(t, "ethusdt", blocks(t, v)[0].Name)
}

func TestList(t *testing.T) {
	dir := memoryDir(t)
	list, err := List(dir)
	require.NoError(t, err)
	require.Empty(t, list)
	f := newFile(t, FileConfig{Dir: dir, Name: "feed"})
	list, err = List(dir)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, os.Getpid(), list[0].PID)
	require.Equal(t, "feed", list[0].Name)
	require.Equal(t, f.Path(), list[0].Path)
	require.False(t, list[0].Stale)
	require.WithinDuration(t, time.Now(), list[0].Started, time.Minute)
	v, err := AttachPID(dir, os.Getpid())
	require.NoError(t, err)
	require.NoError(t, v.Close())
	_, err = AttachPID(dir, 1<<30)
	require.ErrorIs(t, err, ErrNoProcess)
}
