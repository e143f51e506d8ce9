package main

import (
	"os"
	"testing"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// runDemo in the environment makes this test binary be boomctl, so that these
// tests run the whole command, child process included, with the race detector.
const runDemo = "BOOMCTL_TEST_RUN_MAIN"

func init() {
	if os.Getenv(runDemo) != "" {
		main()
		os.Exit(0)
	}
}
