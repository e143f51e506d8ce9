package jitter

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const interruptsText = `           CPU0       CPU2       CPU3
 24:          1          0          5  IO-APIC   5-edge      ACPI:Ged
 36:          0     868957          6 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
NMI:          0          0          7   Non-maskable interrupts
LOC:   12679873   13707243          8   Local timer interrupts
ERR:          0
`

func TestEachInterrupt(t *testing.T) {
	of := func(text string, cpu int) (found []Interrupts) {
		eachInterrupt([]byte(text), cpu, func(name, about []byte, count int64) {
			found = append(found, Interrupts{string(name), string(about), count})
		})
		return found
	}
	require.Equal(t, []Interrupts{
		{"24", "IO-APIC   5-edge      ACPI:Ged", 0},
		{"36", "PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0", 868957},
		{"NMI", "Non-maskable interrupts", 0},
		{"LOC", "Local timer interrupts", 13707243},
	}, of(interruptsText, 2))
	require.Len(t, of(interruptsText, 3), 4)
	require.Empty(t, of(interruptsText, 1), "offline")
	require.Empty(t, of("", 0))
	require.Empty(t, of("CPU0\n 24:", 0))
	require.Empty(t, of("CPU0\n 24: x\n25 1\n26: 99999999999999999999", 0))
	require.Equal(t, []Interrupts{{"24", "", 7}}, of("CPU0\n24: 7", 0))
}

func TestStealTicks(t *testing.T) {
	const text = `cpu  319524 385839 199933 1438566 5340 0 20167 792 0 0
cpu0 168642 189056 83857 732547 1054 0 9979 400 0 0
cpu11 150881 196783 116076 706018 4285 0 10187 392 0 0
cpu12 1 2 3
intr 5
cpu13 0 0 0 0 0 0 0 9 0 0
`
	require.Equal(t, int64(400), stealTicks([]byte(text), 0))
	require.Equal(t, int64(392), stealTicks([]byte(text), 11))
	for _, cpu := range []int{1, 12, 13} {
		require.Zero(t, stealTicks([]byte(text), cpu))
	}
	require.Zero(t, stealTicks(nil, 0))
}

func TestRunDelay(t *testing.T) {
	require.Equal(t, int64(48184), runDelay([]byte("60043 48184 2\n")))
	require.Zero(t, runDelay(nil))
	require.Zero(t, runDelay([]byte("60043 x")))
}

func TestParsersDoNotAllocate(t *testing.T) {
	text := []byte(interruptsText)
	var sum int64
	require.Zero(t, testing.AllocsPerRun(100, func() {
		eachInterrupt(text, 3, func(_, _ []byte, count int64) { sum += count })
		sum += stealTicks(text, 3) + runDelay(text)
	}))
}

func FuzzProc(f *testing.F) {
	f.Add([]byte(interruptsText), 2)
	f.Add([]byte("cpu0 1 2 3 4 5 6 7 8\n"), 0)
	f.Add([]byte("CPU0 CPU0\n:1 2 3\n"), 0)
	f.Fuzz(func(t *testing.T, text []byte, cpu int) {
		eachInterrupt(text, cpu, func(name, about []byte, count int64) {
			require.GreaterOrEqual(t, count, int64(0))
			require.NotContains(t, string(name)+string(about), "\n")
		})
		require.GreaterOrEqual(t, stealTicks(text, cpu), int64(0))
		require.GreaterOrEqual(t, runDelay(text), int64(0))
	})
}

func FuzzReadFloor(f *testing.F) {
	f.Add(floorText)
	f.Add("gap 1 2 3 4 5 6\n")
	f.Add("watched 99999999999999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadFloor(strings.NewReader(text))
		if err != nil {
			require.Nil(t, r)
			return
		}
		var n int64
		for _, b := range r.Histogram {
			n += b.Go + b.Others
		}
		require.Equal(t, n, r.GoMade().Count+r.Others().Count)
		require.Equal(t, int64(strings.Count("\n"+text, "\ngap ")), n)
	})
}

const floorText = `threshold 3000
gap 100 4000 0 0 0 0
gap 5000 30000 0 1 0 0
gap 95000 31000 1 0 0 1
watched 2000000000
looking 500000
steps 40000000
`

func TestReadFloor(t *testing.T) {
	r, err := ReadFloor(strings.NewReader(floorText))
	require.NoError(t, err)
	require.Equal(t, LoopC, r.Loop)
	require.Equal(t, []int64{3000, 2000000000, 500000, 40000000}, []int64{r.Threshold, r.Watched, r.Looking, r.Steps})
	require.Equal(t, int64(1), r.Of(Interrupt).Count)
	require.Equal(t, int64(30000), r.Of(Preemption).Longest)
	require.Equal(t, int64(1), r.Of(Switch).Count)
	require.Equal(t, int64(95000), r.Longest[0].At)

	for want, text := range map[string]string{
		`there is no line "steps"`:     strings.Replace(floorText, "steps", "gap 1 2 3 4 5 6\nlooking", 1),
		`line 2: "gap 1 2" has 2 val`:  "steps 1\ngap 1 2\n",
		`line 1: "-1" is not a count`:  "watched -1\n",
		`line 1: "x" is not a count`:   "gap 1 2 3 4 5 x\n",
		`"hello" is none of gap`:       "hello 1\n",
		`line 1: "" has 0 values`:      "\n",
		"token too long":               strings.Repeat("x", 1<<17),
		`there is no line "threshold"`: "",
	} {
		_, err := ReadFloor(strings.NewReader(text))
		require.ErrorContains(t, err, want)
	}
}
