package microbench

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
)

func TestReadMachine(t *testing.T) {
	m := machines.TwoSocketSMT()
	m.Put("proc/sys/kernel/hostname", "box")
	m.Put("proc/sys/kernel/osrelease", "6.18.5-rt")
	m.Put("proc/loadavg", "1.50 0.10 0.00 1/100 4242")
	m.Put("proc/cpuinfo", "processor\t: 0\nmodel name\t: Fake  CPU @ 3 GHz\nflags\t\t: fpu hypervisor tsc\n\nprocessor\t: 1\nmodel name\t: Another")
	m.Put("sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet")
	m.Put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave")
	got := ReadMachine(m, affinity.Read(m))
	require.Equal(t, "box", got.Host)
	require.Equal(t, "Fake CPU @ 3 GHz", got.CPU)
	require.Equal(t, 32, got.CPUs)
	require.Equal(t, "0-31", got.Allowed.String())
	require.True(t, got.Virtual)
	require.Equal(t, "6.18.5-rt", got.Kernel)
	require.Equal(t, 1.5, got.Load)
	require.Equal(t, "powersave", got.Governor)
	require.False(t, got.FastClock())
	for _, fast := range []string{"tsc", "kvm-clock", "arch_sys_counter", ""} {
		got.Clock = fast
		require.True(t, got.FastClock(), fast)
	}

	m = machines.BigLittle()
	m.Put("proc/cpuinfo", "processor\t: 0\nCPU part\t: 0xd0b\n")
	m.Put("proc/loadavg", "nonsense")
	got = ReadMachine(m, affinity.Read(m))
	require.Equal(t, "part 0xd0b", got.CPU)
	require.Zero(t, got.Load)
	require.False(t, got.Virtual)
}

func TestTicks(t *testing.T) {
	m := machines.Machine{MapFS: machines.Odd().MapFS}
	require.Zero(t, ReadTicks(m).Steal(ReadTicks(m)), "there is no proc/stat")
	m.Put("proc/stat", "cpu  10 0 10 70 0 0 0 10 5 5\ncpu0 5 0 5 35 0 0 0 5 0 0\ncpu1 5 0 5 35 0 0 0 5 0 0\nintr 1 2 3")
	before := ReadTicks(m)
	require.Equal(t, map[int]int64{0: 5, 1: 5}, before.Stolen)
	require.Equal(t, int64(100), before.All)
	m.Put("proc/stat", "cpu  20 0 10 140 0 0 0 30 5 5\ncpu0 10 0 5 70 0 0 0 5 0 0\ncpu1 10 0 5 70 0 0 0 25 0 0")
	require.InDelta(t, 0.2, ReadTicks(m).Steal(before), 1e-9)
	require.Zero(t, before.Steal(ReadTicks(m)), "counters that went back")
	m.Put("proc/stat", "cpu0 x\ncpu1 1 2 3")
	require.Empty(t, ReadTicks(m).Stolen)
}
