package system

import (
	"context"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/capture/tape"
	"github.com/boomnet-go/boomnet/endpoint"
	"github.com/boomnet-go/boomnet/reactor"
)

// players replays m for the endpoints in names, all if there are none, and tells how
// Run ended.
func rerun(t testing.TB, m tape.Recording, url string, roots *tls.Config, cfg reactor.Config, names ...string) (*journal, *tape.Player, error) {
	p, err := tape.NewPlayer(m, tape.PlayConfig{})
	require.NoError(t, err)
	j := new(journal)
	cfg.Replay = p
	cfg.Seams.Observer = func(e endpoint.Event) { j.note("event %+v", flat(e)) }
	r, err := reactor.New(cfg)
	require.NoError(t, err)
	for _, w := range witnesses(url, roots, j, nil) {
		if len(names) == 0 || slices.Contains(names, w.Name) {
			_, err := reactor.Register(r, w)
			require.NoError(t, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err = r.Run(ctx)
	require.NoError(t, ctx.Err(), "the replay hangs")
	return j, p, err
}

// flows are the records by what they belong to: the reactor's own, and each
// connection's set-up, each in its order. Set-ups run beside the reactor, so their
// places among its records are not the same twice. Closes have no time in a replay, and
// how far a set-up comes, and what it says in the end, when it is interrupted is chance
// that nobody sees: those are not among them.
func flows(m tape.Memory) map[string][]string {
	of := make(map[string][]string)
	reported := map[uint32]bool{0: true}
	lost := make(map[uint32]bool)
	for _, rec := range m {
		switch rec.Kind {
		case tape.KindLost:
			lost[rec.Conn] = true
		case tape.KindOutcome:
			reported[rec.Conn] = !lost[rec.Conn]
		}
	}
	for _, rec := range m {
		if rec.Kind == tape.KindOutcome && !reported[rec.Conn] {
			rec.Err = tape.Error{}
		}
		if rec.Flags&tape.Setup != 0 && !reported[rec.Conn] {
			continue
		}
		key := "reactor"
		if rec.Flags&tape.Setup != 0 {
			key = fmt.Sprintf("set-up %d", rec.Conn)
		}
		rec.Seq = 0
		if rec.Kind == tape.KindClose || rec.Kind == tape.KindEnd {
			rec.At = 0
		}
		of[key] = append(of[key], fmt.Sprintf("%v %+v", rec.Kind, rec))
	}
	return of
}

// A replay that is recorded makes the recording that it plays, record by record.
func TestTheRecordingOfAReplayIsTheRecording(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%v", secure), func(t *testing.T) {
			live, m, url, roots := record(t, secure)
			want := flows(m)
			for range 3 {
				rec, err := tape.New(tape.Config{})
				require.NoError(t, err)
				j, p, err := rerun(t, m, url, roots, reactor.Config{Tape: rec})
				require.NoError(t, err)
				same(t, live.String(), j.String(), "a replay that is recorded")
				first, _ := p.Divergences()
				require.Empty(t, first)
				var again tape.Memory
				rec.Drain(1<<30, false, again.Keep)
				require.Zero(t, rec.Lost())
				got := flows(again)
				require.Len(t, got, len(want))
				for key := range want {
					same(t, strings.Join(want[key], "\n"), strings.Join(got[key], "\n"), key)
				}
			}
		})
	}
}

// A thousand replays are the run a thousand times.
func TestAThousandReplaysAreTheRunAThousandTimes(t *testing.T) {
	live, m, url, roots := record(t, false)
	times := 1000
	if testing.Short() {
		times = 50
	}
	for i, began := 0, time.Now(); i < times; i++ {
		if time.Since(began) > 15*time.Second {
			t.Logf("a slow machine: %d replays", i)
			break
		}
		j, p, err := rerun(t, m, url, roots, reactor.Config{})
		require.NoError(t, err)
		same(t, live.String(), j.String(), fmt.Sprintf("replay %d", i))
		_, total := p.Divergences()
		require.Zero(t, total)
	}
}

// of is what a journal says of one endpoint.
func (j *journal) of(name string) string {
	var lines []string
	for line := range strings.Lines(j.String()) {
		if strings.HasPrefix(line, name+" ") || strings.Contains(line, "Name:"+name+" ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "")
}

// Endpoints of the recording that are not there are left out; the others see what
// they saw, but for the number of their place.
func TestEndpointsCanBeLeftOutOfAReplay(t *testing.T) {
	live, m, url, roots := record(t, false)
	for _, names := range [][]string{{"steady"}, {"resets", "renews"}, {"nobody"}, {"packed", "refused", "garbage"}} {
		j, p, err := rerun(t, m, url, roots, reactor.Config{}, names...)
		require.NoError(t, err)
		first, _ := p.Divergences()
		require.Empty(t, first, names)
		for _, name := range names {
			require.NotEmpty(t, j.of(name))
			same(t, slotless(live.of(name)), slotless(j.of(name)), name)
		}
	}
}

// slotless is s without the places of endpoints.
func slotless(s string) string {
	for i := range 10 {
		s = strings.ReplaceAll(s, fmt.Sprintf("Slot:%d ", i), "Slot:- ")
	}
	return s
}

// An endpoint that the recording does not have is told of, with the names it has.
func TestAnEndpointThatTheRecordingDoesNotHave(t *testing.T) {
	_, m, url, _ := record(t, false)
	p, err := tape.NewPlayer(m, tape.PlayConfig{})
	require.NoError(t, err)
	r, err := reactor.New(reactor.Config{Replay: p})
	require.NoError(t, err)
	w := &witness{j: new(journal)}
	w.Name, w.URL = "stranger", url+"/ws"
	_, err = reactor.Register(r, w)
	require.NoError(t, err)
	require.NoError(t, r.Run(context.Background()))
	first, total := p.Divergences()
	require.Equal(t, 1, total)
	require.Equal(t, "stranger", first[0].Endpoint)
	require.Contains(t, first[0].Error(), `"steady"`)
}

// Every part from the beginning is a recording: of a process that was killed. What
// happened until then happens again.
func TestARecordingThatEndsAnywhereIsPlayedToThere(t *testing.T) {
	live, m, url, roots := record(t, false)
	lines := strings.SplitAfter(live.String(), "\n")
	parts := 60
	if testing.Short() {
		parts = 15
	}
	for range parts {
		n := 1 + rand.IntN(len(m)-1)
		j, p, err := rerun(t, m[:n], url, roots, reactor.Config{})
		require.NoError(t, err)
		require.False(t, p.Complete())
		got := strings.SplitAfter(j.String(), "\n")
		equal := 0
		for equal < len(got) && equal < len(lines) && got[equal] == lines[equal] {
			equal++
		}
		// Behind that stand what the last turn, half recorded, has let happen and the
		// end of everything that stood.
		require.Greater(t, equal, len(got)-200, "%d of %d records", n, len(m))
	}
}

// The end of the context ends a replay, Abort does, and so does Close between polls.
func TestAReplayCanBeEnded(t *testing.T) {
	_, m, url, roots := record(t, false)
	start := func() (*tape.Player, *reactor.Reactor) {
		p, err := tape.NewPlayer(m, tape.PlayConfig{Speed: 1e-6}) // for days
		require.NoError(t, err)
		r, err := reactor.New(reactor.Config{Replay: p})
		require.NoError(t, err)
		for _, w := range witnesses(url, roots, new(journal), nil) {
			_, err := reactor.Register(r, w)
			require.NoError(t, err)
		}
		return p, r
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, r := start()
	require.NoError(t, r.Run(ctx))

	p, r := start()
	time.AfterFunc(20*time.Millisecond, p.Abort)
	require.ErrorIs(t, r.Run(context.Background()), tape.ErrAborted)
	_, err := reactor.New(reactor.Config{Replay: p})
	require.ErrorIs(t, err, tape.ErrInUse)

	_, r = start()
	for range 10 {
		_, err := r.Poll()
		require.NoError(t, err)
	}
	require.NoError(t, r.Close())
}

// Poll after Poll plays turn after turn, to ErrEnd.
func TestAReplayByPoll(t *testing.T) {
	live, m, url, roots := record(t, false)
	j, p, r := replay(t, m, url, roots)
	for err := error(nil); err == nil; {
		if _, err = r.Poll(); err != nil {
			require.ErrorIs(t, err, tape.ErrEnd)
		}
	}
	require.NoError(t, r.Close())
	same(t, live.String(), j.String(), "by Poll")
	_, total := p.Divergences()
	require.Zero(t, total)
}

// Damaged recordings are played, whatever comes of it: no panic, no hang, memory in
// bounds.
func TestADamagedRecordingIsPlayed(t *testing.T) {
	_, m, url, roots := record(t, false)
	seeds := uint64(40)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		playDamaged(t, damaged(m, seed, 100), url, roots)
	}
}

func FuzzPlayer(f *testing.F) {
	_, m, url, roots := record(f, false)
	f.Add(uint64(1), uint16(100))
	f.Add(uint64(2), uint16(1000))
	f.Add(uint64(3), uint16(10))
	f.Fuzz(func(t *testing.T, seed uint64, oneIn uint16) {
		playDamaged(t, damaged(m, seed, max(9, int(oneIn))), url, roots)
	})
}

func playDamaged(t testing.TB, m tape.Memory, url string, roots *tls.Config) {
	if _, err := tape.NewPlayer(m, tape.PlayConfig{}); err != nil {
		return
	}
	_, p, _ := rerun(t, m, url, roots, reactor.Config{})
	first, _ := p.Divergences()
	require.LessOrEqual(t, len(first), 100)
}

// damaged is m with nine of oneIn records lost, doubled, changed or out of order.
func damaged(m tape.Memory, seed uint64, oneIn int) (bad tape.Memory) {
	random := rand.New(rand.NewPCG(seed, 1))
	for _, rec := range m {
		switch random.IntN(oneIn) {
		case 0:
			continue
		case 1:
			bad = append(bad, rec)
		case 2:
			rec.Arg = int64(random.Uint64())
		case 3:
			rec.Conn, rec.Slot = random.Uint32N(20), random.Uint32N(12)
		case 4:
			if len(rec.Data) > 0 {
				rec.Data = append([]byte(nil), rec.Data...)
				rec.Data[random.IntN(len(rec.Data))] ^= 0x40
			}
		case 5:
			rec.Err.Class = tape.Class(random.IntN(256))
		case 6:
			rec.Kind = tape.Kind(random.IntN(256))
		case 7:
			rec.Flags = tape.Flags(random.IntN(256))
		case 8:
			if n := len(bad); n > 0 {
				bad[n-1], rec = rec, bad[n-1]
			}
		}
		bad = append(bad, rec)
	}
	return bad
}
