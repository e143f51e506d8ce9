package affinity

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Read reads a topology from a file system that holds what / of a machine does:
// sys, and proc for the masks. Local does so with the machine's own; this is for
// copies and for tests. Process.Allowed is Cpus_allowed_list of proc/self/status,
// without it all CPUs that are online.
//
// Any file may be absent, empty, "(null)" or nonsense: what it would have told is
// unknown then, and Problems has an entry. Links are followed as far as fsys does
// that; where interfaces belong it tells only as an [fs.ReadLinkFS].
func Read(fsys fs.FS) *Topology {
	t, _ := read(fsys, Set{})
	return t
}

// read is Read for a process with a known mask; an empty one is not known.
func read(fsys fs.FS, allowed Set) (*Topology, *reader) {
	r := &reader{fsys: fsys, at: make(map[problemKey]int)}
	t := new(Topology)
	t.Process = r.process(allowed)
	r.cpus(t)
	r.groups(t)
	r.caches(t)
	r.nodes(t)
	r.kinds(t)
	online := t.Online()
	if t.Process.Allowed == (Set{}) {
		t.Process.Allowed = online
	}
	isolated, _ := r.list(cpuDir+"/isolated", optional)
	partitions, _ := r.list(cgroupDir+"/cpuset.cpus.isolated", optional)
	nohz, _ := r.list(cpuDir+"/nohz_full", optional)
	present := t.Present()
	t.Isolated = isolated.Or(partitions).And(present)
	t.NohzFull = nohz.And(present)
	t.NICs = r.nics(present)
	t.Problems = r.found()
	return t, r
}

// MaxProblems bounds Topology.Problems. Of files that differ in a number only,
// as those of the CPUs do, one stands for all.
const MaxProblems = 64

// Problem is something that could not be read.
type Problem struct {
	Path   string `json:"path"` // below the root, of the first such file
	Reason Reason `json:"reason"`
	Detail string `json:"detail,omitempty"` // an error, or the start of what was there
	Count  int    `json:"count"`            // how many such files
}

// Reason says why something is not known.
type Reason string

// The reasons.
const (
	Absent     Reason = "absent"     // no such file
	Empty      Reason = "empty"      // nothing, or "(null)"
	Unreadable Reason = "unreadable" // the system's error is in Detail
	Malformed  Reason = "malformed"  // not what such a file holds
	Contrary   Reason = "contrary"   // other files say otherwise, and were believed
	TooMany    Reason = "too many"   // a bound of this package; Detail tells which
)

// String is one line: path, reason, detail, and how many more there are.
func (p Problem) String() string {
	s := p.Path + ": " + string(p.Reason)
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Count > 1 {
		s += fmt.Sprintf(" (%d such)", p.Count)
	}
	return s
}

const (
	maxFile    = 64 << 10 // bytes of a file; a list of every other CPU of MaxCPUs has 20 KiB
	maxDir     = 1 << 14  // entries of a folder
	maxDetail  = 80       // bytes of Problem.Detail
	maxPath    = 4096     // bytes of a path that a file names
	cpuDir     = "sys/devices/system/cpu"
	nodeDir    = "sys/devices/system/node"
	netDir     = "sys/class/net"
	cgroupDir  = "sys/fs/cgroup"
	absentText = "(null)"
)

// need says how much a file is missed.
type need int

const (
	quiet    need = iota // what is wrong with it is nobody's business
	optional             // may be absent, not wrong
	expected             // every kernel has it
)

// reader reads files and gathers what is wrong with them.
type reader struct {
	fsys     fs.FS
	problems []Problem
	at       map[problemKey]int // where in problems
	dropped  int
}

type problemKey struct {
	pattern string
	reason  Reason
}

// report notes a problem.
func (r *reader) report(path string, reason Reason, detail string) {
	key := problemKey{pattern(path), reason}
	if i, ok := r.at[key]; ok {
		r.problems[i].Count++
		return
	}
	if len(r.problems) == MaxProblems-1 { // the last place is for how many more
		r.dropped++
		return
	}
	r.at[key] = len(r.problems)
	r.problems = append(r.problems, Problem{path, reason, clip(detail), 1})
}

