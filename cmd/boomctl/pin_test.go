package main

import (
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/affinity"
	"github.com/boomnet-go/boomnet/internal/machines"
	"github.com/boomnet-go/boomnet/internal/tasks"
	"github.com/boomnet-go/boomnet/internal/term"
)

// pinFake is a machine with a process, 77, in a cgroup that may use 3 and 67.
func pinFake() machines.Machine {
	m := machines.Container()
	m.Process(77, 4242424, "feedhandler")
	m.Put("proc/77/cgroup", "0::/kubepods/pod1/feed")
	m.Thread(77, 77, "feedhandler", "3,67")
	m.Thread(77, 80, "boomnet-feed-1", "3")
	m.Thread(77, 81, "odd\x1b[31m\nname", "0-1,4-5,8-9,12-13,16-17,20-21,24-25,28-29")
	return m
}

// noMove fails a test that moves a thread.
func noMove(t *testing.T) func(int, affinity.Set) error {
	return func(tid int, _ affinity.Set) error {
		t.Errorf("thread %d was moved", tid)
		return nil
	}
}

func rule(who string, cpus ...int) tasks.Rule {
	return tasks.Rule{Who: who, CPUs: affinity.Of(cpus...)}
}

func TestPinPictures(t *testing.T) {
	show := pinCmd{PID: 77}
	report, limits, err := show.run(pinFake(), noMove(t))
	require.NoError(t, err)
	const width = 80
	c := term.NewCanvas(width, false)
	drawPin(c, report, limits, show.changes())
	golden(t, "pin-show", c.String())

	plan := pinCmd{PID: 77, Set: []tasks.Rule{rule("boomnet-feed*", 67)}, Others: affinity.Of(3), DryRun: true}
	report, limits, err = plan.run(pinFake(), noMove(t))
	require.NoError(t, err)
	c = term.NewCanvas(width, false)
	drawPin(c, report, limits, plan.changes())
	golden(t, "pin-dry-run", c.String())

	report.Restore, report.DryRun = "/usr/local/bin/boomctl pin 77 --restore 77,78,79,80,81,82,83,84,85,86=0-3 --restore 99=1", false
	c = term.NewCanvas(width, false)
	drawPin(c, report, limits, true)
	golden(t, "pin-moved", c.String())
	for line := range strings.Lines(c.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(line), width+1, line)
	}
}

func TestPinRefuses(t *testing.T) {
	for want, c := range map[string]pinCmd{
		"x=3: no such thread": {PID: 77, Set: []tasks.Rule{rule("x", 3)}},
		"feed*=4: CPUs not allowed: 4; allowed are 3,67 by the cpuset of cgroup /kubepods/pod1/feed": {PID: 77, Set: []tasks.Rule{rule("feed*", 4)}},
		"others: CPUs not allowed: 0": {PID: 77, Others: affinity.Of(0)},
		"77=9: CPUs not allowed: 9":   {PID: 77, Restore: []tasks.Rule{rule("77", 9)}},
		"process 78: no such process": {PID: 78},
	} {
		_, _, err := c.run(pinFake(), noMove(t))
		require.ErrorContains(t, err, want)
	}
	c := pinCmd{PID: 77, Others: affinity.Of(67)}
	_, _, err := c.run(pinFake(), func(int, affinity.Set) error { return syscall.EPERM })
	require.ErrorIs(t, err, syscall.EPERM)
	require.ErrorContains(t, err, "thread 77 (feedhandler) to CPUs 67: operation not permitted (process 77 belongs to user 4242424; only that user and who has CAP_SYS_NICE may move its threads)")

	for want, c := range map[string]pinCmd{
		"0 is no process":        {},
		"--restore stands alone": {PID: 1, Restore: []tasks.Rule{rule("1", 1)}, Others: affinity.Of(1)},
		"--dry-run is for --set": {PID: 1, DryRun: true},
	} {
		require.ErrorContains(t, c.Validate(), want)
	}
}

func TestFoldList(t *testing.T) {
	require.Equal(t, []string{"0-1,4-5,", "8 → 3"}, foldList("0-1,4-5,8 → 3", 8))
	require.Equal(t, []string{"1000-2000,", "3"}, foldList("1000-2000,3", 4))
	require.Equal(t, []string{""}, foldList("", 4))
}

func TestShellQuote(t *testing.T) {
	for _, s := range []string{"", "boomctl", "/a/b c/boomctl", "it's", `a"$(b)\`, "--x=1,2"} {
		out, err := exec.Command("sh", "-c", "printf %s "+shellQuote(s)).Output()
		require.NoError(t, err)
		require.Equal(t, s, string(out))
	}
	require.Equal(t, "/usr/bin/boomctl", shellQuote("/usr/bin/boomctl"))
}
