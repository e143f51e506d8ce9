package system

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/internal/exchange"
	"github.com/boomnet-go/boomnet/proto/ws"
	"github.com/boomnet-go/boomnet/proto/ws/frame"
	"github.com/boomnet-go/boomnet/reactor"
	"github.com/boomnet-go/boomnet/reactor/selector"
	"github.com/boomnet-go/boomnet/stream"
)

// talker asks for trades, answers each message, and remembers by connection what it
// has received and what its connection has counted.
type talker struct {
	endpoint.WebSocket
	reply []byte
	every int // messages between two replies

	mu       sync.Mutex
	seen     map[uint32][]byte // payloads, one behind the other
	counted  map[uint32]ws.Counters
	messages int
	losses   int
}

func newTalker(s *exchange.Server, name, path string) *talker {
	t := &talker{seen: make(map[uint32][]byte), counted: make(map[uint32]ws.Counters), every: 1}
	t.Name, t.URL, t.Options = name, s.URL()+path, options(s)
	t.Policy.FirstDelay, t.Policy.MaxDelay = time.Millisecond, 10*time.Millisecond
	return t
}

func (f *talker) OnData(c *ws.Conn) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for m, ok := c.Next(); ok; m, ok = c.Next() {
		f.seen[c.ID()] = append(f.seen[c.ID()], m.Payload...)
		if f.messages++; f.reply != nil && f.messages%f.every == 0 {
			if err := c.WriteText(f.reply); err != nil && !errors.Is(err, stream.ErrBackPressured) {
				return err
			}
		}
	}
	f.counted[c.ID()] = c.Counters()
	return c.Err()
}

func (f *talker) OnLoss(*endpoint.LossError) endpoint.Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.losses++
	return endpoint.Reconnect
}

func (f *talker) so() (messages, losses int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.messages, f.losses
}

// recorderOf makes the reactor that a Config describes a recorded one.
func recorderOf(t *testing.T, cfg tape.Config) (*tape.Recorder, func(*reactor.Config)) {
	rec, err := tape.New(cfg)
	require.NoError(t, err)
	return rec, func(c *reactor.Config) { c.Tape = rec }
}

// recorded is all that rec has, whose reactor has ended, after the checks that hold
// for every recording.
func recorded(t *testing.T, rec *tape.Recorder) tape.Memory {
	require.True(t, rec.Ended())
	require.Zero(t, rec.Lost())
	var m tape.Memory
	rec.Drain(1<<30, false, m.Keep)
	require.Equal(t, tape.KindBegin, m[0].Kind)
	require.Equal(t, tape.KindEnd, m[len(m)-1].Kind)
	turn, begin, at := uint64(0), int64(0), make(map[uint32]int64)
	for i := range m {
		r := &m[i]
		require.EqualValues(t, i+1, r.Seq)
		if r.Kind == tape.KindClock || r.Kind == tape.KindRead { // a connection's time never goes back
			require.GreaterOrEqual(t, r.At, at[r.Conn], "record %d, %v", i, r.Kind)
			at[r.Conn] = r.At
		}
		if r.Flags&tape.Setup != 0 {
			require.Zero(t, r.Turn)
			continue
		}
		require.True(t, r.Turn == turn || r.Turn == turn+1, "turn %d behind %d", r.Turn, turn)
		if r.Turn == turn {
			require.Equal(t, begin, r.Begin)
		}
		require.True(t, r.Parked == 0 || r.Parked >= r.Begin)
		turn, begin = r.Turn, r.Begin
	}
	return m
}

// of are the records of a connection, set-up included.
func of(m tape.Memory, num uint32) (out tape.Memory) {
	for i := range m {
		if m[i].Conn == num {
			out = append(out, m[i])
		}
	}
	return out
}

// count is how many records of a kind there are.
func count(m tape.Memory, kind tape.Kind) (n int) {
	for i := range m {
		if m[i].Kind == kind {
			n++
		}
	}
	return n
}

// wire is what a connection's records have of each direction behind the handshake.
func wire(m tape.Memory) (in, out []byte) {
	for i := range m {
		switch m[i].Kind {
		case tape.KindRead:
			in = append(in, m[i].Data...)
		case tape.KindWrite, tape.KindControl:
			out = append(out, m[i].Data...)
		}
	}
	_, in, _ = bytes.Cut(in, []byte("\r\n\r\n"))
	_, out, _ = bytes.Cut(out, []byte("\r\n\r\n"))
	return in, out
}

