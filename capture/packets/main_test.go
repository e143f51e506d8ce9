package packets

import (
	"testing"

	"github.com/boomnet-go/boomnet/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }
