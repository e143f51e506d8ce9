package control

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Process is one that has a control socket.
type Process struct {
	PID  int
	Path string // of the socket
}

// List finds the control sockets in a directory, by PID. Some may be left over from
// processes that have ended: Dial tells. A directory that is not there has none.
func List(dir string) ([]Process, error) {
	found, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	var all []Process
	for _, e := range found {
		if pid, ok := pidOf(e.Name()); ok && e.Type() == os.ModeSocket {
			all = append(all, Process{PID: pid, Path: filepath.Join(dir, e.Name())})
		}
	}
	slices.SortFunc(all, func(a, b Process) int { return a.PID - b.PID })
	return all, nil
}

// pidOf is the process whose socket has this name.
func pidOf(name string) (pid int, ok bool) {
	digits, found := strings.CutSuffix(name, ".sock")
	pid, err := strconv.Atoi(digits)
	return pid, found && err == nil && pid > 0 && strconv.Itoa(pid) == digits
}

// PathOf is where process pid has its control socket, if it has one.
func PathOf(dir string, pid int) string { return filepath.Join(dir, strconv.Itoa(pid)+".sock") }