// frames reads the frames of one direction.
func frames(t *testing.T, b []byte) (payloads []byte, ops map[frame.Opcode]int) {
	ops = make(map[frame.Opcode]int)
	for len(b) > 0 {
		h, n, err := frame.ParseHeader(b)
		require.NoError(t, err)
		if n == 0 || uint64(len(b)-n) < h.Length {
			break // the last one is not whole
		}
		p := bytes.Clone(b[n : n+int(h.Length)])
		if h.Masked {
			frame.Mask(p, h.Key, 0)
		}
		ops[h.Opcode]++
		if h.Opcode < frame.Close {
			payloads = append(payloads, p...)
		}
		b = b[n+int(h.Length):]
	}
	return payloads, ops
}

// What is recorded of a connection is what it read and wrote, byte for byte, over
// plain TCP and above TLS, with both selectors.
func TestARecordingHasEveryByte(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		srv := w.exchange(t, exchange.Config{Rate: 2000, Seed: 3})
		rec, taped := recorderOf(t, tape.Config{})
		f := newTalker(srv, "echo", "/ws/btcusdt@trade/ethusdt@trade")
		f.reply, f.every = []byte(`{"method":"LIST_SUBSCRIPTIONS","id":1}`), 10
		t.Run("live", func(t *testing.T) {
			r := w.reactor(t, taped)
			_, err := reactor.Register(r, f)
			require.NoError(t, err)
			waitFor(t, "messages", func() bool { n, _ := f.so(); return n > 600 })
		})
		m := recorded(t, rec)
		mine := of(m, 1)
		layer := tape.Plain
		if w.secure {
			layer = tape.AboveTLS
		}
		for i := range mine {
			if mine[i].Kind == tape.KindDialed {
				require.Contains(t, string(mine[i].Data), `"layer":"`+layer+`"`)
				require.Contains(t, string(mine[i].Data), srv.Addr().String())
			}
		}
		in, out := wire(mine)
		got, ops := frames(t, in)
		require.True(t, bytes.HasPrefix(got, f.seen[1]), "what the endpoint saw is what was recorded")
		require.Equal(t, 1, ops[frame.Close])
		// Counted at the last OnData: what came after it is the close frame, and
		// what the orderly end has skipped.
		require.LessOrEqual(t, f.counted[1].BytesRead, int64(len(in)))
		require.LessOrEqual(t, int64(len(in))-f.counted[1].BytesRead, int64(1<<20))
		sent, ops := frames(t, out)
		written, last := int64(len(out)), int64(0)
		if f.counted[1].Writes == int64(ops[frame.Text]) { // the close frame came after the last OnData
			written, last = written-closeFrame, 1
		}
		require.EqualValues(t, ops[frame.Text]+1, f.counted[1].Writes+last)
		require.Equal(t, written, f.counted[1].BytesWritten)
		require.Equal(t, bytes.Repeat(f.reply, ops[frame.Text]), sent)
		require.Equal(t, 1, ops[frame.Close])
		require.Equal(t, []tape.Kind{tape.KindConnect}, kinds(mine)[:1])
		require.Equal(t, 1, count(mine, tape.KindClose))
		require.Equal(t, 1, count(mine, tape.KindOutcome))
		require.Equal(t, 1, count(m, tape.KindRegister))
		require.Equal(t, 1, count(m, tape.KindStop))
	})
}

// closeFrame is the length of a client's close frame: header, key, code.
const closeFrame = 2 + 4 + 2

func kinds(m tape.Memory) (all []tape.Kind) {
	for i := range m {
		all = append(all, m[i].Kind)
	}
	return all
}

// What the exchange has received is what the recording has of writes: it echoes.
func TestWhatIsRecordedAsWrittenIsWhatTheExchangeReceives(t *testing.T) {
	bothWays(t, func(t *testing.T, w world) {
		srv := w.exchange(t, exchange.Config{})
		rec, taped := recorderOf(t, tape.Config{})
		f := newTalker(srv, "echo", "/echo")
		var want []byte
		t.Run("live", func(t *testing.T) {
			r := w.reactor(t, taped)
			h, err := reactor.Register(r, f)
			require.NoError(t, err)
			waitFor(t, "the connection", func() bool { i, err := r.Lookup(h.ID()); return err == nil && i.State == endpoint.Open })
			for i := range 50 {
				// Longer than the kernel takes at once, now and then.
				p := []byte(strings.Repeat(fmt.Sprintf("message %d ", i), 1+i%7*3000))
				want = append(want, p...)
				sent := make(chan error, 1)
				for {
					require.NoError(t, reactor.Dispatch(r, h, func(_ *talker, c *ws.Conn) { sent <- c.WriteText(p) }))
					err := <-sent
					if err == nil {
						break
					}
					require.ErrorIs(t, err, stream.ErrBackPressured)
					time.Sleep(time.Millisecond)
				}
			}
			waitFor(t, "the echo", func() bool {
				f.mu.Lock()
				defer f.mu.Unlock()
				return len(f.seen[1]) == len(want)
			})
		})
		m := recorded(t, rec)
		in, out := wire(of(m, 1))
		sent, _ := frames(t, out)
		back, _ := frames(t, in)
		require.True(t, bytes.Equal(want, sent))
		require.True(t, bytes.Equal(want, back))
		require.GreaterOrEqual(t, count(m, tape.KindCall), 50, "what Dispatch called is only counted")
	})
}

// Below TLS the recording has what was on the wire, and by opt-in the keys for it.
func TestBelowTLSTheRecordingHasTheWire(t *testing.T) {
	for _, secrets := range []bool{false, true} {
		t.Run(fmt.Sprintf("secrets=%v", secrets), func(t *testing.T) {
			w := world{secure: true}
			srv := w.exchange(t, exchange.Config{Rate: 1000})
			rec, taped := recorderOf(t, tape.Config{BelowTLS: true, Secrets: secrets})
			f := newTalker(srv, "quotes", "/ws/btcusdt@trade")
			t.Run("live", func(t *testing.T) {
				r := w.reactor(t, taped)
				_, err := reactor.Register(r, f)
				require.NoError(t, err)
				waitFor(t, "messages", func() bool { n, _ := f.so(); return n > 100 })
			})
			m := recorded(t, rec)
			var in, out, keys []byte
			for i := range m {
				switch m[i].Kind {
				case tape.KindRead:
					in = append(in, m[i].Data...)
				case tape.KindWrite, tape.KindControl:
					out = append(out, m[i].Data...)
				case tape.KindSecrets:
					keys = append(keys, m[i].Data...)
				case tape.KindDialed:
					require.Contains(t, string(m[i].Data), tape.BelowTLS)
				}
			}
			for _, way := range [][]byte{in, out} {
				records := 0
				for len(way) > 0 { // TLS records without a gap
					require.GreaterOrEqual(t, len(way), 5)
					require.True(t, way[0] >= 20 && way[0] <= 23, "record type %d", way[0])
					size := 5 + int(way[3])<<8 + int(way[4])
					if len(way) < size {
						break
					}
					way = way[size:]
					records++
				}
				require.Greater(t, records, 2)
			}
			require.Greater(t, len(in), len(f.seen[1]))
			require.NotContains(t, string(in), "HTTP/1.1 101")
			if secrets {
				require.Contains(t, string(keys), "CLIENT_TRAFFIC_SECRET_0 ")
				require.Contains(t, string(keys), "SERVER_TRAFFIC_SECRET_0 ")
			} else {
				require.Empty(t, keys)
			}
		})
	}
}

