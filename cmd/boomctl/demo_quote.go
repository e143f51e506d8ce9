package main

import "bytes"

// quote is what the demo wants to know of a message.
type quote struct {
	sent  int64 // number field "T", 0: there is none
	price int64 // in units of 10^-8, 0: there is none
}

// priceUnit is one whole in the units of quote.price.
const priceUnit = 100_000_000

// scanQuote finds "T", and the price in the first of "p" (a trade's), "b" (a best
// bid) and "price", in a JSON message, at whatever depth. It looks at keys and at
// the values of these four and skips everything else, so it is no parser: of a
// text that is no JSON it makes what it can. It does not allocate.
func scanQuote(message []byte) quote {
	var q quote
	for rest := message; ; {
		i := bytes.IndexByte(rest, '"')
		if i < 0 {
			return q
		}
		name, after := cutString(rest[i+1:])
		value, isKey := cutColon(after)
		if !isKey {
			rest = after // a string that is a value
			continue
		}
		rest = value
		switch string(name) { // compares, does not convert
		case "T":
			if q.sent == 0 {
				q.sent = scanInteger(value)
			}
		case "p", "b", "price":
			if q.price == 0 {
				q.price = scanPrice(value)
			}
		}
		if q.sent != 0 && q.price != 0 {
			return q
		}
	}
}

// cutString splits what follows an opening quote at the closing one.
func cutString(p []byte) (s, after []byte) {
	for from := 0; ; {
		i := bytes.IndexByte(p[from:], '"')
		if i < 0 {
			return p, nil
		}
		end := from + i
		slashes := 0
		for slashes < end && p[end-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return p[:end], p[end+1:]
		}
		from = end + 1 // an escaped quote
	}
}

// cutColon skips the colon that makes the string before it a key.
func cutColon(p []byte) (value []byte, ok bool) {
	p = trimSpace(p)
	if len(p) == 0 || p[0] != ':' {
		return p, false
	}
	return trimSpace(p[1:]), true
}

func trimSpace(p []byte) []byte {
	for len(p) > 0 && (p[0] == ' ' || p[0] == '\t' || p[0] == '\n' || p[0] == '\r') {
		p = p[1:]
	}
	return p
}

// maxBeforeDigit is the largest number to which one more digit can be appended.
const maxBeforeDigit = (1<<63 - 1 - 9) / 10

// scanInteger reads a positive integer at the start of p. It answers 0 for
// anything else: a sign, a fraction, an exponent, too many digits.
func scanInteger(p []byte) int64 {
	var n int64
	for i, c := range p {
		switch {
		case c >= '0' && c <= '9':
			if n > maxBeforeDigit {
				return 0
			}
			n = n*10 + int64(c-'0')
		case c == '.' || c == 'e' || c == 'E' || i == 0:
			return 0
		default:
			return n
		}
	}
	return n
}

// scanPrice reads a positive decimal number at the start of p, in quotes or not.
// Decimals after the eighth are dropped. It answers 0 for anything else.
func scanPrice(p []byte) int64 {
	if len(p) > 0 && p[0] == '"' {
		p = p[1:]
	}
	var n int64
	point, decimals := false, 0
	for len(p) > 0 && (p[0] >= '0' && p[0] <= '9' || p[0] == '.' && !point) {
		switch {
		case p[0] == '.':
			point = true
		case decimals == 8:
		case n > maxBeforeDigit:
			return 0
		default:
			n = n*10 + int64(p[0]-'0')
			if point {
				decimals++
			}
		}
		p = p[1:]
	}
	if len(p) > 0 && bytes.IndexByte(afterNumber, p[0]) < 0 {
		return 0
	}
	for ; decimals < 8; decimals++ {
		if n > maxBeforeDigit {
			return 0
		}
		n *= 10
	}
	return n
}

// afterNumber is what may follow a number, or a number in quotes.
var afterNumber = []byte("\",}] \t\r\n")
