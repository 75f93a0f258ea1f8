package prometheus

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	boardPath  = "../../contrib/grafana/siltstone.json"
	alertsPath = "../../contrib/prometheus/alerts.yml"
	pagePath   = "../../docs/watching.md"
)

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// sampleNames returns the names of all samples that a busy store has.
func sampleNames(t testing.TB) map[string]bool {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(NewCollector("orders", busy()))
	names := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^siltstone_\w+`).FindAllString(exposition(t, r), -1) {
		names[m] = true
	}
	return names
}

func TestTheBoardTheAlertsAndThePageNameWhatExists(t *testing.T) {
	names := sampleNames(t)
	for _, path := range []string{boardPath, alertsPath, pagePath} {
		used := regexp.MustCompile(`\bsiltstone_[a-z_]+`).FindAllString(read(t, path), -1)
		if len(used) < 8 {
			t.Errorf("%s names %d figures", path, len(used))
		}
		for _, name := range used {
			// A histogram is named by itself in text, and by its samples in a query.
			if !names[name] && (path != pagePath || !names[name+"_bucket"]) {
				t.Errorf("%s names %s, which does not exist", path, name)
			}
		}
	}
}

func TestThePageHasEveryFigure(t *testing.T) {
	page := read(t, pagePath)
	for _, f := range NewCollector("orders", busy()).figures {
		if name := Name(f.Figure); !strings.Contains(page, "| `"+name+"`") {
			t.Errorf("%s lacks a row for %s", pagePath, name)
		}
	}
}

func TestThereAreEightAlertsWithWhatToDo(t *testing.T) {
	alerts := strings.Split(read(t, alertsPath), "- alert: ")[1:]
	if len(alerts) != 8 {
		t.Errorf("%d alerts", len(alerts))
	}
	for _, a := range alerts {
		name, _, _ := strings.Cut(a, "\n")
		for _, part := range []string{"expr: ", "severity: ", "summary: '", "action: >-"} {
			if strings.Count(a, part) != 1 {
				t.Errorf("%s: %d times %q", name, strings.Count(a, part), part)
			}
		}
	}
}

// promtool runs the tool that comes with Prometheus.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("no promtool here")
	}
	if out, err := exec.CommandContext(t.Context(), "promtool", args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestPromtoolTakesTheAlerts(t *testing.T) { promtool(t, "check", "rules", alertsPath) }

// TestEachAlertFiresWhenItShould runs series of figures through the rules; each alert has one
// that makes it fire, and one that does not.
func TestEachAlertFiresWhenItShould(t *testing.T) {
	promtool(t, "test", "rules", "testdata/alerts_test.yml")
	cases := read(t, "testdata/alerts_test.yml")
	for _, a := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, alertsPath), -1) {
		if !strings.Contains(cases, "alertname: "+a[1]+"\n") || !strings.Contains(cases, `alertname="`+a[1]+`",alertstate="firing"`) {
			t.Errorf("%s is not tested both quiet and firing", a[1])
		}
	}
}

// board is what a test looks at of the dashboard.
type board struct {
	Title, UID string
	Templating struct{ List []struct{ Name, Type string } }
	Panels     []struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ H, W, X, Y int }
		Targets                  []struct{ RefID, Expr, LegendFormat string }
	}
}

func readBoard(t testing.TB) (b board) {
	t.Helper()
	if err := json.Unmarshal([]byte(read(t, boardPath)), &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTheBoardIsWellFormed(t *testing.T) {
	b := readBoard(t)
	if b.Title == "" || b.UID == "" || len(b.Panels) < 20 {
		t.Errorf("%q, %q, %d panels", b.Title, b.UID, len(b.Panels))
	}
	var variables []string
	for _, v := range b.Templating.List {
		variables = append(variables, v.Name)
	}
	if got := strings.Join(variables, " "); got != "datasource instance store" {
		t.Errorf("variables %s", got)
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q", p.ID, p.Title)
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s lies at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies upon %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || len(p.Targets) == 0 {
			t.Errorf("%s has no description or no query", p.Title)
		}
		for _, q := range p.Targets {
			if !strings.Contains(q.Expr, `store=~"$store", instance=~"$instance"`) || q.LegendFormat == "" || q.RefID == "" {
				t.Errorf("%s: query %+v", p.Title, q)
			}
		}
	}
}
