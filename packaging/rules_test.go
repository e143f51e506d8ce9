package packaging

import (
	"log/slog"
	"regexp"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// The rules are such that Prometheus loads them, and ask for what there is.
func TestRules(t *testing.T) {
	promql := parser.NewParser(parser.Options{})
	groups, errs := rulefmt.ParseFile("prometheus/boomnet.rules.yml", false, model.UTF8Validation, promql, slog.New(slog.DiscardHandler))
	require.Empty(t, errs)
	exported := scrapeDemo(t)
	n := 0
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			n++
			require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
			require.NotEmpty(t, r.Annotations["summary"], r.Alert)
			var text string
			for _, a := range r.Annotations {
				text += a
			}
			q := query{where: r.Alert, expr: r.Expr}
			for _, m := range regexp.MustCompile(`\$labels\.(\w+)`).FindAllStringSubmatch(text, -1) {
				q.labels = append(q.labels, m[1])
			}
			q.check(t, exported)
		}
	}
	require.Greater(t, n, 5)
}
