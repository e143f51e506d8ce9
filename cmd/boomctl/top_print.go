package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
)

// print writes --count samples, after a first one that rates are taken from.
func (c *topCmd) print(ctx context.Context, w *observer, t *topScreen, write func(io.Writer, *topScreen) error) error {
	s, err := w.first()
	if err != nil {
		return err
	}
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	for n := 0; c.Count == 0 || n < c.Count; n++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if s, err = w.sample(time.Now(), s); err != nil {
			return err
		}
		t.see(s)
		if err := write(os.Stdout, t); err != nil {
			return err
		}
	}
	return nil
}

// writeTop writes a sample as a screen that has no end: all rows, no colours.
func writeTop(w io.Writer, t *topScreen, width int) error {
	c := term.NewCanvas(width, false)
	t.arrange()
	t.selected = [focuses]*seenBlock{}
	t.drawTitle(c)
	t.drawTables(c, 1<<20)
	_, err := io.WriteString(w, c.String())
	return err
}

// topProcess is a process in JSON.
type topProcess struct {
	PID     int       `json:"pid"`
	Name    string    `json:"name"`
	Started time.Time `json:"started"`
}

// writeTopJSON writes a sample as a line.
func writeTopJSON(w io.Writer, t *topScreen) error {
	t.arrange()
	processes := []topProcess{}
	for _, p := range t.sample.processes {
		processes = append(processes, topProcess{p.PID, p.Name, p.Started})
	}
	return json.NewEncoder(w).Encode(struct {
		At        time.Time     `json:"at"`
		Over      float64       `json:"over_s"`
		Processes []topProcess  `json:"processes"`
		Reactors  []topReactor  `json:"reactors"`
		Endpoints []topEndpoint `json:"endpoints"`
		Rings     []topRing     `json:"rings"`
	}{t.sample.at, t.sample.over.Seconds(), processes, orEmpty(t.shown.reactors), orEmpty(t.shown.endpoints), orEmpty(t.shown.rings)})
}

// orEmpty makes JSON of an empty list [] instead of null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
