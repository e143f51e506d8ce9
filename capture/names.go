package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// zstdSuffix is that of files that are compressed.
const zstdSuffix = ".zst"

// partDigits is how many digits the number of a file has, at least.
const partDigits = 6

// partName is the name of file number part of a rotation that begins with path:
// feed.pcapng, feed-000002.pcapng, feed-000003.pcapng, …
func partName(path string, part int) string {
	if part == 1 {
		return path
	}
	stem, ext := splitName(path)
	return fmt.Sprintf("%s-%0*d%s", stem, partDigits, part, ext)
}

// splitName cuts a path before its extension, with which .zst and .gz stay.
func splitName(path string) (stem, ext string) {
	name := strings.TrimSuffix(strings.TrimSuffix(path, zstdSuffix), ".gz")
	ext = filepath.Ext(name)
	return strings.TrimSuffix(name, ext), ext + path[len(name):]
}

// Parts finds the files of one rotation: path, the first one's, and its numbered
// successors beside it, in order. The first may be gone, removed by MaxFiles. What is
// there need not belong together: [Open] looks.
func Parts(path string) ([]string, error) {
	stem, ext := splitName(path)
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	var found []string
	if _, err := os.Stat(path); err == nil {
		found = append(found, path)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("capture: %w", err)
	}
	var numbered []string
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), filepath.Base(stem)+"-")
		if number, isPart := strings.CutSuffix(rest, ext); ok && isPart && isNumber(number) {
			numbered = append(numbered, filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
	slices.SortFunc(numbered, func(a, b string) int { // 1000000 comes after 999999
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	if found = append(found, numbered...); len(found) == 0 {
		return nil, fmt.Errorf("capture: %s: neither this file nor %s: %w", path, filepath.Base(partName(path, 2)), fs.ErrNotExist)
	}
	return found, nil
}

func isNumber(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(s) >= partDigits
}
