package stream

import (
	"crypto/tls"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
)

// stamped sends through peer until a read of s has a stamp: the kernel begins to
// stamp packets some time after it was asked. It returns when it began to send.
func stamped(t testing.TB, s waiting, peer net.Conn) (sent int64) {
	p := make([]byte, 64)
	for range 1000 {
		sent = time.Now().UnixNano()
		_, err := peer.Write([]byte("x"))
		require.NoError(t, err)
		_, err = readSome(t, s, p)
		require.NoError(t, err)
		if s.(Stamped).Stamp() != (Stamp{}) {
			return sent
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("no read was stamped")
	return 0
}

func TestReadIsStamped(t *testing.T) {
	s, peer := connect(t, &Options{Timestamps: TimestampsSoftware})
	require.Equal(t, TimestampsSoftware, s.Timestamps())
	require.Equal(t, unix.SOF_TIMESTAMPING_RX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE,
		sockopt(t, s, unix.SOL_SOCKET, unix.SO_TIMESTAMPING))
	require.Zero(t, s.Stamp(), "nothing was read")

	var w clock.Wall
	sent := stamped(t, s, peer)
	first := s.Stamp()
	require.Zero(t, first.Hardware, "loopback has none")
	now := clock.Nano()
	arrived := w.Monotonic(first.Software, now)
	// Not before it was sent, not after it was read; the wall clock may be set
	// under our feet, so two tries.
	for try := 0; ; try++ {
		if first.Software >= sent && arrived <= now+int64(w.Bound()) {
			break
		}
		require.Zero(t, try, "sent %d, stamp %+v; arrived %d, now %d, bound %v", sent, first, arrived, now, w.Bound())
		sent, w = stamped(t, s, peer), clock.Wall{}
		first, now = s.Stamp(), clock.Nano()
		arrived = w.Monotonic(first.Software, now)
	}

	// A read that finds nothing leaves the stamp.
	p := make([]byte, 8)
	_, err := s.Read(p)
	require.Equal(t, ErrWouldBlock, err)
	require.Equal(t, first, s.Stamp())

	// Both parts of one segment have its stamp.
	_, err = peer.Write([]byte("abcdef"))
	require.NoError(t, err)
	n, err := readSome(t, s, p[:3])
	require.NoError(t, err)
	require.Equal(t, "abc", string(p[:n]))
	second := s.Stamp()
	require.NotEqual(t, first, second)
	n, err = readSome(t, s, p)
	require.NoError(t, err)
	require.Equal(t, "def", string(p[:n]))
	require.Equal(t, second, s.Stamp())
}

// A read that takes several segments has the time of the youngest: too late for
// the others, too early for none.
func TestStampIsTheYoungestSegments(t *testing.T) {
	s, peer := connect(t, &Options{Timestamps: TimestampsSoftware})
	stamped(t, s, peer)
	_, err := peer.Write([]byte("old"))
	require.NoError(t, err)
	require.NoError(t, s.Wait(testCtx(t), false))
	p := make([]byte, 16)
	for try := 0; ; try++ { // the wall clock may be set under our feet
		between := time.Now().UnixNano()
		_, err = peer.Write([]byte("young"))
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			n, err := unix.IoctlGetInt(s.FD(), unix.SIOCINQ)
			return err == nil && n >= len("oldyoung")
		}, 10*time.Second, time.Millisecond)
		n, err := s.Read(p)
		require.NoError(t, err)
		require.Equal(t, "oldyoung", string(p[:n]))
		if s.Stamp().Software >= between {
			return
		}
		require.Zero(t, try)
		_, err = peer.Write([]byte("old"))
		require.NoError(t, err)
		require.NoError(t, s.Wait(testCtx(t), false))
	}
}

// A record that comes in two parts has the time of the second.
func TestTLSReadIsStamped(t *testing.T) {
	s := handshake(t, tls.VersionTLS13, ScratchRaw, nil, &tls.Config{SessionTicketsDisabled: true}, &Options{Timestamps: TimestampsSoftware})
	require.Equal(t, TimestampsSoftware, s.client.Timestamps())
	stamped(t, s.client, s.server)
	before := s.client.Stamp()
	require.Equal(t, s.lower.Stamp(), before)

	s.tap.hold = true
	_, err := s.server.Write(pattern(1000, 0))
	require.NoError(t, err)
	p := make([]byte, 2000)
	s.deliver(t, s.tap.wire[:500])
	require.NoError(t, s.client.Wait(testCtx(t), false))
	_, err = s.client.Read(p)
	require.Equal(t, ErrWouldBlock, err)
	half := s.client.Stamp()
	require.NotEqual(t, before, half)
	s.deliver(t, s.tap.wire[500:])
	n, err := readSome(t, s.client, p[:100])
	require.NoError(t, err)
	require.Equal(t, 100, n)
	whole := s.client.Stamp()
	require.NotEqual(t, half, whole)
	_, err = s.client.Read(p) // the rest of the record, without a read below
	require.NoError(t, err)
	require.Equal(t, whole, s.client.Stamp())
}

