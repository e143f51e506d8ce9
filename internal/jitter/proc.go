package jitter

import "bytes"

// eachInterrupt calls f for each line of a text of /proc/interrupts with what it
// counts for one CPU: "LOC", "Local timer interrupts", 250. It does not allocate.
//
//	           CPU0       CPU2
//	 24:          1          0  IO-APIC   5-edge      ACPI:Ged
//	LOC:   12679873   13707243   Local timer interrupts
//	ERR:          0
//
// A CPU that is not in the first line has none. A line without a count for each
// CPU is of the whole machine and left out.
func eachInterrupt(text []byte, cpu int, f func(name, about []byte, count int64)) {
	head, rest, _ := bytes.Cut(text, newline)
	column, columns := -1, 0
	for word, rest := nextWord(head); len(word) > 0; word, rest = nextWord(rest) {
		if n, ok := bytes.CutPrefix(word, cpuPrefix); ok && parseCount(n) == int64(cpu) {
			column = columns
		}
		columns++
	}
	if column < 0 {
		return
	}
	for len(rest) > 0 {
		var line []byte
		line, rest, _ = bytes.Cut(rest, newline)
		name, counts := nextWord(line)
		name, ok := bytes.CutSuffix(name, colon)
		if !ok {
			continue
		}
		count, i := int64(-1), 0
		for ; i < columns; i++ {
			var word []byte
			word, counts = nextWord(counts)
			n := parseCount(word)
			if n < 0 {
				break
			}
			if i == column {
				count = n
			}
		}
		if i == columns {
			f(name, bytes.TrimSpace(counts), count)
		}
	}
}

var (
	newline   = []byte("\n")
	colon     = []byte(":")
	cpuPrefix = []byte("CPU")
)

// stealTicks is what a text of /proc/stat says that the host kept of one CPU, in
// ticks of 10 ms; 0 when it does not say.
func stealTicks(text []byte, cpu int) int64 {
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, newline)
		name, rest := nextWord(line)
		n, ok := bytes.CutPrefix(name, []byte("cpu"))
		if !ok {
			return 0 // the CPUs come first
		}
		if parseCount(n) != int64(cpu) {
			continue
		}
		// user nice system idle iowait irq softirq steal
		var word []byte
		for range 8 {
			word, rest = nextWord(rest)
		}
		return max(parseCount(word), 0)
	}
	return 0
}

// nextWord cuts the first word off, at spaces.
func nextWord(text []byte) (word, rest []byte) {
	start := 0
	for start < len(text) && text[start] == ' ' {
		start++
	}
	end := start
	for end < len(text) && text[end] != ' ' {
		end++
	}
	return text[start:end], text[end:]
}

// parseCount reads a count; -1 when word is none.
func parseCount(word []byte) int64 {
	if len(word) == 0 || len(word) > 18 { // 18 digits do not overflow
		return -1
	}
	n := int64(0)
	for _, b := range word {
		if b < '0' || b > '9' {
			return -1
		}
		n = n*10 + int64(b-'0')
	}
	return n
}

// runDelay is what a text of schedstat says of the time that a thread was ready to
// run and did not, in nanoseconds; 0 when it does not say.
func runDelay(text []byte) int64 {
	_, rest := nextWord(text)
	word, _ := nextWord(rest)
	return max(parseCount(word), 0)
}
