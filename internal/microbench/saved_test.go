package microbench

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
)

func someRun() *Run {
	pair := of("line.round-trip", 0, 120.25, 121, 119)
	pair.CPUs, pair.Distance, pair.Batch = []int{0, 1}, SameCache.String(), 170
	served := marked(of("loopback.epoll", 1, 5000, 5100, 5200), Crowded)
	served.CPUs, served.Served, served.Marks[0].Share = []int{1, 0}, true, 0.25
	return &Run{
		Machine: Machine{
			Host: "box", CPU: "Fake <CPU>", CPUs: 2, Allowed: affinity.Of(0, 1), Kernel: "6.1", OS: "linux", Arch: "amd64",
			Go: "go1.26", Load: 0.25, Slack: 50000, Started: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC),
		},
		Time: 300 * time.Millisecond, Rounds: 3, Took: time.Second, Steal: 0.001, Notes: []string{"a note"},
		Results: []Result{pair, served, {Name: "clock.tsc", CPUs: []int{7}, Failed: "CPU 7 is offline"}},
	}
}

func TestSavedRoundTrip(t *testing.T) {
	run := someRun()
	var b bytes.Buffer
	require.NoError(t, run.Write(&b))
	require.Contains(t, b.String(), "Fake <CPU>")
	again, err := Read(iotest.OneByteReader(bytes.NewReader(b.Bytes())))
	require.NoError(t, err)
	require.Equal(t, run, again)
}

func TestReadRefuses(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, someRun().Write(&b))
	good := b.String()
	for _, c := range []struct {
		name, from, to string // what is changed in a good one; from "": all of it
		want           error
		says           string
	}{
		{"nothing", "", "", ErrNotARun, "it is empty"},
		{"spaces", "", " \n\t ", ErrNotARun, "it is empty"},
		{"text", "", "cpu 0 is slow", ErrNotARun, "invalid character"},
		{"an array", "", "[1]", ErrNotARun, "cannot unmarshal array"},
		{"null", "", "null", ErrNotARun, `its format is ""`},
		{"other JSON", "", `{"cpus":[]}`, ErrNotARun, `its format is "", not "boomnet-bench"`},
		{"a foreign format", `"boomnet-bench"`, `"` + strings.Repeat("x", 100) + `"`, ErrNotARun, `its format is "` + strings.Repeat("x", 40) + `"`},
		{"an older version", `"version": 1`, `"version": 0`, ErrVersion, "it has version 0, this program reads 1"},
		{"a newer version", `"version": 1`, `"version": 2`, ErrVersion, "it has version 2"},
		{"cut off", "", good[:len(good)/2], ErrNotARun, "unexpected end"},
		{"two of them", "", good + good, ErrNotARun, "after top-level value"},
		{"a figure that is none", `"min": 119`, `"min": "x"`, ErrCorrupt, "cannot unmarshal string"},
		{"an endless one", `"min": 119`, `"min": 1e999`, ErrCorrupt, "cannot unmarshal number"},
		{"a negative one", `"min": 119`, `"min": -1`, ErrCorrupt, `result 0, "line.round-trip": 0, min, median`},
		{"out of order", `"p99": 121`, `"p99": 9`, ErrCorrupt, "not in order"},
		{"a round outside", "119\n", "122\n", ErrCorrupt, "a round of 122 ns is not between 119 and 121"},
		{"no samples", `"samples": 3`, `"samples": 0`, ErrCorrupt, "neither samples nor a reason"},
		{"a CPU too high", "    7\n", "    8192\n", ErrCorrupt, "CPU 8192, must be 0 to 8191"},
		{"a CPU too low", "    7\n", "    -7\n", ErrCorrupt, "CPU -7"},
		{"no CPU", "    7\n", "", ErrCorrupt, "0 CPUs, must be 1 or 2"},
		{"a name without a topic", `"clock.tsc"`, `"tsc"`, ErrCorrupt, "the name is not TOPIC.WHAT"},
		{"a name too long", `"clock.tsc"`, `"clock.` + strings.Repeat("c", 1020) + `"`, ErrCorrupt, "the name is not"},
		{"a share above one", `"share": 0.25`, `"share": 1.5`, ErrCorrupt, `a mark "crowded"`},
		{"steal above one", `"steal": 0.001`, `"steal": 2`, ErrCorrupt, "steal above 1"},
		{"served by nobody", `"name": "clock.tsc",`, `"name": "clock.tsc", "served": true,`, ErrCorrupt, "served by no CPU"},
		{"negative time", `"time_ns": 300`, `"time_ns": -300`, ErrCorrupt, "negative numbers"},
		{"bad list of CPUs", `"0-1"`, `"0-x"`, ErrCorrupt, "not a list of CPUs"},
	} {
		t.Run(c.name, func(t *testing.T) {
			text := c.to
			if c.from != "" {
				require.Contains(t, good, c.from)
				text = strings.Replace(good, c.from, c.to, 1)
			}
			_, err := Read(strings.NewReader(text))
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, c.says)
			require.Less(t, len(err.Error()), 400, "it fits a line or two")
		})
	}
	twice := someRun()
	twice.Results = append(twice.Results, twice.Results[0])
	b.Reset()
	require.NoError(t, twice.Write(&b))
	_, err := Read(&b)
	require.ErrorIs(t, err, ErrCorrupt)
	require.ErrorContains(t, err, "line.round-trip[0 1] is there twice")
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func TestReadIsBounded(t *testing.T) {
	_, err := Read(endless{})
	require.ErrorIs(t, err, ErrTooLong)
	broken := errors.New("broken")
	_, err = Read(iotest.ErrReader(broken))
	require.ErrorIs(t, err, broken)
	_, err = Read(iotest.ErrReader(os.ErrPermission))
	require.ErrorIs(t, err, os.ErrPermission)
}

// Unknown fields are of a version to come that can be read.
func TestReadLeavesOutWhatItDoesNotKnow(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, someRun().Write(&b))
	again, err := Read(strings.NewReader(strings.Replace(b.String(), "{", `{"colour":"red",`, 1)))
	require.NoError(t, err)
	require.Equal(t, someRun().Results, again.Results)
}

// Whatever is read can be written, read again, summed up and compared.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := someRun().Write(&b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(`{"format":"boomnet-bench","version":1,"results":[{"name":"a.b","cpus":[0],"samples":1,"rounds":[0]}]}`))
	f.Add([]byte(`{"format":"boomnet-bench","version":1,"machine":{"allowed":"0-8191","started":"2026-11-24T00:00:00Z"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		run, err := Read(bytes.NewReader(text))
		if err != nil {
			for _, known := range []error{ErrNotARun, ErrVersion, ErrCorrupt, ErrTooLong} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("an error of no kind: %v", err)
		}
		var b bytes.Buffer
		if err := run.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range Compare(run, again) {
			if d.Verdict != Noise && d.Verdict != Unsure {
				t.Fatalf("a run differs from itself: %+v", d)
			}
			if spread, ok := d.A.Spread(); ok && !(spread >= 0) {
				t.Fatalf("spread %v of %+v", spread, d.A)
			}
		}
	})
}