func TestNoStampsUnlessAskedFor(t *testing.T) {
	s, peer := connect(t, nil)
	require.Equal(t, TimestampsOff, s.Timestamps())
	require.Nil(t, s.receiver, "reads are the plain ones")
	_, err := peer.Write([]byte("x"))
	require.NoError(t, err)
	_, err = readSome(t, s, make([]byte, 8))
	require.NoError(t, err)
	require.Zero(t, s.Stamp())

	above := &TLS{lower: &unstamped{}}
	require.Equal(t, TimestampsOff, above.Timestamps())
	require.Zero(t, above.Stamp())
}

// unstamped is a stream that knows nothing of stamps.
type unstamped struct{ Stream }

// A stamped stream behaves like any other at its end and under a full load.
func TestStampedStreamEnds(t *testing.T) {
	s, peer := connect(t, &Options{Timestamps: TimestampsSoftware, QuickAck: true, SendBuffer: 64 << 10, RecvBuffer: 64 << 10})
	swap(t, s, peer)
	_, err := peer.Write([]byte("bye"))
	require.NoError(t, err)
	require.NoError(t, s.Wait(testCtx(t), false))
	reset(t, peer)
	hungUp(t, s.FD())
	got, err := readAll(t, s)
	require.Equal(t, "bye", string(got))
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestHardwareTimestampsNeedAnInterfaceThatStamps(t *testing.T) {
	l := listen(t)
	for _, o := range []Options{{}, {Interface: "lo"}} {
		o.Timestamps = TimestampsHardware
		_, err := o.Dial(testCtx(t), "tcp://"+l.Addr().String())
		failedIn(t, Connecting, err)
		refused := requireRefused(t, err, "SO_TIMESTAMPING", syscall.EOPNOTSUPP)
		require.Equal(t, "hardware", refused.Value)
		require.ErrorContains(t, err, "interface lo cannot stamp what it receives")
	}
	_, err := (&Options{Timestamps: 9}).Dial(testCtx(t), "tcp://"+l.Addr().String())
	requireRefused(t, err, "SO_TIMESTAMPING", syscall.EINVAL)

	// Where the interface is not known there is no error, and no hardware stamp.
	a, b := pair(t, &Options{Timestamps: TimestampsHardware})
	require.Equal(t, TimestampsHardware, a.Timestamps())
	_, err = b.Write([]byte("x"))
	require.NoError(t, err)
	n, err := a.Read(make([]byte, 8))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Zero(t, a.Stamp().Hardware)
}

func TestHardwareTimestampsOfAnInterface(t *testing.T) {
	requireRefused(t, HardwareTimestamps("lo"), "SO_TIMESTAMPING", syscall.EOPNOTSUPP)
	for _, name := range []string{"nosuch0", "", "a-name-that-is-too-long"} {
		requireRefused(t, HardwareTimestamps(name), "SO_TIMESTAMPING", syscall.ENODEV)
	}
}

func TestReceivingInterface(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fd)
	lo, err := net.InterfaceByName("lo")
	require.NoError(t, err)
	require.Equal(t, "lo", receivingInterface(fd, netip.MustParseAddr("127.0.0.7")))
	require.Empty(t, receivingInterface(fd, netip.MustParseAddr("192.0.2.1")))
	require.Empty(t, receivingInterface(fd, netip.Addr{}))
	interfaces, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		require.NoError(t, err)
		for _, a := range addrs {
			ip := netip.MustParsePrefix(a.String()).Addr()
			if i.Index == lo.Index || ip.IsLinkLocalUnicast() {
				continue
			}
			require.Equal(t, i.Name, receivingInterface(fd, ip), "%v", a)
		}
	}
	require.NoError(t, unix.BindToDevice(fd, "lo"))
	require.Equal(t, "lo", receivingInterface(fd, netip.MustParseAddr("192.0.2.1")))
}

