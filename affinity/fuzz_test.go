package affinity

import (
	"maps"
	"slices"
	"testing"

	"github.com/boomnet-go/boomnet/internal/machines"
)

// Whatever files hold, there is a topology that is consistent, can be written and
// read back, and on which plans are sound. data is pairs of a file's number, one
// byte, and what it holds, up to a zero byte.
func FuzzRead(f *testing.F) {
	small := func() machines.Machine {
		m := machines.Shape{Packages: 2, Cores: 2, Threads: 2, L1d: "32K", L2: "512K", L3: "8M"}.Machine()
		m.NIC("eth0", "ice", "0000:3b:00.0", "", 1, "2-3,6-7", 40, "2")
		m.Put("proc/self/cgroup", "0::/a\n3:cpu,cpuset:/b")
		m.Put("sys/fs/cgroup/a/cpu.max", "150000 100000")
		m.Put("sys/fs/cgroup/cpu/b/cpu.cfs_quota_us", "100")
		m.Put("sys/fs/cgroup/cpu/b/cpu.cfs_period_us", "100")
		m.Put("sys/devices/cpu_core/cpus", "0-3")
		m.Put("sys/devices/cpu_atom/cpus", "4-7")
		return m
	}
	f.Add([]byte("\x00(null)\x00\x05\x00\x100-3,5\x00\x20-1\x00"))
	f.Add([]byte("\x01max max\x00\x020::/../../..\x00\x03nonsense"))
	f.Add([]byte("\x400-8191\x00\x419223372036854775807K\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := small()
		names := slices.Sorted(maps.Keys(m.MapFS))
		for len(data) > 1 {
			file := m.MapFS[names[int(data[0])%len(names)]]
			data = data[1:]
			end := slices.Index(data, 0)
			if end < 0 {
				end = len(data)
			}
			file.Data = data[:end]
			data = data[min(end+1, len(data)):]
		}
		got := Read(m)
		consistent(t, got)
		roundTrip(t, got)
		for _, kind := range []Kind{KindSpread, KindPack, KindShared} {
			for _, avoid := range []bool{false, true} {
				sound(t, got, 2, Policy{Kind: kind, AvoidSMT: avoid, AvoidCPU0: avoid, PreferIsolated: !avoid})
			}
		}
	})
}
