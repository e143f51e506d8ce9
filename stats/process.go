package stats

import "time"

// Process is one that has, or had, a counters file.
type Process struct {
	PID     int       // in its own PID namespace
	Name    string    // FileConfig.Name
	Path    string    // of the file, for Attach
	Started time.Time // when the file was made
	Stale   bool      // the process has ended; the file tells how it stood then
	Err     error     // why the file cannot be read: PID, Name and Started are then unknown
}