// found are the problems noted so far.
func (r *reader) found() []Problem {
	if r.dropped == 0 {
		return r.problems
	}
	return append(slices.Clone(r.problems), Problem{"others", TooMany, fmt.Sprintf("%d are listed", len(r.problems)), r.dropped})
}

// pattern is a path with every number replaced by a star.
func pattern(path string) string {
	var b strings.Builder
	number := false
	for _, c := range []byte(path) {
		digit := '0' <= c && c <= '9'
		switch {
		case !digit:
			b.WriteByte(c)
		case !number:
			b.WriteByte('*')
		}
		number = digit
	}
	return b.String()
}

// clip makes a detail of a text: short, and valid UTF-8 as JSON wants it.
func clip(text string) string {
	if len(text) > maxDetail {
		text = text[:maxDetail] + "…"
	}
	return strings.ToValidUTF8(text, "?")
}

// text reads a file, without the space around its contents.
func (r *reader) text(path string, need need) (text string, ok bool) {
	data, err := r.bytes(path)
	switch {
	case err == nil:
		return strings.TrimSpace(string(data)), true
	case need == quiet, need == optional && errors.Is(err, fs.ErrNotExist):
	case errors.Is(err, fs.ErrNotExist):
		r.report(path, Absent, "")
	case errors.Is(err, errTooLong):
		r.report(path, Malformed, err.Error())
	default:
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		r.report(path, Unreadable, err.Error())
	}
	return "", false
}

var errTooLong = fmt.Errorf("longer than %d bytes", maxFile)

func (r *reader) bytes(path string) ([]byte, error) {
	f, err := r.fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, errTooLong
	}
	return data, nil
}

// list reads a list of CPUs. ok with an empty set: the file says that there are none.
func (r *reader) list(path string, need need) (s Set, ok bool) {
	text, ok := r.text(path, need)
	if !ok {
		return Set{}, false
	}
	s, err := Parse(text)
	if err != nil {
		if need != quiet {
			r.report(path, Malformed, strconv.Quote(clip(text)))
		}
		return Set{}, false
	}
	return s, true
}

// some is list of a file that names at least one CPU.
func (r *reader) some(path string, need need) (s Set, ok bool) {
	s, ok = r.list(path, need)
	if ok && s == (Set{}) {
		if need == expected {
			r.report(path, Empty, "")
		}
		return Set{}, false
	}
	return s, ok
}

// number reads a number from least to most.
func (r *reader) number(path string, need need, least, most int64) (n int64, ok bool) {
	text, ok := r.text(path, need)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err == nil && n >= least && n <= most {
		return n, true
	}
	switch {
	case need == quiet:
	case text == "" || text == absentText:
		r.report(path, Empty, "")
	default:
		r.report(path, Malformed, strconv.Quote(clip(text)))
	}
	return 0, false
}

// dir returns the names in a folder, in order; none when it cannot be read.
func (r *reader) dir(path string, need need) []string {
	entries, err := fs.ReadDir(r.fsys, path)
	if err != nil && len(entries) == 0 {
		switch {
		case need == quiet, need == optional && errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, fs.ErrNotExist):
			r.report(path, Absent, "")
		default:
			r.report(path, Unreadable, err.Error())
		}
		return nil
	}
	if len(entries) > maxDir {
		r.report(path, TooMany, fmt.Sprintf("%d entries, %d are looked at", len(entries), maxDir))
		entries = entries[:maxDir]
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name()
	}
	return names
}

// numbered are the numbers N for which dir holds an entry prefix+N, ascending.
func numbered(names []string, prefix string, below int) []int {
	var found []int
	for _, name := range names {
		digits, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if n, err := strconv.ParseUint(digits, 10, 31); err == nil && int(n) < below && strconv.Itoa(int(n)) == digits {
			found = append(found, int(n))
		}
	}
	slices.Sort(found)
	return found
}
