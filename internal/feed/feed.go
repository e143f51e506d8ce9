// Package feed reads and writes recorded market data: messages with the time at
// which they were received, one on each line.
//
//	1626916403.847065000<TAB>{"stream":"btcusdt@trade","data":{…}}
//
// The time is in seconds since 1970 with up to nine decimals, so it is kept to
// the nanosecond. The payload is every byte between the first tab and the end of
// the line, unchanged; it cannot hold a line feed. A file is plain text or gzip, and the
// [Reader] finds out which by looking at its first two bytes. A line is at most
// [MaxLine] bytes long, so that a file which is no feed cannot fill the memory.
//
// [Open] and [Create] work on files, [NewReader] and [NewWriter] on anything.
// Neither a Reader nor a Writer may be used by two goroutines at once.
package feed

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

// MaxLine is the limit of one line in bytes, its time and tab included: 16 MiB.
const MaxLine = 16 << 20

// Errors of a line. They come wrapped in a [*LineError].
var (
	ErrNoTab     = errors.New("feed: no tab between time and payload")
	ErrBadTime   = errors.New("feed: bad time")
	ErrLineLong  = errors.New("feed: line too long")
	ErrTruncated = errors.New("feed: file ends in the middle of its compressed data")
)

// ErrLineFeed says that a payload cannot be written because it has a line feed.
var ErrLineFeed = errors.New("feed: payload has a line feed")

// Line is one recorded message.
type Line struct {
	// Time is when the message was received, in nanoseconds since 1970.
	Time int64
	// Payload is the message. From a Reader it is only valid until the next
	// call of Next.
	Payload []byte
}

// LineError is an error with the number of its line, counted from 1.
type LineError struct {
	Line int
	Err  error
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }

// Unwrap returns Err.
func (e *LineError) Unwrap() error { return e.Err }

// ParseLine parses a line without its line feed. The payload is a view into
// line. It does not allocate unless it fails. Errors: ErrNoTab, ErrBadTime.
func ParseLine(line []byte) (Line, error) {
	t, n, err := parseTime(line)
	if err != nil {
		return Line{}, err
	}
	return Line{Time: t, Payload: line[n+1:]}, nil
}

const (
	second      = 1_000_000_000
	maxSeconds  = math.MaxInt64/second - 1
	timeExcerpt = 32 // bytes of a bad line that an error shows
)

// parseTime reads decimal seconds up to a tab, and returns where the tab is.
// Digits beyond the ninth decimal are checked and dropped.
func parseTime(line []byte) (nanos int64, tab int, err error) {
	var (
		seconds, fraction, unit int64 = 0, 0, second
		digits                  int
		point                   bool
	)
	for i, c := range line {
		switch {
		case c >= '0' && c <= '9' && point:
			unit /= 10
			fraction += int64(c-'0') * unit
			digits++
		case c >= '0' && c <= '9':
			seconds = seconds*10 + int64(c-'0')
			if seconds > maxSeconds {
				return 0, 0, badTime(line)
			}
			digits++
		case c == '.' && !point:
			point = true
		case c == '\t':
			if digits == 0 {
				return 0, 0, badTime(line)
			}
			return seconds*second + fraction, i, nil
		default:
			return 0, 0, badTime(line)
		}
	}
	return 0, 0, ErrNoTab
}

func badTime(line []byte) error {
	if len(line) > timeExcerpt {
		line = line[:timeExcerpt]
	}
	return fmt.Errorf("%w: %q", ErrBadTime, line)
}

// AppendLine appends the text of l with its line feed to dst. It does not
// allocate when dst has room. Times before 1970 are written as 0.
func AppendLine(dst []byte, l Line) []byte {
	t := max(l.Time, 0)
	dst = strconv.AppendInt(dst, t/second, 10)
	dst = append(dst, '.')
	for unit, rest := int64(second/10), t%second; unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+rest/unit%10))
	}
	dst = append(dst, '\t')
	dst = append(dst, l.Payload...)
	return append(dst, '\n')
}
