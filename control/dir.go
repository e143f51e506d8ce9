package control

import (
	"os"
	"path/filepath"
	"strconv"
)

// Dir is where the control sockets of this user's processes are: $BOOMNET_DIR;
// else $XDG_RUNTIME_DIR/boomnet; else /dev/shm/boomnet-UID.
func Dir() string {
	if dir := os.Getenv("BOOMNET_DIR"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "boomnet")
	}
	return filepath.Join("/dev/shm", "boomnet-"+strconv.Itoa(os.Getuid()))
}