// message is a control message.
func message(level, kind int32, data []byte) []byte {
	b := make([]byte, unix.CmsgSpace(len(data)))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0]))
	h.Level, h.Type = level, kind
	h.SetLen(unix.CmsgLen(len(data)))
	copy(b[unix.SizeofCmsghdr:], data)
	return b
}

// stampMessage is what the kernel writes.
func stampMessage(software, hardware int64) []byte {
	ts := unix.ScmTimestamping{Ts: [3]unix.Timespec{unix.NsecToTimespec(software), {}, unix.NsecToTimespec(hardware)}}
	return message(unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, unsafe.Slice((*byte)(unsafe.Pointer(&ts)), unsafe.Sizeof(ts)))
}

func TestStampOf(t *testing.T) {
	const soft, hard = 1_700_000_000_123_456_789, 1_700_000_037_000_000_001
	both := stampMessage(soft, hard)
	other := message(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 13))
	for name, c := range map[string]struct {
		control []byte
		want    Stamp
	}{
		"none":            {nil, Stamp{}},
		"both":            {both, Stamp{soft, hard}},
		"software":        {stampMessage(soft, 0), Stamp{Software: soft}},
		"behind another":  {append(other[:len(other):len(other)], both...), Stamp{soft, hard}},
		"another":         {other, Stamp{}},
		"another level":   {message(unix.IPPROTO_IP, unix.SCM_TIMESTAMPING, both[16:]), Stamp{}},
		"cut":             {both[:len(both)-1], Stamp{}},
		"header cut":      {both[:unix.SizeofCmsghdr-1], Stamp{}},
		"too short":       {message(unix.SOL_SOCKET, unix.SCM_TIMESTAMPING, make([]byte, 40)), Stamp{}},
		"length 0":        {make([]byte, 64), Stamp{}},
		"length too long": {append([]byte{255, 255, 255, 255, 255, 255, 255, 255}, both[8:]...), Stamp{}},
	} {
		require.Equal(t, c.want, stampOf(c.control), name)
	}
}

func FuzzStampOf(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(stampMessage(1, 2))
	f.Add(append(message(unix.SOL_SOCKET, unix.SO_TIMESTAMP, make([]byte, 13)), stampMessage(3, 0)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := stampOf(append(b, stampMessage(5, 6)...))
		if got := stampOf(b); got != (Stamp{}) && got != whole {
			t.Fatalf("%+v, but with more behind it %+v", got, whole)
		}
	})
}

func TestTimestampsText(t *testing.T) {
	for _, want := range []Timestamps{TimestampsOff, TimestampsSoftware, TimestampsHardware} {
		var got Timestamps
		require.NoError(t, got.UnmarshalText([]byte(want.String())))
		require.Equal(t, want, got)
	}
	var got Timestamps
	require.ErrorContains(t, got.UnmarshalText([]byte("nic")), `"nic"`)
	require.Equal(t, "timestamps 9", Timestamps(9).String())
}

// The bytes lie ready in a socket pair, as AllocsPerRun counts every goroutine.
func TestStampedReadDoesNotAllocate(t *testing.T) {
	for name, o := range map[string]*Options{"plain": nil, "stamped": {Timestamps: TimestampsHardware}} {
		s, peer := pair(t, o)
		m := pattern(200, 0)
		require.Zero(t, testing.AllocsPerRun(100, func() {
			var p [256]byte // on the stack: a read does not make it escape
			if _, err := peer.Write(m); err != nil {
				t.Fatal(err)
			}
			if n, err := s.Read(p[:]); n != len(m) {
				t.Fatal(n, err)
			}
			if _, err := s.Read(p[:]); err != ErrWouldBlock {
				t.Fatal(err)
			}
		}), name)
	}
}

// What a stamp costs: the same bytes over loopback, read one way and the other.
func BenchmarkTCPRead200(b *testing.B) {
	for _, c := range []struct {
		name string
		o    Options
	}{
		{"plain", Options{}},
		{"timestamps", Options{Timestamps: TimestampsSoftware}},
		{"quickack", Options{QuickAck: true}},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, peer := connect(b, &c.o)
			p := make([]byte, 200)
			const batch = 256
			left := 0
			b.ReportAllocs()
			for b.Loop() {
				if left == 0 {
					b.StopTimer()
					for range batch {
						if _, err := peer.Write(p); err != nil {
							b.Fatal(err)
						}
					}
					left = batch
					b.StartTimer()
				}
				left--
				if n, err := s.Read(p); n != len(p) {
					b.Fatal(n, err)
				}
			}
		})
	}
}
