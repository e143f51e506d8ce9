package cases

import (
	"strconv"
	"time"

	"github.com/boomnet-go/boomnet/internal/microbench"
	"github.com/boomnet-go/boomnet/reactor/selector"
)

// timers are how late one wakes up: what was slept longer than asked for.
func timers() []microbench.Case {
	var all []microbench.Case
	for _, d := range []time.Duration{50 * time.Microsecond, time.Millisecond} {
		all = append(all,
			microbench.Case{Name: "timer.park-" + short(d), What: "how late a park of " + d.String() + " in selector.Epoll ends: timer slack and the wake of a thread",
				Blocks: true, Run: parkLate(d)},
			microbench.Case{Name: "timer.sleep-" + short(d), What: "how late time.Sleep of " + d.String() + " ends: the same by way of the Go scheduler",
				Blocks: true, Run: sleepLate(d)})
	}
	return all
}

// short is a duration in ASCII, for a name.
func short(d time.Duration) string {
	if d < time.Millisecond {
		return strconv.FormatInt(d.Microseconds(), 10) + "us"
	}
	return d.String()
}

func parkLate(d time.Duration) func(*microbench.B) error {
	return func(b *microbench.B) error {
		s, err := selector.New(selector.Epoll)
		if err != nil {
			return err
		}
		defer s.Close()
		events := make([]selector.Event, 1)
		b.Each(func() int64 {
			from := b.Now()
			if _, e := s.Wait(events, d); e != nil {
				err = e
			}
			return max(b.Now()-from-int64(d), 0)
		})
		return err
	}
}

func sleepLate(d time.Duration) func(*microbench.B) error {
	return func(b *microbench.B) error {
		b.Each(func() int64 {
			from := b.Now()
			time.Sleep(d)
			return max(b.Now()-from-int64(d), 0)
		})
		return nil
	}
}
