package reactor

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/boomnet-go/boomnet/endpoint"
)

// deliberate reports whether a connection ended because its owner wanted that.
func deliberate(loss *endpoint.LossError) bool {
	return errors.Is(loss.Err, endpoint.ErrDeregistered) ||
		loss.Phase == endpoint.Closing && (loss.Code == 1000 || loss.Err == io.EOF)
}

// distinct is the text by which the error log tells losses apart: phase, code and
// cause, without what is different each time and means the same. A number, an
// address and a port become N:
//
//	connecting: dial tcp 192.0.2.7:9443: connection refused
//	connecting: dial tcp N: connection refused
//
// Digits behind a letter are a part of a name, such as IPv6 or TLS1, and stay.
func distinct(loss *endpoint.LossError) string {
	var b strings.Builder
	b.WriteString(loss.Phase.String())
	if loss.Code != 0 {
		b.WriteString(" " + strconv.Itoa(loss.Code))
	}
	b.WriteString(": ")
	s := loss.Err.Error()
	for i := 0; i < len(s); {
		n := number(s, i)
		if n == 0 {
			b.WriteByte(s[i])
			i++
			continue
		}
		b.WriteByte('N')
		i += n
	}
	return b.String()
}

// number is the length of the number or address that begins at s[i]; 0: none does.
// An address is numbers with dots and colons between them, in brackets for IPv6.
func number(s string, i int) (n int) {
	if s[i] == '[' {
		end := strings.IndexByte(s[i:], ']')
		if end < 0 || !strings.Contains(s[i:i+end], ":") || strings.Trim(s[i+1:i+end], "0123456789abcdefABCDEF:.") != "" {
			return 0
		}
		n = end + 1
		if i+n < len(s) && s[i+n] == ':' { // and a port
			if port := digits(s[i+n+1:]); port > 0 {
				n += 1 + port
			}
		}
		return n
	}
	if i > 0 && letter(s[i-1]) || digits(s[i:]) == 0 {
		return 0
	}
	if strings.HasPrefix(s[i:], "0x") {
		n = 2 + len(s[i+2:]) - len(strings.TrimLeft(s[i+2:], "0123456789abcdefABCDEF"))
		return n
	}
	n = digits(s[i:])
	for i+n < len(s) && (s[i+n] == '.' || s[i+n] == ':') {
		more := digits(s[i+n+1:])
		if more == 0 {
			break
		}
		n += 1 + more
	}
	return n
}

// digits is how many digits s begins with.
func digits(s string) int { return len(s) - len(strings.TrimLeft(s, "0123456789")) }

func letter(c byte) bool { return c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80 }
