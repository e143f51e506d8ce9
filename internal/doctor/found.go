package doctor

import (
	"fmt"
	"strings"

	"github.com/boomnet-go/boomnet/affinity"
)

// found is what a check has to say.
type found struct {
	verdict Verdict
	seen    string
	mend    []string
	keep    string
}

func good(format string, args ...any) found {
	return found{verdict: OK, seen: fmt.Sprintf(format, args...)}
}
func warn(format string, args ...any) found {
	return found{verdict: Warn, seen: fmt.Sprintf(format, args...)}
}
func bad(format string, args ...any) found {
	return found{verdict: Bad, seen: fmt.Sprintf(format, args...)}
}

// unknown is for what could not be read.
func unknown(err error) found { return found{verdict: Unknown, seen: err.Error()} }

// judge is good when holds, else the verdict given.
func judge(holds bool, otherwise Verdict, format string, args ...any) found {
	f := found{verdict: OK, seen: fmt.Sprintf(format, args...)}
	if !holds {
		f.verdict = otherwise
	}
	return f
}

// by adds the commands that mend what is not good, and what makes it last.
func (f found) by(keep string, mend ...string) found {
	if f.verdict == Warn || f.verdict == Bad {
		f.keep, f.mend = keep, mend
	}
	return f
}

// bySysctl mends by a setting below /proc/sys.
func (f found) bySysctl(name, value string) found {
	return f.by("/etc/sysctl.d/90-boomnet.conf: "+name+" = "+value, fmt.Sprintf("sysctl -w %s=%s", name, shellWord(value)))
}

// byFile mends by writing to a file of sysfs, path being without the first slash.
func (f found) byFile(path, value string) found {
	return f.by(fmt.Sprintf("/etc/tmpfiles.d/boomnet.conf: w /%s - - - - %s", path, value), fmt.Sprintf("echo %s >/%s", value, path))
}

// atBoot mends by a parameter of the kernel's command line.
func (f found) atBoot(parameter string, mend ...string) found {
	return f.by("kernel command line: "+parameter, mend...)
}

func shellWord(s string) string {
	if strings.ContainsAny(s, " \t") {
		return "'" + s + "'"
	}
	return s
}

// some names a set, which may be empty.
func some(s affinity.Set) string {
	if s == (affinity.Set{}) {
		return "none"
	}
	return s.String()
}
