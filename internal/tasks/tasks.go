// Package tasks shows where the threads of a process may run and where they do,
// and moves them by their names. The kernel calls a thread a task.
//
//	tasks, err := tasks.Read(os.DirFS("/"), pid)
//	plan := tasks.Plan{Rules: []tasks.Rule{{Who: "feed*", CPUs: affinity.Of(3)}}}
//	moves, err := plan.Apply(mover)
//
// A process starts and ends threads whenever it likes. [Read] passes over those
// that end meanwhile, and [Plan.Apply] looks again until all are where they should
// be. Either all are moved or, after an error, none.
package tasks

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

// Task is a thread at the moment when it was read.
type Task struct {
	TID      int          `json:"tid"`
	Name     string       `json:"name"`     // as the thread calls itself, 15 bytes at most
	CPUs     affinity.Set `json:"cpus"`     // it may run on
	LastCPU  int          `json:"last_cpu"` // it ran on last
	State    string       `json:"state"`    // R running, S sleeping, D waiting for a device, T stopped, …
	Policy   string       `json:"policy"`   // other, fifo, rr, batch, idle, deadline, ext
	Priority int          `json:"priority"` // of fifo and rr, 1 to 99; else 0
	Nice     int          `json:"nice"`     // of other and batch, -20 to 19

	// Times that it left its CPU: because it waited, and because it had to.
	Voluntary   int64 `json:"voluntary"`
	Involuntary int64 `json:"involuntary"`
}

// ErrNoProcess says that there is no such process, or none that one may see.
var ErrNoProcess = errors.New("no such process")

// maxFile bounds what is read of a file.
const maxFile = 64 << 10

// Read reads the threads of a process, by their numbers.
func Read(fsys fs.FS, pid int) ([]Task, error) {
	dir := "proc/" + strconv.Itoa(pid) + "/task"
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	}
	if err != nil {
		return nil, fmt.Errorf("process %d: %w", pid, err)
	}
	var all []Task
	for _, entry := range entries {
		tid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		t, err := readTask(fsys, dir+"/"+entry.Name(), tid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("process %d: thread %d: %w", pid, tid, err)
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("process %d: %w", pid, ErrNoProcess)
	}
	slices.SortFunc(all, func(a, b Task) int { return a.TID - b.TID })
	return all, nil
}

func readTask(fsys fs.FS, dir string, tid int) (Task, error) {
	t := Task{TID: tid}
	for _, file := range []struct {
		name  string
		parse func(*Task, string) error
	}{
		{"comm", func(t *Task, text string) error { t.Name = strings.TrimSuffix(text, "\n"); return nil }},
		{"status", (*Task).parseStatus},
		{"stat", (*Task).parseStat},
	} {
		text, err := read(fsys, dir+"/"+file.name)
		if err == nil {
			err = file.parse(&t, text)
		}
		if err != nil {
			return Task{}, fmt.Errorf("%s: %w", file.name, err)
		}
	}
	return t, nil
}

func read(fsys fs.FS, path string) (string, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	return string(data), err
}

// Owner is the user that a process belongs to, who may move its threads.
func Owner(fsys fs.FS, pid int) (uid int, err error) {
	text, err := read(fsys, "proc/"+strconv.Itoa(pid)+"/status")
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrNoProcess
	}
	if err != nil {
		return 0, fmt.Errorf("process %d: %w", pid, err)
	}
	fields := strings.Fields(line(text, "Uid:")) // real, effective, saved, of files
	if len(fields) < 2 {
		return 0, fmt.Errorf("process %d: status: no line Uid", pid)
	}
	uid, err = strconv.Atoi(fields[1])
	if err != nil {
		return 0, fmt.Errorf("process %d: status: %q is no user", pid, fields[1])
	}
	return uid, nil
}
