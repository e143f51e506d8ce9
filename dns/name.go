package dns

import (
	"fmt"
	"iter"
	"strings"
)

// RFC 1035, section 2.3.4; a name of 255 octets on the wire has 253 here.
const (
	maxLabel = 63
	maxName  = 253
)

// normalize checks a host name before anybody is asked about it, and returns it
// in lower case without the dot at its end. absolute: that dot was there, so no
// search list applies. It allocates only where there are capitals.
func normalize(host string) (name string, absolute bool, err error) {
	name, absolute = strings.CutSuffix(host, ".")
	if len(name) > maxName {
		return "", false, fmt.Errorf("invalid name: %d bytes, at most %d", len(name), maxName)
	}
	label, upper := 0, false
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return "", false, fmt.Errorf("invalid name: empty label at byte %d", i)
			}
			label = 0
			continue
		case 'A' <= c && c <= 'Z':
			upper = true
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c >= 0x80:
			return "", false, fmt.Errorf("invalid name: byte %#x; international names are written in their xn-- form", c)
		default:
			return "", false, fmt.Errorf("invalid name: character %q", c)
		}
		if label++; label > maxLabel {
			return "", false, fmt.Errorf("invalid name: a label of more than %d bytes", maxLabel)
		}
	}
	if label == 0 {
		return "", false, fmt.Errorf("invalid name: empty label at byte %d", len(name))
	}
	if upper {
		name = strings.ToLower(name)
	}
	return name, absolute, nil
}

// candidates are the names to ask for, in turn, when a caller asks for name:
// what resolv.conf(5) says of search and ndots. Too long ones are left out.
func (c *Config) candidates(name string, absolute bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		dots := strings.Count(name, ".")
		first := absolute || dots >= c.Ndots
		if first && !yield(name) || absolute {
			return
		}
		for _, domain := range c.Search {
			full := name + "." + domain
			if domain == "." {
				full = name
			}
			if len(full) <= maxName && !yield(full) {
				return
			}
		}
		if !first && (dots > 0 || !c.NoTLDQuery) {
			yield(name)
		}
	}
}

// under reports whether name is domain or lies below it.
func under(name, domain string) bool {
	rest, ok := strings.CutSuffix(name, domain)
	return ok && (rest == "" || domain == "" || rest[len(rest)-1] == '.')
}

// lower is b with its ASCII capitals made small. Other bytes stay as they are:
// names from the wire may hold any.
func lower(b []byte) string {
	out := make([]byte, len(b))
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		out[i] = c
	}
	return string(out)
}
