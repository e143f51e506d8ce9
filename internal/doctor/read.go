package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

const (
	maxFile   = 1 << 20 // bytes read of a file; cpuinfo of a thousand CPUs has more, its beginning is enough
	maxDir    = 1 << 16 // entries of a folder: processes, interrupts
	maxDetail = 60      // bytes of what a file holds, in a message
)

var errAbsent = errors.New("does not exist")

// text reads a file, without the space around its contents.
func (e *exam) text(path string) (string, error) {
	data, err := e.bytes(path)
	return strings.TrimSpace(string(data)), err
}

func (e *exam) bytes(path string) ([]byte, error) {
	fail := func(err error) ([]byte, error) {
		var inner *fs.PathError
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = errAbsent
		case errors.As(err, &inner):
			err = inner.Err
		}
		return nil, fmt.Errorf("/%s: %w", path, err)
	}
	f, err := e.fsys.Open(path)
	if err != nil {
		return fail(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return fail(err)
	}
	return data, nil
}

// malformed says that a file holds something else than it should.
func malformed(path, text, want string) error {
	if len(text) > maxDetail {
		text = text[:maxDetail] + "…"
	}
	return fmt.Errorf("/%s: %q is not %s", path, strings.ToValidUTF8(text, "?"), want)
}

// number reads a whole number.
func (e *exam) number(path string) (int64, error) {
	text, err := e.text(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, malformed(path, text, "a number")
	}
	return n, nil
}

// list reads a list of CPUs, "0-3,8".
func (e *exam) list(path string) (affinity.Set, error) {
	text, err := e.text(path)
	if err != nil {
		return affinity.Set{}, err
	}
	s, err := affinity.Parse(text)
	if err != nil {
		return affinity.Set{}, malformed(path, text, "a list of CPUs")
	}
	return s, nil
}

// mask reads a mask of CPUs, "ff,ffffffff".
func (e *exam) mask(path string) (affinity.Set, error) {
	text, err := e.text(path)
	if err != nil {
		return affinity.Set{}, err
	}
	s, err := parseMask(text)
	if err != nil {
		return affinity.Set{}, malformed(path, text, "a mask of CPUs")
	}
	return s, nil
}

// choice reads which of several words is in brackets, "always [madvise] never".
func (e *exam) choice(path string) (string, error) {
	text, err := e.text(path)
	if err != nil {
		return "", err
	}
	word, ok := parseChoice(text)
	if !ok {
		return "", malformed(path, text, "a choice with one word in brackets")
	}
	return word, nil
}

// names are the entries of a folder.
func (e *exam) names(path string) ([]string, error) {
	entries, err := fs.ReadDir(e.fsys, path)
	if err != nil && len(entries) == 0 {
		if errors.Is(err, fs.ErrNotExist) {
			err = errAbsent
		}
		return nil, fmt.Errorf("/%s: %w", path, err)
	}
	var names []string
	for _, entry := range entries[:min(len(entries), maxDir)] {
		names = append(names, entry.Name())
	}
	return names, nil
}

// held is what a file holds, and the CPUs whose file does.
type held struct {
	text string
	cpus affinity.Set
}

// ofCores reads a file in the folder of each reactor core. It fails if one does.
func (e *exam) ofCores(file string) ([]held, error) {
	var all []held
	for _, cpu := range e.cores.CPUs() {
		text, err := e.text(cpuFile(cpu, file))
		if err != nil {
			return nil, err
		}
		i := 0
		for i < len(all) && all[i].text != text {
			i++
		}
		if i == len(all) {
			all = append(all, held{text: text})
		}
		all[i].cpus.Add(cpu)
	}
	return all, nil
}

func cpuFile(cpu int, file string) string { return fmt.Sprintf("%s/cpu%d/%s", cpuDir, cpu, file) }

// describe is "performance" or "performance on 2-3, powersave on 4".
func describe(all []held) string {
	if len(all) == 1 {
		return all[0].text
	}
	var parts []string
	for _, h := range all {
		parts = append(parts, h.text+" on "+h.cpus.String())
	}
	return strings.Join(parts, ", ")
}

const (
	cpuDir  = "sys/devices/system/cpu"
	nodeDir = "sys/devices/system/node"
	thpDir  = "sys/kernel/mm/transparent_hugepage"
	vmDir   = "proc/sys/vm"
	kernDir = "proc/sys/kernel"
	coreNet = "proc/sys/net/core"
	irqDir  = "proc/irq"
)

// sysctl is the name of a setting whose file is path.
func sysctl(path string) string {
	return strings.ReplaceAll(strings.TrimPrefix(path, "proc/sys/"), "/", ".")
}
