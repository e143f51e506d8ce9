package ring

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func mustBytes(t testing.TB, c Config) *Bytes {
	t.Helper()
	b, err := NewBytes(c)
	require.NoError(t, err)
	return b
}

func TestBytesCapacity(t *testing.T) {
	for _, c := range []struct{ ask, got, message int }{
		{0, DefaultBytes, 8192}, {1, MinBytes, 8}, {65, 128, 16}, {4096, 4096, 512},
	} {
		b := mustBytes(t, Config{Capacity: c.ask})
		require.Equal(t, c.got, b.Cap())
		require.Equal(t, c.message, b.MaxMessage())
	}
	_, err := NewBytes(Config{Capacity: -5})
	require.ErrorIs(t, err, ErrCapacity)
	require.ErrorContains(t, err, "-5")
}

// The records as they lie there, byte for byte.
func TestRecordLayout(t *testing.T) {
	b := mustBytes(t, Config{Capacity: 64})
	require.Equal(t, Accepted, b.Offer(3, []byte("abcde")))
	require.Equal(t, Accepted, b.Offer(1<<30, nil))
	want := []byte{13, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c', 'd', 'e', 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0, 0, 0}
	require.Equal(t, want, b.bytes[:32])
	require.Equal(t, 24, b.Len())
	require.Zero(t, uintptr(unsafe.Pointer(&b.bytes[0]))%align)

	require.Equal(t, 2, b.Drain(9, func(int32, []byte) {}))
	for range 2 { // 16 each: to 56, where no more of them fits before the end
		require.Equal(t, Accepted, b.Offer(7, []byte("12345678")))
		require.Equal(t, 1, b.Drain(9, func(int32, []byte) {}))
	}
	require.Equal(t, Accepted, b.Offer(8, []byte("87654321")))
	require.Equal(t, []byte{8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, b.bytes[56:], "padding")
	require.Equal(t, []byte{16, 0, 0, 0, 8, 0, 0, 0, '8', '7', '6', '5', '4', '3', '2', '1', 0, 0, 0, 0, 0, 0, 0, 0}, b.bytes[:24])
	kind, p := b.Peek()
	require.Equal(t, int32(8), kind)
	require.Equal(t, "87654321", string(p))
	require.Equal(t, 8, cap(p), "an append does not reach the next record")
}

// What one side writes shares no pair of lines with what the other one touches.
func TestBytesLayout(t *testing.T) {
	var b Bytes
	end := unsafe.Offsetof(b.core) + unsafe.Sizeof(b.core)
	require.GreaterOrEqual(t, unsafe.Offsetof(b.words), uintptr(line))
	require.GreaterOrEqual(t, unsafe.Offsetof(b.claimed), end)
	require.GreaterOrEqual(t, unsafe.Sizeof(b)-unsafe.Offsetof(b.accepted)-8, uintptr(line))
}

func TestBytesRefuses(t *testing.T) {
	b := mustBytes(t, Config{Capacity: 64})
	p, res := b.TryClaim(9, 1)
	require.Nil(t, p)
	require.Equal(t, TooLarge, res)
	for range 3 { // 16 each, and 8 stay for the next header
		require.Equal(t, Accepted, b.Offer(1, make([]byte, 8)))
	}
	require.Equal(t, BackPressured, b.Offer(1, make([]byte, 8)))
	require.Equal(t, Accepted, b.Offer(1, nil))
	require.Equal(t, BackPressured, b.Offer(1, nil))
	b.Close()
	require.Equal(t, Closed, b.Offer(1, nil))
	require.Equal(t, 4, b.Drain(9, func(int32, []byte) {}), "what was published is still there")
	require.True(t, b.Empty())
	require.Equal(t, Stats{Offered: 8, Refused: 4, HighWater: 56}, b.Stats())
	for _, bad := range []func(){
		func() { b.TryClaim(-1, 1) },
		func() { b.TryClaim(1, 0) },
		func() { b.TryClaim(1, padding) },
		func() { b.Commit(0) },
	} {
		require.Panics(t, bad)
	}
}

func TestClaimIsUnseenUntilCommit(t *testing.T) {
	b := mustBytes(t, Config{Capacity: 256})
	p, _ := b.TryClaim(32, 1)
	copy(p, "draft")
	require.True(t, b.Empty())
	b.Abort()
	require.Panics(t, func() { b.Commit(5) })
	p, _ = b.TryClaim(32, 2)
	require.Equal(t, "draft", string(p[:5]), "the same room")
	require.Panics(t, func() { b.Commit(33) })
	b.Commit(5)
	kind, p := b.Peek()
	require.Equal(t, int32(2), kind)
	require.Equal(t, "draft", string(p))
	require.Equal(t, 16, b.Len())
	b.Release()
	require.True(t, b.Empty())
	require.Zero(t, b.Len())
}

// A message for which the handler panics is there again.
func TestDrainPanics(t *testing.T) {
	b := mustBytes(t, Config{})
	b.Offer(1, []byte("x"))
	require.Panics(t, func() { b.Drain(1, func(int32, []byte) { panic("handler") }) })
	require.Equal(t, 1, b.Drain(1, func(_ int32, p []byte) { require.Equal(t, "x", string(p)) }))
}

func TestBytesWake(t *testing.T) {
	woken := 0
	b := mustBytes(t, Config{Wake: func() { woken++ }})
	require.True(t, b.Park())
	b.TryClaim(4, 1)
	require.Zero(t, woken)
	b.Commit(4)
	b.Offer(1, nil)
	require.Equal(t, 1, woken)
	b.Unpark()
	require.False(t, b.Park(), "there is a message")
}

func TestBytesNoAllocation(t *testing.T) {
	b := mustBytes(t, Config{Capacity: 1024, Wake: func() {}})
	p := make([]byte, 100)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		room, _ := b.TryClaim(100, 1)
		copy(room, p)
		b.Commit(100)
		b.Offer(2, p)
		b.Drain(1, func(int32, []byte) {})
		b.Peek()
		b.Release()
		b.Park()
		b.Unpark()
	}))
}

