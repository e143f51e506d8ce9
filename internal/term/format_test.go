package term

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRate(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.5: "0.50", 1: "1", 812.4: "812", 999.6: "1.00k", 25_100: "25.1k", 2.4e6: "2.40M", 7e9: "7.00G",
	} {
		require.Equal(t, want, Rate(v))
	}
}
