// Package procfs looks at a process through the file system of its machine.
package procfs

import (
	"io/fs"
	"strconv"
	"strings"
)

// Of is fsys, the root of a machine, as process pid would see it: proc/self is the
// process's own folder there. Everything that reads proc/self reads of it then.
func Of(fsys fs.FS, pid int) fs.FS {
	return process{fsys, "proc/" + strconv.Itoa(pid)}
}

type process struct {
	fsys fs.FS
	dir  string
}

const self = "proc/self"

func (p process) path(name string) string {
	if rest, ok := strings.CutPrefix(name, self); ok && (rest == "" || rest[0] == '/') {
		return p.dir + rest
	}
	return name
}

// Open implements fs.FS.
func (p process) Open(name string) (fs.File, error) { return p.fsys.Open(p.path(name)) }

// ReadLink implements fs.ReadLinkFS, as far as the file system below does.
func (p process) ReadLink(name string) (string, error) { return fs.ReadLink(p.fsys, p.path(name)) }

// Lstat implements fs.ReadLinkFS.
func (p process) Lstat(name string) (fs.FileInfo, error) { return fs.Lstat(p.fsys, p.path(name)) }