// FuzzBytes compares with a list, operation by operation. Messages are filled with
// 0xff, so that old bytes read as a header would be a record of any size.
func FuzzBytes(f *testing.F) {
	f.Add([]byte{0, 8, 0, 3, 1, 0, 0, 8, 1, 0, 1, 0})
	f.Add([]byte{2, 7, 3, 2, 0, 8, 4, 0, 0, 8, 5, 3, 0, 5, 5, 9})
	f.Add(bytes.Repeat([]byte{0, 6, 0, 1, 5, 2}, 40))
	f.Fuzz(func(t *testing.T, ops []byte) {
		type record struct {
			kind int32
			p    []byte
		}
		b := mustBytes(t, Config{Capacity: 128})
		var model []record
		next := int32(0)
		same := func(kind int32, p []byte) {
			require.NotEmpty(t, model)
			require.Equal(t, model[0].kind, kind)
			require.Equal(t, string(model[0].p), string(p))
			model = model[1:]
		}
		for ; len(ops) >= 2; ops = ops[2:] {
			n := int(ops[1] % 20)
			switch ops[0] % 6 {
			case 0, 1, 2: // whole, shorter, given up
				next++
				p, res := b.TryClaim(n, next)
				require.Equal(t, n > b.MaxMessage(), res == TooLarge)
				if len(model) == 0 && n <= b.MaxMessage() {
					require.Equal(t, Accepted, res, "an empty ring takes any message")
				}
				if res != Accepted {
					continue
				}
				require.Len(t, p, n)
				for i := range p {
					p[i] = 0xff
				}
				switch ops[0] % 6 {
				case 1:
					n /= 2
				case 2:
					b.Abort()
					continue
				}
				b.Commit(n)
				model = append(model, record{next, bytes.Repeat([]byte{0xff}, n)})
			case 3:
				kind, p := b.Peek()
				require.Equal(t, len(model) == 0, kind == 0)
				if kind != 0 {
					same(kind, p)
					b.Release()
				}
			case 4:
				want := min(n, len(model))
				require.Equal(t, want, b.Drain(n, same))
			case 5:
				next++
				if p := bytes.Repeat([]byte{0xff}, n); b.Offer(next, p) == Accepted {
					model = append(model, record{next, p})
				}
			}
			require.Equal(t, len(model) == 0, b.Empty())
			require.Zero(t, b.words[(b.tail&b.mask)/8], "the next header is none")
			require.Zero(t, b.tail%align)
		}
	})
}

func BenchmarkBytes(b *testing.B) {
	r := mustBytes(b, Config{})
	for b.Loop() {
		p, _ := r.TryClaim(64, 1)
		p[0], p[63] = 1, 2
		r.Commit(64)
		r.Peek()
		r.Release()
	}
}
