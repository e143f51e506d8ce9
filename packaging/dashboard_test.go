package packaging

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"github.com/stretchr/testify/require"
)

// dashboard is what these tests look at of grafana/boomnet.json.
type dashboard struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	SchemaVersion int    `json:"schemaVersion"`
	Time          struct{ From, To string }
	Templating    struct{ List []variable }
	Annotations   struct {
		List []struct {
			Datasource datasource
			Expr       string
		}
	}
	Panels []panel
}

type datasource struct{ Type, UID string }

type variable struct {
	Name, Type, Definition string
	Datasource             *datasource
	AllValue               string
}

type panel struct {
	ID          int
	Type, Title string
	Description string
	GridPos     struct{ H, W, X, Y int }
	Datasource  *datasource
	Targets     []target
	Options     map[string]any
	FieldConfig struct{ Defaults struct{ Mappings []mapping } }
	Panels      []panel
	Transparent bool
	Collapsed   bool
}

type mapping struct {
	Type    string
	Options map[string]struct{ Text string }
}

type target struct {
	Datasource                *datasource
	Expr, LegendFormat, RefID string
	Format                    string
	Instant, Range            bool
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("grafana/boomnet.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// panelTypes are those of Grafana that are used, none of them a plug-in to install.
var panelTypes = []string{"heatmap", "row", "stat", "state-timeline", "table", "timeseries"}

func TestDashboardIsOneThatGrafanaTakes(t *testing.T) {
	d := readDashboard(t)
	require.Equal(t, "boomnet", d.UID)
	require.NotEmpty(t, d.Title)
	require.GreaterOrEqual(t, d.SchemaVersion, 39, "Grafana 10.4 and later take it without a migration")
	require.NotEmpty(t, d.Time.From)
	source := datasource{"prometheus", "${datasource}"}
	require.Equal(t, "datasource", d.Templating.List[0].Type)
	require.Equal(t, "datasource", d.Templating.List[0].Name)
	names := []string{"__rate_interval", "__range", "datasource"}
	for _, v := range d.Templating.List[1:] {
		require.Equal(t, source, *v.Datasource, v.Name)
		require.Equal(t, ".*", v.AllValue, v.Name)
		names = append(names, v.Name)
	}
	ids := make(map[int]bool)
	taken := make(map[[2]int]string)
	for _, p := range d.Panels {
		require.Contains(t, panelTypes, p.Type, p.Title)
		require.NotEmpty(t, p.Title)
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[at], "%s lies over it", p.Title)
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.Equal(t, source, *p.Datasource, p.Title)
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		refs := make(map[string]bool)
		for _, q := range p.Targets {
			require.Equal(t, source, *q.Datasource, p.Title)
			require.NotEmpty(t, q.RefID)
			require.False(t, refs[q.RefID], p.Title)
			refs[q.RefID] = true
			require.NotEqual(t, q.Instant, q.Range, p.Title)
			if p.Type == "table" {
				require.Equal(t, "table", q.Format, p.Title)
			}
			for _, m := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(q.Expr, -1) {
				require.Contains(t, names, m[1], p.Title)
			}
		}
	}
}

// queries are all PromQL expressions of the dashboard, variables filled in, by where
// they are, with the labels that their legends use.
func (d *dashboard) queries() (all []query) {
	fill := strings.NewReplacer("$__rate_interval", "1m", "$__range", "30m")
	for _, v := range d.Templating.List[1:] {
		expr, _, _ := strings.Cut(strings.TrimPrefix(v.Definition, "label_values("), ", ")
		_, label, _ := strings.Cut(strings.TrimSuffix(v.Definition, ")"), ", ")
		all = append(all, query{"variable " + v.Name, fill.Replace(expr), []string{label}})
	}
	for _, a := range d.Annotations.List {
		if a.Expr != "" {
			all = append(all, query{"annotation", fill.Replace(a.Expr), nil})
		}
	}
	for _, p := range d.Panels {
		for _, q := range p.Targets {
			var used []string
			for _, m := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(q.LegendFormat, -1) {
				used = append(used, m[1])
			}
			all = append(all, query{p.Title, fill.Replace(q.Expr), used})
		}
	}
	return all
}

type query struct {
	where, expr string
	labels      []string
}

// ofTheServer are labels that Prometheus adds to what it scrapes.
var ofTheServer = []string{"instance", "job"}

// check insists that a query is PromQL, and that every metric and every label that it
// names is one that running programs export. It returns the metrics.
func (q query) check(t *testing.T, exported map[string]metric) (metrics []string) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(q.expr)
	require.NoError(t, err, "%s: %s", q.where, q.expr)
	labels := slices.Clone(ofTheServer)
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		v, ok := n.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		m, there := exported[v.Name]
		require.True(t, there, "%s: nothing exports %s", q.where, v.Name)
		metrics = append(metrics, v.Name)
		of := append(slices.Clone(ofTheServer), m.labels...)
		labels = append(labels, of...)
		for _, m := range v.LabelMatchers {
			if m.Name != "__name__" {
				require.Contains(t, of, m.Name, "%s: %s", q.where, v.Name)
			}
		}
		return nil
	})
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		switch n := n.(type) {
		case *parser.AggregateExpr:
			for _, l := range n.Grouping {
				require.Contains(t, labels, l, q.where)
			}
			for _, l := range q.labels {
				require.True(t, len(n.Grouping) == 0 || slices.Contains(n.Grouping, l), "%s: %s is in the legend, and summed up", q.where, l)
			}
		case *parser.Call:
			if n.Func.Name == "rate" || n.Func.Name == "increase" {
				v := n.Args[0].(*parser.MatrixSelector).VectorSelector.(*parser.VectorSelector)
				require.NotEqual(t, "gauge", exported[v.Name].kind, "%s: %s of %s", q.where, n.Func.Name, v.Name)
			}
		}
		return nil
	})
	for _, l := range q.labels {
		require.Contains(t, labels, l, q.where)
	}
	return metrics
}

func TestDashboardAsksForWhatThereIs(t *testing.T) {
	exported := scrapeDemo(t)
	d := readDashboard(t)
	metrics := make(map[string]bool)
	for _, q := range d.queries() {
		for _, m := range q.check(t, exported) {
			metrics[m] = true
		}
	}
	require.Greater(t, len(metrics), 25)
}

// The names of states in the dashboard are those that the exporter gives.
func TestDashboardKnowsTheStates(t *testing.T) {
	_, list, _ := strings.Cut(scrapeDemo(t)["boomnet_endpoint_state_number"].help, ": ")
	states := strings.Split(strings.TrimSuffix(list, " from 0"), ", ")
	require.Greater(t, len(states), 5)
	for _, p := range readDashboard(t).Panels {
		if p.Type != "state-timeline" {
			continue
		}
		for i, name := range states {
			require.Equal(t, name, p.FieldConfig.Defaults.Mappings[0].Options[string(rune('0'+i))].Text)
		}
		require.Len(t, p.FieldConfig.Defaults.Mappings[0].Options, len(states))
	}
}
