//go:build boomnet_wait

package syswait

import "strings"

// releases are those of Go whose runtime this was read against, and tested with.
var releases = []string{"go1.26"}

// known reports whether version, as runtime.Version gives it, is one of them.
func known(version string) bool {
	for _, r := range releases {
		rest, ok := strings.CutPrefix(version, r)
		if ok && (rest == "" || strings.ContainsAny(rest[:1], ".-rb ")) {
			return true
		}
	}
	return false
}
