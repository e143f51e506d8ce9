package doctor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
)

func TestParseMask(t *testing.T) {
	for text, want := range map[string]string{
		"0": "", "3": "0-1", "ff03ff03": "0-1,8-17,24-31", "1,00000000": "32", "80000000,00000000,00000001": "0,95",
	} {
		s, err := parseMask(text)
		require.NoError(t, err, text)
		require.Equal(t, want, s.String(), text)
		require.Equal(t, text, formatMask(s))
	}
	for _, text := range []string{"", ",", "x", "1,1", "123456789", "1,0x000000", "-1", "ff,"} {
		_, err := parseMask(text)
		require.Error(t, err, text)
	}
}

func TestParseBootCPUs(t *testing.T) {
	for text, want := range map[string]string{
		"3": "3", "all": "0-15", "N": "15", "8-N": "8-15", "0-15:2/4": "0-1,4-5,8-9,12-13",
		"managed_irq,domain,2-7": "2-7", "nohz,domain,1,3": "1,3", "1-3,N": "1-3,15",
	} {
		s, err := parseBootCPUs(text, 15)
		require.NoError(t, err, text)
		require.Equal(t, want, s.String(), text)
	}
	for _, text := range []string{"", "2-", "5-2", "a", "0-3:2", "0-3:0/2", "0-3:3/2", "0-99999", "-1", "domain"} {
		_, err := parseBootCPUs(text, 15)
		require.Error(t, err, text)
	}
}

func TestParameter(t *testing.T) {
	const line = `ro a=1 nohz-full=3 a="2" -- b=1`
	for name, want := range map[string]string{"a": "2", "nohz_full": "3", "ro": ""} {
		value, found := parameter(line, name)
		require.True(t, found, name)
		require.Equal(t, want, value)
	}
	_, found := parameter(line, "b")
	require.False(t, found, "it is for init")
}

func TestParseRelease(t *testing.T) {
	for text, want := range map[string][2]int{"6.18.44-fc": {6, 18}, "5.4": {5, 4}, "7.0-rc1": {7, 0}, "6.1-amd64": {6, 1}} {
		major, minor, err := parseRelease(text)
		require.NoError(t, err)
		require.Equal(t, want, [2]int{major, minor})
	}
	for _, text := range []string{"", "6", "6.", "x.1", "99999999.1"} {
		_, _, err := parseRelease(text)
		require.Error(t, err, text)
	}
}

// FuzzParsers: whatever the kernel's files hold, parsing ends, without a panic,
// and what was understood can be written and understood again.
func FuzzParsers(f *testing.F) {
	for _, seed := range []string{
		"ff,ffffffff", "always [madvise] never", "[a] [b]", "isolcpus=managed_irq,domain,2-7 rcu_nocbs=0-31:2/8 -- x",
		"0-8191:1/2,N,all", "Max open files            1024                 unlimited            files",
		"flags\t\t: fpu tsc constant_tsc", "cpu2 1 2 3 4 5 6 7 8 9 10", "Filename Type Size Used Priority\n/swap file 1 2 -2",
		"HugePages_Total:       8\n", "6.18.44-fc", "#1 SMP Tue Jun 10 12:00:00 UTC 2025", "(2026-13-41)", statOf(") (", 2), "0-2147483647:1/1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if s, err := parseMask(text); err == nil {
			again, err := parseMask(formatMask(s))
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
		if s, err := parseBootCPUs(text, 31); err == nil {
			require.NotEqual(t, affinity.Set{}, s)
			again, err := parseBootCPUs(s.String(), 31)
			require.NoError(t, err)
			require.Equal(t, s, again)
		}
		if word, ok := parseChoice(text); ok {
			require.Contains(t, text, "["+word+"]")
		}
		if value, ok := parameter(text, "rcu_nocbs"); ok {
			require.Contains(t, text, value)
		}
		if soft, hard, err := parseLimit(text, "Max open files"); err == nil {
			require.GreaterOrEqual(t, min(soft, hard), int64(unlimited))
		}
		if part, err := parseSteal(text, 2); err == nil {
			require.GreaterOrEqual(t, part, 0.0)
			require.LessOrEqual(t, part, 1.0)
		}
		if areas, size, used, err := parseSwaps(text); err == nil {
			require.GreaterOrEqual(t, min(int64(areas), size, used), int64(0))
		}
		if n, err := parseMeminfo(text, "HugePages_Total"); err == nil {
			require.GreaterOrEqual(t, n, int64(0))
		}
		if major, minor, err := parseRelease(text); err == nil {
			require.GreaterOrEqual(t, min(major, minor), 0)
		}
		if policy, err := parsePolicy(text); err == nil {
			require.GreaterOrEqual(t, policy, 0)
		}
		if built, ok := parseBuilt(text); ok {
			require.False(t, built.IsZero())
		}
		for _, flag := range parseFlags(text) {
			require.NotEmpty(t, flag)
		}
	})
}
