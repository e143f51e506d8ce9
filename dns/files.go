package dns

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	// checkFiles is how often a Stub looks whether its files have changed.
	checkFiles = 5 * time.Second
	// maxFile is the size in bytes up to which a file is read.
	maxFile = 8 << 20
)

// settings are what the files said when they were last read. Nobody changes them.
type settings struct {
	config *Config // filled
	hosts  hosts
}

// files reads resolv.conf and hosts, and reads them again when they have changed.
// A file that is not there is as an empty one. A file that cannot be read is an
// error as long as there is no older version of it, which else stays in use: a
// file is being replaced, and that a pinned host is suddenly asked for
// in public is the last thing that one wants.
type files struct {
	mu      sync.Mutex
	now     settings
	checked int64 // when, by the clock of the Stub
	ready   bool
	conf    watched
	hosts   watched
}

// watched is a file as it was when it was read.
type watched struct {
	info  fs.FileInfo // nil: it was not there
	known bool        // it was read, or found missing
}

// current is what the files say now, or did at most checkFiles ago; changed, that
// the servers are not those of the call before. given takes the place of the file at confPath.
func (f *files) current(now int64, given *Config, confPath, hostsPath string) (s settings, changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ready && now-f.checked < int64(checkFiles) {
		return f.now, false, nil
	}
	if text, fresh, err := f.hosts.read(hostsPath); err != nil {
		return s, false, err
	} else if fresh {
		f.now.hosts = parseHosts(text)
	}
	switch {
	case f.now.config != nil && (given != nil || f.now.config.NoReload):
	case given != nil:
		f.now.config = given.filled()
	default:
		text, fresh, err := f.conf.read(confPath)
		if err != nil {
			return s, false, err
		}
		if fresh {
			changed = f.now.config != nil
			f.now.config = fromFile(text).filled()
		}
	}
	f.checked, f.ready = now, true
	return f.now, changed, nil
}

// ReadConfig reads a file of the form of resolv.conf(5), see [ParseConfig]. One
// that is not there is as an empty one. A file that names no domain has that of
// the machine's own name.
func ReadConfig(path string) (*Config, error) {
	text, _, err := new(watched).read(path)
	if err != nil {
		return nil, err
	}
	return fromFile(text), nil
}

func fromFile(text []byte) *Config {
	c := ParseConfig(text)
	if c.Search == nil {
		if name, err := os.Hostname(); err == nil {
			c.Search = localDomain(name)
		}
	}
	return &c
}

// read returns the text of a file and whether it is another one than last time.
func (w *watched) read(path string) (text []byte, fresh bool, err error) {
	defer func() {
		if err != nil {
			fresh = false
			if w.known {
				err = nil
			} else {
				err = fmt.Errorf("dns: %w", err)
			}
		}
	}()
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		fresh = !w.known || w.info != nil
		w.info, w.known = nil, true
		return nil, fresh, nil
	}
	if err != nil {
		return nil, false, err
	}
	if w.info != nil && os.SameFile(w.info, info) && w.info.ModTime().Equal(info.ModTime()) && w.info.Size() == info.Size() {
		return nil, false, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	if text, err = io.ReadAll(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, false, err
	}
	if len(text) > maxFile {
		return nil, false, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	w.info, w.known = info, true
	return text, true, nil
}