// Whatever the exchange does to connections, the recording has a begin and an end of
// each, the reason in words, and the retries between them.
func TestARecordingHasEveryConnection(t *testing.T) {
	for _, query := range []string{"fault=rst&after=3", "fault=fin&after=3", "fault=close&after=3&code=1012", "fault=garbage&after=3",
		"fault=bad-utf8&after=3", "fault=refuse&code=503", "fault=upgrade-drop", "fault=upgrade-garbage", "fault=split&after=1", "fault=bad-unfinished&after=3"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			w := world{sel: selector.Epoll}
			srv := w.exchange(t, exchange.Config{Rate: 1000})
			rec, taped := recorderOf(t, tape.Config{})
			f := newTalker(srv, "unlucky", "/ws/btcusdt@trade?"+query)
			split := strings.Contains(query, "split")
			t.Run("live", func(t *testing.T) {
				r := w.reactor(t, taped)
				_, err := reactor.Register(r, f)
				require.NoError(t, err)
				waitFor(t, "losses", func() bool { n, l := f.so(); return l > 3 || split && n > 20 })
			})
			m := recorded(t, rec)
			connects, lost, states := count(m, tape.KindConnect), count(m, tape.KindLost), 0
			require.Equal(t, connects, lost, "each connection has an end")
			require.GreaterOrEqual(t, count(m, tape.KindRetryAt), connects)
			for num := uint32(1); num <= uint32(connects); num++ {
				mine := of(m, num)
				require.Equal(t, tape.KindConnect, mine[0].Kind)
				require.Equal(t, "unlucky", string(mine[0].Text))
				require.EqualValues(t, num, mine[0].Arg)
				require.LessOrEqual(t, count(mine, tape.KindOutcome), 1)
				if count(mine, tape.KindDialed) == 1 && count(mine, tape.KindOutcome) == 1 {
					require.GreaterOrEqual(t, count(mine, tape.KindClose), 1)
				}
				states += count(mine, tape.KindState)
				if len(f.seen[num]) > 0 {
					in, _ := wire(mine)
					if !strings.Contains(query, "garbage") && !strings.Contains(query, "bad") {
						got, _ := frames(t, in)
						require.True(t, bytes.HasPrefix(got, f.seen[num]))
					}
				}
			}
			require.Positive(t, states)
		})
	}
}

// A renewal is two connections of one endpoint for a while: each has records of its
// own, and their roles are told apart.
func TestARenewalIsRecorded(t *testing.T) {
	w := world{sel: selector.Epoll}
	srv := w.exchange(t, exchange.Config{Rate: 500})
	rec, taped := recorderOf(t, tape.Config{})
	f := newTalker(srv, "renews", "/ws/btcusdt@trade")
	f.Policy.TimeToLive, f.Policy.Overlap = 50*time.Millisecond, 10*time.Millisecond
	t.Run("live", func(t *testing.T) {
		r := w.reactor(t, taped)
		_, err := reactor.Register(r, f)
		require.NoError(t, err)
		waitFor(t, "renewals", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.seen) >= 4 })
	})
	m := recorded(t, rec)
	var roles []int64
	for i := range m {
		if m[i].Kind == tape.KindConnect {
			roles = append(roles, m[i].Arg2)
		}
	}
	require.GreaterOrEqual(t, len(roles), 4)
	require.Equal(t, int64(0), roles[0])
	for _, role := range roles[1:] {
		require.Equal(t, int64(1), role)
	}
	for num, seen := range f.seen {
		in, _ := wire(of(m, num))
		got, _ := frames(t, in)
		require.True(t, bytes.HasPrefix(got, seen), "connection %d", num)
	}
}

// A connection whose peer does not read is recorded as it was: what was queued, what
// was refused, when there was room again.
func TestBackPressureIsRecorded(t *testing.T) {
	for _, sel := range []selector.Kind{selector.Epoll, selector.Direct} {
		t.Run(sel.String(), func(t *testing.T) {
			listener, err := net.Listen("tcp", "127.0.0.1:0")
			require.NoError(t, err)
			defer listener.Close()
			reads := make(chan struct{})
			received := make(chan []byte, 1)
			go func() {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				_ = c.(*net.TCPConn).SetReadBuffer(16 << 10)
				if answer, err := acceptUpgrade(c); err == nil {
					_, _ = c.Write(answer)
				}
				<-reads
				all, _ := io.ReadAll(c)
				received <- all
			}()
			rec, taped := recorderOf(t, tape.Config{})
			f := &talker{seen: make(map[uint32][]byte), counted: make(map[uint32]ws.Counters)}
			f.URL = "ws://" + listener.Addr().String()
			f.Options.Stream.QueueBound, f.Options.Stream.SendBuffer = 64<<10, 8<<10
			f.Options.CloseTimeout = 10 * time.Millisecond
			p := bytes.Repeat([]byte("x"), 10_000)
			accepted, refused := 0, 0
			t.Run("live", func(t *testing.T) {
				r := world{sel: sel}.reactor(t, taped)
				h, err := reactor.Register(r, f)
				require.NoError(t, err)
				waitFor(t, "the connection", func() bool { i, err := r.Lookup(h.ID()); return err == nil && i.State == endpoint.Open })
				fill := func() error {
					return reactor.Call(context.Background(), r, h, func(_ *talker, c *ws.Conn) error {
						for range 1000 {
							switch err := c.WriteText(p); {
							case err == nil:
								accepted++
							case errors.Is(err, stream.ErrBackPressured):
								refused++
								return nil
							default:
								return err
							}
						}
						return nil
					})
				}
				for range 5 {
					require.NoError(t, fill())
				}
				require.Positive(t, refused)
				close(reads)
				waitFor(t, "room", func() bool {
					queued := -1
					require.NoError(t, reactor.Call(context.Background(), r, h, func(_ *talker, c *ws.Conn) error {
						queued = c.Queued()
						return nil
					}))
					return queued == 0
				})
			})
			m := recorded(t, rec)
			mine := of(m, 1)
			queued, gotRefused := false, 0
			for i := range mine {
				if mine[i].Kind == tape.KindWrite {
					queued = queued || mine[i].Arg > 0
					if mine[i].Err.Class == tape.BackPressured {
						require.Greater(t, mine[i].Arg2, int64(len(p)))
						require.Empty(t, mine[i].Data)
						gotRefused++
					}
				}
			}
			require.True(t, queued)
			require.Equal(t, refused, gotRefused)
			require.Positive(t, count(mine, tape.KindWritable))
			require.Positive(t, count(mine, tape.KindFlush))
			_, out := wire(mine)
			require.True(t, bytes.Equal(<-received, out), "what was accepted is what has arrived")
			sent, _ := frames(t, out)
			require.Equal(t, accepted*len(p), len(sent))
		})
	}
}

