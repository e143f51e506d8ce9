package doctor

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/affinity"
)

// parseMask reads a mask of CPUs as the kernel writes it: hexadecimal, in words
// of 32 bits divided by commas, the highest CPUs first: "ff,ffffffff".
func parseMask(text string) (affinity.Set, error) {
	var s affinity.Set
	words := strings.Split(text, ",")
	for i, word := range words {
		const wordBits, hexDigits = 32, 8
		n, err := strconv.ParseUint(word, 16, wordBits)
		if err != nil || len(word) > hexDigits || i > 0 && len(word) != hexDigits {
			return affinity.Set{}, fmt.Errorf("%q is no word of a mask", word)
		}
		first := (len(words) - 1 - i) * wordBits
		for bit := range wordBits {
			if n&(1<<bit) == 0 {
				continue
			}
			if first+bit >= affinity.MaxCPUs {
				return affinity.Set{}, fmt.Errorf("a CPU above %d", affinity.MaxCPUs-1)
			}
			s.Add(first + bit)
		}
	}
	return s, nil
}

// formatMask writes what parseMask reads.
func formatMask(s affinity.Set) string {
	var words []uint32
	for _, cpu := range s.CPUs() {
		for len(words) <= cpu/32 {
			words = append(words, 0)
		}
		words[cpu/32] |= 1 << (cpu % 32)
	}
	text := "0"
	for i := len(words) - 1; i >= 0; i-- {
		if i == len(words)-1 {
			text = strconv.FormatUint(uint64(words[i]), 16)
		} else {
			text += fmt.Sprintf(",%08x", words[i])
		}
	}
	return text
}

// parseChoice finds the word in brackets: "always [madvise] never".
func parseChoice(text string) (word string, ok bool) {
	for field := range strings.FieldsSeq(text) {
		inner, opened := strings.CutPrefix(field, "[")
		inner, closed := strings.CutSuffix(inner, "]")
		if opened && closed && inner != "" {
			if word != "" {
				return "", false
			}
			word = inner
		}
	}
	return word, word != ""
}

// parameter finds a parameter of the kernel's command line, the last one if it is
// there more than once. What follows "--" is for init.
func parameter(line, name string) (value string, found bool) {
	for field := range strings.FieldsSeq(line) {
		if field == "--" {
			break
		}
		// The kernel takes a dash for an underscore here.
		key, v, _ := strings.Cut(field, "=")
		if strings.ReplaceAll(key, "-", "_") == strings.ReplaceAll(name, "-", "_") {
			value, found = strings.Trim(v, `"`), true
		}
	}
	return value, found
}

// parseBootCPUs reads a list of CPUs as the kernel's command line has it: beside
// numbers and ranges "all", N for the last CPU, and "0-31:2/8", of which each group
// of eight begins with two that count. Flags of isolcpus before it are passed over.
func parseBootCPUs(text string, last int) (affinity.Set, error) {
	var s affinity.Set
	number := func(text string) (int, error) {
		if text == "N" {
			return last, nil
		}
		n, err := strconv.ParseUint(text, 10, 31)
		if err != nil || n >= affinity.MaxCPUs {
			return 0, fmt.Errorf("%q is no CPU", text)
		}
		return int(n), nil
	}
	for i, item := range strings.Split(text, ",") {
		switch {
		case item == "all":
			item = "0-N"
		case i < 3 && (item == "domain" || item == "nohz" || item == "managed_irq"):
			continue
		}
		span, pattern, grouped := strings.Cut(item, ":")
		from, to, isRange := strings.Cut(span, "-")
		first, err := number(from)
		end := first
		if err == nil && isRange {
			end, err = number(to)
		}
		used, group := 1, 1
		if err == nil && grouped {
			u, g, ok := strings.Cut(pattern, "/")
			var errU, errG error
			used, errU = strconv.Atoi(u)
			group, errG = strconv.Atoi(g)
			if !ok || errU != nil || errG != nil || used < 1 || group < used {
				err = fmt.Errorf("%q is no pattern of groups", pattern)
			}
		}
		if err == nil && end < first {
			err = errors.New("the range runs backwards")
		}
		if err != nil {
			return affinity.Set{}, err
		}
		for cpu := first; cpu <= end; cpu++ {
			if (cpu-first)%group < used {
				s.Add(cpu)
			}
		}
	}
	if s == (affinity.Set{}) {
		return s, errors.New("no CPU is named")
	}
	return s, nil
}

// unlimited is a limit that is none.
const unlimited = -1

// parseLimit finds a line of /proc/self/limits: its name, then the soft and the
// hard limit, a number or "unlimited".
func parseLimit(text, name string) (soft, hard int64, err error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+" ")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			return 0, 0, fmt.Errorf("%q has no two limits", strings.TrimSpace(line))
		}
		limit := func(field string) int64 {
			if field == "unlimited" {
				return unlimited
			}
			n, failed := strconv.ParseInt(field, 10, 64)
			if failed != nil || n < 0 {
				err = fmt.Errorf("%q is no limit", field)
			}
			return n
		}
		soft, hard = limit(fields[0]), limit(fields[1])
		return soft, hard, err
	}
	return 0, 0, fmt.Errorf("no line %q", name)
}

