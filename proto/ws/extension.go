package ws

import "strings"

// extension is an element of Sec-WebSocket-Extensions.
type extension struct {
	name   string
	params []param
}

// param is a parameter of an extension, with a value or without.
type param struct {
	name, value string
	hasValue    bool
}

// parseExtensions reads the values of Sec-WebSocket-Extensions, RFC 6455,
// section 9.1:
//
//	extension-list  = 1#extension
//	extension       = token *( ";" extension-param )
//	extension-param = token [ "=" ( token | quoted-string ) ]
//
// Empty elements are skipped, and what is quoted "MUST conform to the 'token' ABNF".
func parseExtensions(values []string) (list []extension, err error) {
	for _, v := range values {
		for s := (scanner{v}); !s.done(); {
			if s.take(',') {
				continue
			}
			e := extension{name: s.token()}
			ok := e.name != ""
			for ok && s.take(';') {
				p := param{name: s.token()}
				ok = p.name != ""
				if ok && s.take('=') {
					p.hasValue = true
					p.value = s.tokenOrQuoted()
					ok = isToken(p.value)
				}
				e.params = append(e.params, p)
			}
			if !ok || !s.done() && !s.take(',') {
				return nil, badResponse("Sec-WebSocket-Extensions is %q, wrong at %q", v, s.rest)
			}
			list = append(list, e)
		}
	}
	return list, nil
}

// scanner goes through a header field; spaces between its parts do not count.
type scanner struct{ rest string }

func (s *scanner) done() bool {
	s.rest = strings.TrimLeft(s.rest, " \t")
	return s.rest == ""
}

// take takes c if it is next.
func (s *scanner) take(c byte) bool {
	if s.done() || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// token takes a token, "" when none is next.
func (s *scanner) token() string {
	n := 0
	for !s.done() && n < len(s.rest) && isToken(s.rest[n:n+1]) {
		n++
	}
	t := s.rest[:n]
	s.rest = s.rest[n:]
	return t
}

// tokenOrQuoted takes a token or a quoted string, "" when neither is next.
func (s *scanner) tokenOrQuoted() string {
	if !s.take('"') {
		return s.token()
	}
	var b strings.Builder
	for i := 0; i < len(s.rest); i++ {
		switch c := s.rest[i]; {
		case c == '"':
			s.rest = s.rest[i+1:]
			return b.String()
		case c == '\\' && i+1 < len(s.rest):
			i++
			b.WriteByte(s.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	s.rest = ""
	return ""
}