// Kernel stamps are recorded beside the reads they are of.
func TestKernelStampsAreRecorded(t *testing.T) {
	w := world{sel: selector.Epoll}
	srv := w.exchange(t, exchange.Config{Rate: 500})
	rec, taped := recorderOf(t, tape.Config{})
	f := newTalker(srv, "stamped", "/ws/btcusdt@trade")
	f.Options.Stream.Timestamps = stream.TimestampsSoftware
	t.Run("live", func(t *testing.T) {
		r := w.reactor(t, taped)
		_, err := reactor.Register(r, f)
		require.NoError(t, err)
		waitFor(t, "messages", func() bool { n, _ := f.so(); return n > 200 })
	})
	m := recorded(t, rec)
	reads, stamps := 0, 0
	for i := range m {
		if m[i].Kind == tape.KindRead && m[i].Err.Class == tape.OK {
			require.Len(t, m[i].Text, 16)
			reads++
			if !slices.Equal(m[i].Text, make([]byte, 16)) {
				stamps++
			}
		}
	}
	require.Greater(t, stamps, reads/2)
}

// A drainer that runs beside the reactor and its set-ups gets the same: each record
// once, in order, while connections of several endpoints come and go.
func TestARecordingIsDrainedWhileItRuns(t *testing.T) {
	w := world{sel: selector.Epoll}
	srv := w.exchange(t, exchange.Config{Rate: 1000, FaultsEvery: 3 * time.Millisecond, Faults: []exchange.Fault{{Kind: exchange.FIN}, {Kind: exchange.RST}, {Kind: exchange.Garbage}}})
	rec, taped := recorderOf(t, tape.Config{})
	var all []*talker
	for i := range 8 {
		all = append(all, newTalker(srv, fmt.Sprintf("endpoint %d", i), "/ws/btcusdt@trade"))
	}
	next, lost := uint64(1), make(map[uint32]int)
	var drainer sync.WaitGroup
	drainer.Go(func() {
		for last := false; !last; {
			last = rec.Ended()
			for rec.Drain(64, false, func(r *tape.Record) {
				if r.Seq != next {
					t.Errorf("record %d behind %d", r.Seq, next-1)
				}
				next = r.Seq + 1
				if r.Kind == tape.KindLost {
					lost[r.Conn]++
				}
			}) > 0 {
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	t.Run("live", func(t *testing.T) {
		r := w.reactor(t, taped)
		for _, f := range all {
			_, err := reactor.Register(r, f)
			require.NoError(t, err)
		}
		waitFor(t, "losses", func() bool {
			losses := 0
			for _, f := range all {
				_, l := f.so()
				losses += l
			}
			return losses > 60
		})
	})
	drainer.Wait()
	require.Zero(t, rec.Lost())
	require.Greater(t, len(lost), 60)
	for num, n := range lost {
		require.Equal(t, 1, n, "connection %d", num)
	}
}
