package stats

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Dir is where the counters files and control sockets of this user's processes
// are: $BOOMNET_DIR; else $XDG_RUNTIME_DIR/boomnet if that is in memory (tmpfs);
// else /dev/shm/boomnet-UID; and where there is no such memory, boomnet-UID in the
// directory for temporary files. It need not exist, see MakeDir.
func Dir() string {
	if dir := os.Getenv("BOOMNET_DIR"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) && inMemory(dir) {
		return filepath.Join(dir, "boomnet")
	}
	own := "boomnet-" + strconv.Itoa(os.Getuid())
	if inMemory(sharedMemory) {
		return filepath.Join(sharedMemory, own)
	}
	return filepath.Join(os.TempDir(), own)
}

const sharedMemory = "/dev/shm"

// MakeDir makes such a directory, with mode 0700, if it is not there, and checks
// that it is a directory of this user's which nobody else may enter: in a place
// that all may write somebody else could have been first.
func MakeDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !os.IsExist(err) {
		return fmt.Errorf("stats: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("stats: %w", err)
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case info.Mode().Type() != fs.ModeDir:
		return fmt.Errorf("stats: %s is not a directory but a %v", dir, info.Mode().Type())
	case int(owner) != os.Geteuid():
		return fmt.Errorf("stats: %s belongs to user %d, not to %d", dir, owner, os.Geteuid())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("stats: %s may be entered by others: its mode is %#o, want 0700", dir, info.Mode().Perm())
	}
	return nil
}

// inMemory reports whether a directory is on tmpfs.
func inMemory(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && int64(st.Type) == unix.TMPFS_MAGIC
}
