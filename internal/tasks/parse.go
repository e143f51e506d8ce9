package tasks

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

// line is what stands in a status file behind a key.
func line(text, key string) string {
	for l := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(l, key); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// parseStatus reads /proc/PID/task/TID/status. A name in it has its line feeds
// escaped, so each line is one.
func (t *Task) parseStatus(text string) error {
	cpus, err := affinity.Parse(line(text, "Cpus_allowed_list:"))
	if err != nil {
		return err
	}
	if cpus == (affinity.Set{}) {
		return fmt.Errorf("no line Cpus_allowed_list")
	}
	t.CPUs = cpus
	for key, n := range map[string]*int64{"voluntary_ctxt_switches:": &t.Voluntary, "nonvoluntary_ctxt_switches:": &t.Involuntary} {
		value := line(text, key)
		if *n, err = strconv.ParseInt(value, 10, 64); err != nil {
			return fmt.Errorf("%s %q is no number", key, value)
		}
	}
	return nil
}

// policies are the names of the kernel's numbers.
var policies = []string{"other", "fifo", "rr", "batch", "4", "idle", "deadline", "ext"}

// parseStat reads /proc/PID/task/TID/stat.
func (t *Task) parseStat(text string) error {
	// pid (name) state …: the name may hold anything, so from its end on.
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	const state, nice, processor, priority, policy = 0, 16, 36, 37, 38 // proc(5) counts from 1, and the state is its third
	if len(fields) <= policy {
		return fmt.Errorf("%d fields after the name, want more than %d", len(fields), policy)
	}
	t.State = strings.ToValidUTF8(fields[state], "?")
	var number int
	for _, f := range []struct {
		at int
		n  *int
	}{{nice, &t.Nice}, {processor, &t.LastCPU}, {priority, &t.Priority}, {policy, &number}} {
		n, err := strconv.ParseInt(fields[f.at], 10, 32)
		if err != nil {
			return fmt.Errorf("field %d: %q is no number", f.at+3, fields[f.at])
		}
		*f.n = int(n)
	}
	t.Policy = strconv.Itoa(number)
	if number >= 0 && number < len(policies) {
		t.Policy = policies[number]
	}
	return nil
}
