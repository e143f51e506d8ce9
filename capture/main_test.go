package capture

import (
	"os"
	"testing"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		child(path)
	}
	leak.Main(m)
}
