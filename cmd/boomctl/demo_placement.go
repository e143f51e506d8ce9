package main

import (
	"errors"
	"fmt"
	"slices"
)

// placement is who runs on which CPU.
type placement struct {
	reactor, exchange int
	rest              []int  // for the other threads of this process; empty: wherever the kernel puts them
	text              string // all of it in a sentence
	tuned             string // what was changed for the whole process
}

// choosePlacement gives the reactor a CPU that nobody else here uses, as far as
// there are enough. cpus are those available, ascending; a wish below 0 is none.
//
// The threads beside a reactor that parks are kept off its CPU. Beside one that
// is busy they are not: it keeps its CPU without that, and when the Go runtime
// hands its processor from thread to thread, threads that all wait for one other
// CPU would make it wait with them.
func choosePlacement(cpus []int, reactor, exchange int, busy bool) (placement, error) {
	if len(cpus) == 0 {
		return placement{}, errors.New("demo: no CPU is available")
	}
	for _, wish := range []struct {
		flag string
		cpu  int
	}{{"--cpu", reactor}, {"--exchange-cpu", exchange}} {
		if wish.cpu >= 0 && !slices.Contains(cpus, wish.cpu) {
			return placement{}, fmt.Errorf("demo: %s %d: available are %v", wish.flag, wish.cpu, cpus)
		}
	}
	p := placement{reactor: reactor, exchange: exchange}
	if p.reactor < 0 {
		// The last one: the kernel likes to do its own work on the first.
		p.reactor = last(cpus, p.exchange)
	}
	if p.exchange < 0 {
		p.exchange = first(cpus, p.reactor)
	}
	if !busy && len(cpus) > 1 {
		for _, cpu := range cpus {
			if cpu != p.reactor {
				p.rest = append(p.rest, cpu)
			}
		}
	}
	p.text = p.describe(len(cpus))
	return p, nil
}

// first is the first of cpus that is not taken, the first of all if there is no other.
func first(cpus []int, taken int) int {
	for _, cpu := range cpus {
		if cpu != taken {
			return cpu
		}
	}
	return cpus[0]
}

func last(cpus []int, taken int) int {
	reversed := slices.Clone(cpus)
	slices.Reverse(reversed)
	return first(reversed, taken)
}

func (p placement) describe(n int) string {
	switch {
	case n == 1:
		return fmt.Sprintf("1 CPU: everything shares cpu %d; latencies show that", p.reactor)
	case p.reactor == p.exchange:
		return fmt.Sprintf("%d CPUs: reactor and exchange share cpu %d; latencies show that", n, p.reactor)
	case len(p.rest) == 0:
		return fmt.Sprintf("%d CPUs: reactor on cpu %d, exchange on cpu %d", n, p.reactor, p.exchange)
	case n == 2:
		return fmt.Sprintf("2 CPUs: reactor on cpu %d, exchange and the rest on cpu %d", p.reactor, p.exchange)
	}
	return fmt.Sprintf("%d CPUs: reactor on cpu %d, exchange on cpu %d, the rest off cpu %d", n, p.reactor, p.exchange, p.reactor)
}
