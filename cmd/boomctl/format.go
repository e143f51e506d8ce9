package main

import (
	"strings"
	"time"

	"github.com/boomnet-go/boomnet/internal/term"
)

// nanos writes a time in nanoseconds.
func nanos(n int64) string { return term.Duration(time.Duration(n)) }

// ago writes how long something is past: exactly while that matters, then in whole
// minutes, hours and days.
func ago(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 2*time.Minute:
		return term.Duration(max(d, 0)) + " ago"
	case d < 2*time.Hour:
		return term.Count(int64(d/time.Minute)) + " min ago"
	case d < 2*day:
		return term.Count(int64(d/time.Hour)) + " h ago"
	}
	return term.Count(int64(d/day)) + " days ago"
}

// plural writes how many there are of what: "1 process", "2,000 processes".
func plural(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "s"):
		what += "e"
	}
	return term.Count(int64(n)) + " " + what + "s"
}

// countStyle is a style for a number that means something when it is not 0.
func countStyle[N int | int64](style term.Style, n N) term.Style {
	if n == 0 {
		return term.Plain
	}
	return style
}
