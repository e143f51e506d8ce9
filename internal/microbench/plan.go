package microbench

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// item is one case on its CPUs.
type item struct {
	*Case
	cpus     []int
	failed   string // why it is not measured
	distance Distance
}

// Plan is what a run measures, in its order.
type Plan struct {
	items []item
	notes []string
}

// Len is how many measurements there are in a round.
func (p *Plan) Len() int { return len(p.items) }

// NewPlan puts cases on cpus, ascending. Of those that this process may not use the
// results will say so. Pairs are bounded, see [MaxMatrix]; a note says what was left
// out.
func NewPlan(cases []Case, t *affinity.Topology, cpus []int) *Plan {
	p, at := new(Plan), placesOf(t)
	online, usable := t.Online(), t.Online().And(t.Process.Allowed)
	var use []int
	missing := map[int]string{}
	for _, cpu := range cpus {
		switch {
		case usable.Contains(cpu):
			use = append(use, cpu)
		case online.Contains(cpu):
			missing[cpu] = fmt.Sprintf("CPU %d is not one that this process may use, those are %s", cpu, usable)
		case t.Present().Contains(cpu):
			missing[cpu] = fmt.Sprintf("CPU %d is offline", cpu)
		default:
			missing[cpu] = fmt.Sprintf("there is no CPU %d", cpu)
		}
	}
	all := pairsOf(at.matrix(use))
	for i := range cases {
		switch c := &cases[i]; c.Needs {
		case One, Served:
			for _, cpu := range cpus {
				it := item{Case: c, cpus: []int{cpu}, failed: missing[cpu]}
				if c.Needs == Served && it.failed == "" {
					other := at.peer(usable.CPUs(), cpu)
					it.cpus, it.distance = append(it.cpus, other), at.between(cpu, other)
				}
				p.items = append(p.items, it)
			}
		default:
			pairs := all
			if c.Needs == Nearest {
				pairs = at.oneOfEach(all)
			}
			for _, pair := range pairs {
				p.items = append(p.items, item{Case: c, cpus: pair, distance: at.between(pair[0], pair[1])})
			}
			if len(pairs) == 0 && len(cpus) > 0 {
				p.items = append(p.items, item{Case: c, cpus: cpus[:1], failed: "it needs two CPUs that this process may use"})
			}
			if n := len(use) * (len(use) - 1) / 2; c.Needs == Pairs && n > len(all) {
				p.notes = append(p.notes, fmt.Sprintf("%s: %d of %d pairs, those of CPUs %s; --cores chooses others",
					c.Name, len(all), n, affinity.Of(at.matrix(use)...)))
			}
		}
	}
	return p
}

// pairsOf are all pairs of cpus.
func pairsOf(cpus []int) (pairs [][]int) {
	for i, a := range cpus {
		for _, b := range cpus[i+1:] {
			pairs = append(pairs, []int{a, b})
		}
	}
	return pairs
}

// oneOfEach is the first pair of each distance.
func (p places) oneOfEach(pairs [][]int) (some [][]int) {
	var seen []Distance
	for _, pair := range pairs {
		if d := p.between(pair[0], pair[1]); !slices.Contains(seen, d) {
			seen, some = append(seen, d), append(some, pair)
		}
	}
	return some
}

// Limits of the time for one case on one CPU, when nobody says it.
const (
	usualTime  = 300 * time.Millisecond
	leastTime  = 20 * time.Millisecond
	wholeTime  = 25 * time.Second
	minimalRun = time.Microsecond // of a round
)

// Time is how long each case on each CPU is measured unless told otherwise: so that
// all of it takes less than half a minute, as long as that leaves 20 ms for each.
func (p *Plan) Time() time.Duration {
	return min(max(wholeTime/time.Duration(max(len(p.items), 1)), leastTime), usualTime)
}

// Select returns the cases that names ask for, in the order of cases: a topic, a
// name, or either with a * for anything.
func Select(cases []Case, names []string) ([]Case, error) {
	if len(names) == 0 {
		return cases, nil
	}
	chosen := make([]bool, len(cases))
	for _, name := range names {
		found := false
		for i := range cases {
			topic, _, _ := strings.Cut(cases[i].Name, ".")
			if matches(name, cases[i].Name) || matches(name, topic) {
				chosen[i], found = true, true
			}
		}
		if !found {
			return nil, fmt.Errorf("no benchmark is named %q; the topics are %s", name, strings.Join(Topics(cases), ", "))
		}
	}
	var some []Case
	for i := range cases {
		if chosen[i] {
			some = append(some, cases[i])
		}
	}
	return some, nil
}

// Matches says whether names, as for [Select], ask for a result.
func (r *Result) Matches(names []string) bool {
	return len(names) == 0 || slices.ContainsFunc(names, func(name string) bool {
		return matches(name, r.Name) || matches(name, r.Topic())
	})
}

// matches says whether text is pattern, in which a * stands for anything.
func matches(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[last])
}

// Topics are the parts of the names before the dot, in their order.
func Topics(cases []Case) (topics []string) {
	for i := range cases {
		if topic, _, _ := strings.Cut(cases[i].Name, "."); !slices.Contains(topics, topic) {
			topics = append(topics, topic)
		}
	}
	return topics
}
