package affinity

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) {
	if os.Getenv(confineEnv) != "" { // its threads stay where they were moved to
		os.Exit(m.Run())
	}
	leak.Main(m)
}

// confineEnv has TestConfine do its work: in a process of its own, for it cannot be
// undone.
const confineEnv = "BOOMNET_CONFINE_TEST"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		list, want string
		cpus       []int
	}{
		{"", "", nil},
		{"\n", "", nil},
		{"(null)\n", "", nil},
		{"0", "0", []int{0}},
		{"0-3,8,10-11\n", "0-3,8,10-11", []int{0, 1, 2, 3, 8, 10, 11}},
		{"3,2,1,0", "0-3", []int{0, 1, 2, 3}},
		{"1,1,1-1", "1", []int{1}},
		{" 0 , 2 ", "0,2", []int{0, 2}},
		{"62-65", "62-65", []int{62, 63, 64, 65}},
		{"007", "7", []int{7}},
		{"8191", "8191", []int{8191}},
	} {
		s, err := Parse(c.list)
		require.NoError(t, err, c.list)
		require.Equal(t, c.want, s.String(), c.list)
		require.Equal(t, c.cpus, s.CPUs(), c.list)
		require.Equal(t, len(c.cpus), s.Len(), c.list)
		require.Equal(t, Of(c.cpus...), s, c.list)
	}
	all, err := Parse("0-8191")
	require.NoError(t, err)
	require.Equal(t, MaxCPUs, all.Len())
}

func TestParseErrors(t *testing.T) {
	for list, says := range map[string]string{
		"x":                    `"x": not a number`,
		"1,":                   `"": not a number`,
		"-1":                   "not a number",
		"1-":                   "not a number",
		"1-2-3":                "not a number",
		"+1":                   "not a number",
		"1 2":                  "not a number",
		"3-1":                  "the range runs backwards",
		"8192":                 `"8192": a CPU above 8191`,
		"0-4294967295":         "a CPU above 8191",
		"99999999999999999999": "not a number",
	} {
		s, err := Parse(list)
		require.ErrorIs(t, err, ErrList, list)
		require.ErrorContains(t, err, says)
		require.Equal(t, Set{}, s)
	}
}

func TestSet(t *testing.T) {
	var s Set
	require.Zero(t, s.Len())
	require.Empty(t, s.CPUs())
	s.Add(65)
	s.Add(0)
	require.True(t, s.Contains(0))
	require.True(t, s.Contains(65))
	for _, cpu := range []int{-1, 1, 64, MaxCPUs, 1 << 30} {
		require.False(t, s.Contains(cpu), cpu)
	}
	require.Equal(t, Of(0, 1, 65), s.Or(Of(1)))
	require.Equal(t, Of(0, 65), s, "Or changes neither")
	require.PanicsWithValue(t, "affinity: CPU 8192 is not in 0 to 8191", func() { s.Add(MaxCPUs) })
	require.Panics(t, func() { Of(-1) })
}

func TestSetAlgebra(t *testing.T) {
	s := Of(0, 65, 130)
	require.Equal(t, Of(65), s.And(Of(1, 65)))
	require.Equal(t, Of(0, 130), s.Without(Of(1, 65)))
	require.True(t, Of(65).Within(s))
	require.True(t, Set{}.Within(s))
	require.False(t, Of(1, 65).Within(s))
	require.Equal(t, 65, Of(130, 65).First())
	require.Equal(t, -1, Set{}.First())
	text, err := s.MarshalText()
	require.NoError(t, err)
	require.Equal(t, "0,65,130", string(text))
	var again Set
	require.NoError(t, again.UnmarshalText(text))
	require.Equal(t, s, again)
	require.ErrorIs(t, again.UnmarshalText([]byte("x")), ErrList)
}

func TestPlacement(t *testing.T) {
	for _, c := range []struct {
		p     Placement
		cpu   int
		fixed bool
		text  string
	}{
		{Placement{}, -1, false, "unbound"},
		{Unbound, -1, false, "unbound"},
		{Fixed(-1), -1, false, "unbound"},
		{Fixed(-7), -1, false, "unbound"},
		{Fixed(0), 0, true, "cpu 0"},
		{Fixed(3), 3, true, "cpu 3"},
	} {
		cpu, fixed := c.p.CPU()
		require.Equal(t, c.cpu, cpu)
		require.Equal(t, c.fixed, fixed)
		require.Equal(t, c.text, c.p.String())
	}
}

// What Parse takes it also prints, and prints in only one way.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "(null)", "0-3,8,10-11", "0", "8191", "3-1", "1,,2", " 1 - 2 ", "0-8191,5"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		s, err := Parse(list)
		if err != nil {
			require.ErrorIs(t, err, ErrList)
			require.Equal(t, Set{}, s)
			return
		}
		again, err := Parse(s.String())
		require.NoError(t, err)
		require.Equal(t, s, again)
		require.Equal(t, s.Len(), len(s.CPUs()))
		require.True(t, slices.IsSorted(s.CPUs()))
	})
}
