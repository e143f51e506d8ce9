package prometheus

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sample is a line of the text format.
type sample struct {
	name   string
	labels map[string]string
	value  float64
}

func (s sample) key() string { return s.name + fmt.Sprint(s.labels) }

// parsed is a text that parse has read.
type parsed struct {
	samples []sample
	types   map[string]string // by family
	help    map[string]string
}

// find returns the value of the only sample of this name with these labels among its own.
func (p *parsed) find(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	var found []sample
	for _, s := range p.samples {
		ok := s.name == name
		for i := 0; ok && i < len(labels); i += 2 {
			v, there := s.labels[labels[i]]
			ok = there && v == labels[i+1]
		}
		if ok {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, "%s %q", name, labels)
	return found[0].value
}

var (
	metricName = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	labelName  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)
	suffixes   = map[string][]string{gauge: {""}, counter: {""}, histogram: {"_bucket", "_sum", "_count"}}
)

// parse reads the text format, version 0.0.4, and insists on what the formats only ask
// for: HELP and TYPE before the samples of a family, once, all samples together, no
// series twice, histograms whose buckets ascend up to +Inf.
func parse(text string) (*parsed, error) {
	p := &parsed{types: make(map[string]string), help: make(map[string]string)}
	seen := make(map[string]bool)
	family := ""
	for n, line := range strings.SplitAfter(text, "\n") {
		if line == "" {
			break
		}
		bad := func(what string) (*parsed, error) { return nil, fmt.Errorf("line %d: %s: %q", n+1, what, line) }
		line, ended := strings.CutSuffix(line, "\n")
		if !ended {
			return bad("no end of line")
		}
		if rest, ok := strings.CutPrefix(line, "# HELP "); ok {
			name := metricName.FindString(rest)
			help, ok := strings.CutPrefix(rest[len(name):], " ")
			if _, twice := p.help[name]; name == "" || twice || !ok {
				return bad("HELP")
			}
			p.help[name] = help
			family = name
			continue
		}
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, kind, _ := strings.Cut(rest, " ")
			if name != family || p.types[name] != "" || suffixes[kind] == nil {
				return bad("TYPE")
			}
			p.types[name] = kind
			continue
		}
		s, err := parseSample(line)
		if err != nil {
			return bad(err.Error())
		}
		suffix, ok := strings.CutPrefix(s.name, family)
		found := false
		for _, want := range suffixes[p.types[family]] {
			found = found || suffix == want
		}
		if !ok || !found {
			return bad("not of the family " + family)
		}
		if seen[s.key()] {
			return bad("twice")
		}
		seen[s.key()] = true
		p.samples = append(p.samples, s)
	}
	return p, p.histograms()
}

func parseSample(line string) (s sample, err error) {
	s.name = metricName.FindString(line)
	if s.name == "" {
		return s, fmt.Errorf("no name")
	}
	rest := line[len(s.name):]
	s.labels = make(map[string]string)
	if strings.HasPrefix(rest, "{") {
		for sep := "{"; !strings.HasPrefix(rest, "}"); sep = "," {
			var ok bool
			if rest, ok = strings.CutPrefix(rest, sep); !ok {
				return s, fmt.Errorf("no %q", sep)
			}
			name := labelName.FindString(rest)
			if _, twice := s.labels[name]; name == "" || twice {
				return s, fmt.Errorf("label %q", name)
			}
			if rest, ok = strings.CutPrefix(rest[len(name):], `="`); !ok {
				return s, fmt.Errorf("no value of %s", name)
			}
			var v strings.Builder
			for {
				if rest == "" {
					return s, fmt.Errorf("value of %s has no end", name)
				}
				c := rest[0]
				rest = rest[1:]
				if c == '"' {
					break
				}
				if c == '\\' {
					if rest == "" || !strings.ContainsRune(`\n"`, rune(rest[0])) {
						return s, fmt.Errorf("escape in %s", name)
					}
					c = rest[0]
					if c == 'n' {
						c = '\n'
					}
					rest = rest[1:]
				}
				v.WriteByte(c)
			}
			s.labels[name] = v.String()
		}
		rest = rest[1:]
	}
	number, ok := strings.CutPrefix(rest, " ")
	if !ok {
		return s, fmt.Errorf("no value")
	}
	s.value, err = strconv.ParseFloat(number, 64)
	return s, err
}

// histograms checks that buckets ascend, and that +Inf is the count.
func (p *parsed) histograms() error {
	type state struct{ le, count, inf float64 }
	of := make(map[string]*state)
	for _, s := range p.samples {
		base, bucket := strings.CutSuffix(s.name, "_bucket")
		if !bucket || p.types[base] != histogram {
			if base, count := strings.CutSuffix(s.name, "_count"); count && p.types[base] == histogram {
				h := of[sample{name: base, labels: s.labels}.key()]
				if h == nil || h.inf != s.value {
					return fmt.Errorf("%s: the count is not that of +Inf", s.key())
				}
			}
			continue
		}
		le, err := strconv.ParseFloat(s.labels["le"], 64)
		if err != nil {
			return err
		}
		delete(s.labels, "le")
		key := sample{name: base, labels: s.labels}.key()
		h := of[key]
		if h == nil {
			h = &state{le: le - 1, inf: -1}
			of[key] = h
		}
		if le <= h.le || s.value < h.count {
			return fmt.Errorf("%s: le %v after %v, %v after %v", key, le, h.le, s.value, h.count)
		}
		h.le, h.count, h.inf = le, s.value, s.value
		s.labels["le"] = strconv.FormatFloat(le, 'g', -1, 64)
	}
	return nil
}

// mustParse is parse in a test.
func mustParse(t *testing.T, text []byte) *parsed {
	t.Helper()
	p, err := parse(string(text))
	require.NoError(t, err, "%s", text)
	return p
}

// The parser of these tests sees what Prometheus would refuse.
func TestParseIsStrict(t *testing.T) {
	head := "# HELP a b\n# TYPE a gauge\n"
	for _, bad := range []string{
		"a 1\n", head + "a 1", head + "a 1\na 1\n", head + "b 1\n", head + "a x\n", head + "a{b=\"\\x\"} 1\n", head + "a{b=\"c} 1\n",
		head + "a{b=\"\",b=\"\"} 1\n", head + "a{b=\"\" c=\"\"} 1\n", head + head, "# HELP a b\n# TYPE a x\n", head + "a{1=\"\"} 1\n",
		"# HELP h x\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 1\n",
		"# HELP h x\n# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 0\nh_count 2\n",
	} {
		_, err := parse(bad)
		require.Error(t, err, bad)
	}
	p, err := parse(head + "a{b=\"\\\\\\\"\\n\"} 1.5\na 2\n")
	require.NoError(t, err)
	require.Equal(t, "\\\"\n", p.samples[0].labels["b"])
}
