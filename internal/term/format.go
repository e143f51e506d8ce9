package term

import (
	"strconv"
	"strings"
	"time"
)

// Count writes n with a comma before each three digits: "1,234,567".
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	start := 0
	if n < 0 {
		start = 1
	}
	for i := len(s) - 3; i > start; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Bytes writes n bytes with three significant digits and a decimal unit: "812 B",
// "25.1 MB".
func Bytes(n int64) string { return scaled(float64(n), 1000, "B", "kB", "MB", "GB", "TB", "PB", "EB") }

// Rate writes how often something happens, in few characters: "812", "25.1k", "2.40M".
func Rate(v float64) string {
	if v > 0 && v < 0.995 {
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	if v < 999.5 {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	return strings.Replace(scaled(v/1000, 1000, "k", "M", "G", "T"), " ", "", 1)
}

// Duration writes d with three significant digits: "812 ns", "11.3 µs", "1.24 s".
func Duration(d time.Duration) string {
	if d >= 1000*time.Second {
		return strconv.FormatInt(int64(d/time.Second), 10) + " s"
	}
	return scaled(float64(d), 1000, "ns", "µs", "ms", "s")
}

// Nanoseconds writes v nanoseconds with three significant digits: "7.65 ns", "44.0 ns".
func Nanoseconds(v float64) string { return fractional(v, 1000, "ns", "µs", "ms", "s") }

func scaled(v, step float64, units ...string) string {
	if v < step-0.5 && v == float64(int64(v)) && (units[0] == "B" || units[0] == "ns") {
		return strconv.FormatInt(int64(v), 10) + " " + units[0]
	}
	return fractional(v, step, units...)
}

func fractional(v, step float64, units ...string) string {
	// 999.5 would be rounded to four digits: it belongs to the next unit.
	for v >= step-0.5 && len(units) > 1 {
		v, units = v/step, units[1:]
	}
	decimals := 0
	switch {
	case v < 9.995:
		decimals = 2
	case v < 99.95:
		decimals = 1
	}
	return strconv.FormatFloat(v, 'f', decimals, 64) + " " + units[0]
}
