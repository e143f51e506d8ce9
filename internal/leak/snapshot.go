package leak

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// snapshot is what the process holds at one moment.
type snapshot struct {
	goroutines map[int]string // id → stack
	fds        map[int]string // descriptor → what it points to
	threads    map[int]string // thread id → CPUs it may run on
	slack      int            // threads more than these that are no leak
}

// startPoller makes Go's poller open its descriptors, once and for good.
var startPoller = sync.OnceFunc(func() {
	r, w, err := os.Pipe()
	if err == nil {
		_ = r.Close()
		_ = w.Close()
	}
})

func look() snapshot {
	startPoller()
	return snapshot{goroutines: goroutines(stacks()), fds: descriptors(), threads: threads(), slack: ThreadSlack}
}

// above says what s holds that before did not, or nil.
func (s snapshot) above(before snapshot) error {
	var left []error
	for _, id := range slices.Sorted(maps.Keys(s.goroutines)) {
		if _, ok := before.goroutines[id]; !ok {
			left = append(left, fmt.Errorf("leak: goroutine left behind:\n%s", s.goroutines[id]))
		}
	}
	for _, fd := range slices.Sorted(maps.Keys(s.fds)) {
		if was, ok := before.fds[fd]; !ok || was != s.fds[fd] {
			left = append(left, fmt.Errorf("leak: descriptor %d left open: %s", fd, s.fds[fd]))
		}
	}
	return errors.Join(append(left, s.threadsAbove(before)...)...)
}

func (s snapshot) threadsAbove(before snapshot) []error {
	var left []error
	if limit := len(before.threads) + runtime.GOMAXPROCS(0) + before.slack; len(s.threads) > limit {
		left = append(left, fmt.Errorf("leak: %d threads, %d before the tests, at most %d allowed",
			len(s.threads), len(before.threads), limit))
	}
	masks := make(map[string]bool)
	for tid, mask := range before.threads {
		masks[mask] = masks[mask] || tid != os.Getpid()
	}
	for _, tid := range slices.Sorted(maps.Keys(s.threads)) {
		if tid != os.Getpid() && !masks[s.threads[tid]] {
			left = append(left, fmt.Errorf("leak: thread %d is left pinned to CPUs %s", tid, s.threads[tid]))
		}
	}
	return left
}

// stacks returns the stacks of all goroutines in the runtime's text form.
func stacks() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
}

// own are the creators of goroutines that the standard library keeps for good.
var own = []string{"created by runtime.", "created by os/signal.", "created by unique.", "runtime.handleEvent("}

// goroutines splits text, as runtime.Stack prints it, into stacks by goroutine id.
func goroutines(text []byte) map[int]string {
	found := make(map[int]string)
	for stack := range bytes.SplitSeq(text, []byte("\n\n")) {
		s := string(bytes.TrimSpace(stack))
		rest, ok := strings.CutPrefix(s, "goroutine ")
		if !ok || slices.ContainsFunc(own, func(by string) bool { return strings.Contains(s, "\n"+by) }) {
			continue
		}
		number, _, _ := strings.Cut(rest, " ")
		if id, err := strconv.Atoi(number); err == nil {
			found[id] = s
		}
	}
	return found
}

// descriptors reads /proc/self/fd. The descriptor that reads it has gone by the
// time its link is asked for, and is left out by that.
func descriptors() map[int]string {
	found := make(map[int]string)
	for fd := range numbered("/proc/self/fd") {
		if to, err := os.Readlink(filepath.Join("/proc/self/fd", strconv.Itoa(fd))); err == nil {
			found[fd] = to
		}
	}
	return found
}

// threads reads /proc/self/task. A thread that ends meanwhile is left out.
func threads() map[int]string {
	found := make(map[int]string)
	for tid := range numbered("/proc/self/task") {
		status, err := os.ReadFile(filepath.Join("/proc/self/task", strconv.Itoa(tid), "status"))
		if err != nil {
			continue
		}
		_, after, _ := strings.Cut(string(status), "\nCpus_allowed_list:")
		mask, _, _ := strings.Cut(after, "\n")
		found[tid] = strings.TrimSpace(mask)
	}
	return found
}

// numbered returns the entries of a directory that are numbers.
func numbered(dir string) map[int]struct{} {
	found := make(map[int]struct{})
	entries, err := os.ReadDir(dir)
	if err != nil {
		return found
	}
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			found[n] = struct{}{}
		}
	}
	return found
}