// parseFlags finds the flags of the first processor in cpuinfo; Features is ARM's
// name for them. Nil: there are none.
func parseFlags(cpuinfo string) []string {
	for line := range strings.Lines(cpuinfo) {
		key, value, ok := strings.Cut(line, ":")
		if key = strings.TrimSpace(key); ok && (key == "flags" || key == "Features") {
			return strings.Fields(value)
		}
	}
	return nil
}

// parseSteal finds the line of a CPU in /proc/stat: the part of all its time that
// the host gave to others.
func parseSteal(stat string, cpu int) (part float64, err error) {
	name := "cpu" + strconv.Itoa(cpu)
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != name {
			continue
		}
		// user nice system idle iowait irq softirq steal; guest time is in user.
		const steal, all = 8, 9
		if len(fields) < all {
			return 0, fmt.Errorf("%s has no steal time", name)
		}
		var total, stolen float64
		for i, field := range fields[1:all] {
			n, err := strconv.ParseUint(field, 10, 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %q is no time", name, field)
			}
			total += float64(n)
			if i == steal-1 {
				stolen = float64(n)
			}
		}
		if total == 0 {
			return 0, nil
		}
		return stolen / total, nil
	}
	return 0, fmt.Errorf("no line %s", name)
}

// parseSwaps reads /proc/swaps: how many areas there are, and KiB of them all.
func parseSwaps(text string) (areas int, size, used int64, err error) {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if !strings.HasPrefix(lines[0], "Filename") {
		return 0, 0, 0, fmt.Errorf("%q is not its heading", lines[0])
	}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		// name type size used priority; a name has no spaces, they are escaped.
		if len(fields) != 5 {
			return 0, 0, 0, fmt.Errorf("%q has not five fields", line)
		}
		s, errS := strconv.ParseUint(fields[2], 10, 50)
		u, errU := strconv.ParseUint(fields[3], 10, 50)
		if errS != nil || errU != nil || areas > 1024 {
			return 0, 0, 0, fmt.Errorf("%q is no swap area", line)
		}
		areas, size, used = areas+1, size+int64(s), used+int64(u)
	}
	return areas, size, used, nil
}

// parseMeminfo finds a value of /proc/meminfo, in the unit that it has there.
func parseMeminfo(text, key string) (int64, error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, key+":")
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil || n < 0 {
			return 0, fmt.Errorf("%q is no amount", strings.TrimSpace(rest))
		}
		return n, nil
	}
	return 0, fmt.Errorf("no line %q", key)
}

// parseRelease reads "6.18.44-custom".
func parseRelease(text string) (major, minor int, err error) {
	fields := strings.SplitN(text, ".", 3)
	if len(fields) < 2 {
		return 0, 0, fmt.Errorf("%q is no release", text)
	}
	end := 0
	for end < len(fields[1]) && '0' <= fields[1][end] && fields[1][end] <= '9' {
		end++
	}
	a, errA := strconv.ParseUint(fields[0], 10, 15)
	b, errB := strconv.ParseUint(fields[1][:end], 10, 15)
	if errA != nil || errB != nil {
		return 0, 0, fmt.Errorf("%q is no release", text)
	}
	return int(a), int(b), nil
}

var (
	dateLong  = regexp.MustCompile(`[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [A-Z]{3,5} [0-9]{4}`)
	dateShort = regexp.MustCompile(`\(([0-9]{4}-[0-9]{2}-[0-9]{2})\)`) // Debian's
)

// parseBuilt finds the date of the build in /proc/version. A reproducible build
// has none.
func parseBuilt(version string) (built time.Time, ok bool) {
	if m := dateShort.FindStringSubmatch(version); m != nil {
		built, err := time.Parse(time.DateOnly, m[1])
		return built, err == nil
	}
	built, err := time.Parse(time.UnixDate, dateLong.FindString(version))
	return built, err == nil
}

// policies are the kernel's numbers of scheduling policies, those that are real-time.
const (
	policyFIFO = 1
	policyRR   = 2
)

// parsePolicy finds the scheduling policy in /proc/PID/stat.
func parsePolicy(stat string) (int, error) {
	// pid (name) state …: the name may hold anything, so from its end. The policy
	// is field 41 of all, the 39th from the state on.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	const policy = 41 - 3
	if len(fields) <= policy {
		return 0, fmt.Errorf("%d fields after the name, want more than %d", len(fields), policy)
	}
	n, err := strconv.ParseUint(fields[policy], 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%q is no policy", fields[policy])
	}
	return int(n), nil
}
