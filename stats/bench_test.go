package stats

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// each runs a benchmark of cells on the heap and of cells in a file, where there
// are files.
func each(b *testing.B, run func(b *testing.B, block *Block)) {
	b.Run("heap", func(b *testing.B) { run(b, NewBlock("b")) })
	if runtime.GOOS != "linux" {
		return
	}
	b.Run("file", func(b *testing.B) {
		f, err := Create(FileConfig{Dir: filepath.Join(b.TempDir(), "counters")})
		require.NoError(b, err)
		defer f.Close()
		run(b, f.NewBlock("", "b", ""))
	})
}

func BenchmarkCounterAdd(b *testing.B) {
	each(b, func(b *testing.B, block *Block) {
		c := block.Counter("c", "", "")
		b.ReportAllocs()
		for b.Loop() {
			c.Add(1)
		}
	})
}

func BenchmarkHistogramRecord(b *testing.B) {
	each(b, func(b *testing.B, block *Block) {
		h := block.Histogram("h", "ns", "")
		b.ReportAllocs()
		v := int64(1)
		for b.Loop() {
			h.Record(v)
			v = (v*5 + 1) & (1<<20 - 1)
		}
	})
}

func BenchmarkHistogramReadInto(b *testing.B) {
	each(b, func(b *testing.B, block *Block) {
		h := block.Histogram("h", "ns", "")
		for i := range int64(10_000) {
			h.Record(i * i)
		}
		var s Snapshot
		b.ReportAllocs()
		for b.Loop() {
			h.ReadInto(&s)
		}
	})
}

func BenchmarkHistogramReset(b *testing.B) {
	each(b, func(b *testing.B, block *Block) {
		h := block.Histogram("h", "ns", "")
		for b.Loop() {
			h.Reset()
		}
	})
}

func BenchmarkTextSet(b *testing.B) {
	each(b, func(b *testing.B, block *Block) {
		t := block.Text("t", "")
		b.ReportAllocs()
		for b.Loop() {
			t.Set("open: connection reset by peer")
		}
	})
}

// A log that is full, and an error that is in none of its records.
func BenchmarkErrorsAdd(b *testing.B) {
	each(b, func(b *testing.B, block *Block) {
		e := block.Errors("e", "")
		texts := [MaxErrors + 1]string{}
		for i := range texts {
			texts[i] = "open: connection reset by peer " + string(rune('A'+i))
		}
		at := time.Now()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			at = at.Add(1)
			e.Add(at, texts[i%len(texts)])
			i++
		}
	})
}
