package docs

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/boomnet-go/boomnet/stats/prometheus"
)

// TestEveryMetricIsInTheTable compares the table of prometheus.md with what a scrape of
// a running reactor has.
func TestEveryMetricIsInTheTable(t *testing.T) {
	file := publish(t, "?fault=close&code=1012&after=5")
	e, err := prometheus.New(prometheus.Config{File: file.Path()})
	require.NoError(t, err)
	defer e.Close()
	var scraped strings.Builder
	require.Eventually(t, func() bool { // an error log without errors has no series
		scraped.Reset()
		return e.Write(&scraped) == nil && strings.Contains(scraped.String(), "boomnet_reactor_errors_total{")
	}, limit, 20*time.Millisecond)

	var running strings.Builder
	help := ""
	for line := range strings.Lines(scraped.String()) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if kind != "#" {
			continue
		}
		kind, rest, _ = strings.Cut(rest, " ")
		name, text, _ := strings.Cut(rest, " ")
		if kind == "HELP" {
			help = text
			continue
		}
		fmt.Fprintf(&running, "| `%s` | %s | %s |\n", name, text, help)
	}
	var said strings.Builder
	for _, row := range page(t, "prometheus.md").Rows {
		if strings.HasPrefix(row[0], "`boomnet_") && len(row) == 3 {
			fmt.Fprintf(&said, "| %s |\n", strings.Join(row, " | "))
		}
	}
	require.Equal(t, running.String(), said.String())
}
