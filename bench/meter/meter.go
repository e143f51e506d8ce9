package meter

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/boomnet-go/boomnet/clock"
)

// Meter takes the measurements of one run. One goroutine uses it, and while it
// measures it does not allocate.
type Meter struct {
	name  string
	work  Work
	paced bool

	messages  int
	startWall int64
	startCPU  int64
	wall, cpu int64   // spent; set by Stop
	samples   []int64 // ns: a round of a burst, or the age of a message

	round int // of a burst; negative while warming up
	asked int64
	sink  byte
}

// New makes a meter for the client of that name.
func New(name string, w Work) *Meter {
	n := 0
	switch w.Mode {
	case Burst:
		n = w.Iterations
	case Paced:
		n = w.N
	}
	samples := make([]int64, n)
	for i := range samples {
		samples[i] = 1 // the page is there before the clock runs
	}
	return &Meter{name: name, work: w, paced: w.Mode == Paced, samples: samples[:0], round: -warmUp}
}

// Message counts one message, and notes in paced work how old it is.
func (m *Meter) Message(p []byte) {
	if m.messages == 0 && m.work.Mode != Burst {
		m.start()
	}
	m.messages++
	if !m.paced {
		m.sink += p[0]
		return
	}
	if len(m.samples) < cap(m.samples) {
		m.samples = append(m.samples, clock.Nano()-stamp(p))
	}
}

// stamp reads the sender's clock: 19 digits behind `{"T":"`.
func stamp(p []byte) (ns int64) {
	for _, c := range p[6:25] {
		ns = ns*10 + int64(c-'0')
	}
	return ns
}

// Ask begins a round of a burst; send the question next.
func (m *Meter) Ask() {
	if m.round == 0 {
		m.start()
	}
	m.asked = clock.Nano()
}

// Answered ends a round of a burst. It reports whether there is another.
func (m *Meter) Answered() bool {
	if m.round >= 0 {
		m.samples = append(m.samples, clock.Nano()-m.asked)
	}
	m.round++
	return m.round < m.work.Iterations
}

func (m *Meter) start() {
	m.messages = 0
	m.startCPU = cpu()
	m.startWall = clock.Nano()
}

// cpu is the processor time of this process so far, in ns.
func cpu() int64 {
	var u unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &u) // cannot fail with these arguments
	return u.Utime.Nano() + u.Stime.Nano()
}

// Line is what a client prints.
type Line struct {
	Name     string  `json:"name"`
	Mode     Mode    `json:"mode"`
	Messages int     `json:"msgs"`
	PerMsg   float64 `json:"ns_per_msg,omitempty"`
	CPU      float64 `json:"cpu_ns_per_msg,omitempty"`
	P50      float64 `json:"p50_us,omitempty"`
	P99      float64 `json:"p99_us,omitempty"`
	P999     float64 `json:"p999_us,omitempty"`
	Max      float64 `json:"max_us,omitempty"`
}

// Stop ends the run: what comes between it and Done is not measured.
func (m *Meter) Stop() {
	if m.wall == 0 {
		m.wall, m.cpu = clock.Nano()-m.startWall, cpu()-m.startCPU
	}
}

// Done ends the run, if Stop did not, and prints its line. It is an error when
// less came than the work asks for.
func (m *Meter) Done() error {
	m.Stop()
	l, err := m.line()
	if err != nil {
		return err
	}
	return l.print(os.Stdout)
}

func (m *Meter) line() (Line, error) {
	want, got, unit := m.work.N, m.messages, "messages"
	if m.work.Mode == Burst {
		want, got, unit = m.work.Iterations, len(m.samples), "rounds"
	}
	if got < want {
		return Line{}, fmt.Errorf("meter: %d %s of %d", got, unit, want)
	}
	l := Line{Name: m.name, Mode: m.work.Mode, Messages: m.messages}
	samples := m.samples
	switch m.work.Mode {
	case Burst:
		l.Messages = m.work.N * m.work.Iterations
	case Paced:
		samples = samples[len(samples)/10:]
		l.Messages = len(samples)
	}
	if m.work.Mode != Paced {
		l.PerMsg = float64(m.wall) / float64(l.Messages)
		l.CPU = float64(m.cpu) / float64(l.Messages)
	}
	if len(samples) > 0 {
		slices.Sort(samples)
		l.P50, l.P99, l.P999, l.Max = percentile(samples, .5), percentile(samples, .99), percentile(samples, .999), percentile(samples, 1)
	}
	return l, nil
}

// percentile of sorted samples, in microseconds.
func percentile(sorted []int64, share float64) float64 {
	i := min(int(float64(len(sorted))*share), len(sorted)-1)
	return float64(sorted[i]) / 1e3
}

func (l Line) print(w io.Writer) error {
	round := func(v float64) float64 { return float64(int64(v*100+.5)) / 100 }
	for _, v := range []*float64{&l.PerMsg, &l.CPU, &l.P50, &l.P99, &l.P999, &l.Max} {
		*v = round(*v)
	}
	return json.NewEncoder(w).Encode(l)
}
