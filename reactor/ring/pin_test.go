package ring

import (
	"runtime"
	"testing"

	"github.com/boomnet-go/boomnet/affinity"
)

// pin ties the calling goroutine to a CPU, when this machine lets it. The thread
// ends with the goroutine, which never unlocks it.
func pin(t *testing.T, cpu int) {
	if cpu < 0 {
		return
	}
	runtime.LockOSThread()
	if err := affinity.Pin(cpu); err != nil {
		t.Logf("not pinned to CPU %d: %v", cpu, err)
	}
}
