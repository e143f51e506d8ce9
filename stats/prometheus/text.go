package prometheus

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// appendLabel appends a label, behind a comma if it is not the first.
func appendLabel(b []byte, name, value string) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = append(b, name...)
	b = append(b, '=', '"')
	b = appendEscaped(b, value, true)
	return append(b, '"')
}

// appendEscaped appends s as the formats want it: UTF-8, with \ and the end of a line
// escaped, and quotes, which in a HELP line of the text format stay.
func appendEscaped(b []byte, s string, quotes bool) []byte {
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '\\':
			b = append(b, '\\', '\\')
		case r == '\n':
			b = append(b, '\\', 'n')
		case r == '"' && quotes:
			b = append(b, '\\', '"')
		default:
			b = append(b, string(r)...)
		}
	}
	return b
}

func appendNumber(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.AppendInt(b, int64(v), 10)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// varying is what differs each time in a text that means the same: addresses, and
// numbers of five digits or more, which are ports and ids. Close codes and HTTP
// statuses have fewer.
var varying = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+(:\d+)?|\[[0-9a-fA-F:.]*:[0-9a-fA-F:.]*\](:\d+)?|\d{5,}`)

// steady is a text without it, so that a text which changes does not become a new
// series each time.
func steady(s string) string { return varying.ReplaceAllLiteralString(s, "N") }
