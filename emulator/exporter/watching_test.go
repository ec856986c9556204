package exporter_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/goccy/go-yaml"
)

var metricName = regexp.MustCompile(`\blpe_[a-z_]+`)

// told are the names of all metrics that an exporter tells.
func told(t *testing.T) []string {
	t.Helper()
	var text string
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, modulesText, "")
		_, probe, _ := w.get(fe1, "")
		_, own, _ := w.get("/metrics", "")
		text = probe + own
	})
	var names []string
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			names = append(names, strings.Fields(name)[0])
		}
	}
	return names
}

// Dashboard and alerts ask for metrics that there are.
func TestWatchedMetricsExist(t *testing.T) {
	// What a boot of the test does not have: warnings and a certificate.
	names := append(told(t), "lpe_probe_warnings", "lpe_probe_certificate_not_after_timestamp_seconds")
	for _, file := range []string{"../../configs/grafana/lync-phone-sign-in.json", "../../configs/prometheus/alerts.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := metricName.FindAllString(string(text), -1)
		if len(found) < 5 {
			t.Errorf("%s asks for %q", file, found)
		}
		for _, name := range found {
			base := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} {
				base = strings.TrimSuffix(base, suffix)
			}
			if !slices.Contains(names, name) && !slices.Contains(names, base) {
				t.Errorf("%s asks for %s, which is not told", file, name)
			}
		}
	}
}

// The dashboard has what Grafana needs of one: panels with queries that do not lie on each other.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../configs/grafana/lync-phone-sign-in.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title, UID    string
		SchemaVersion int
		Panels        []struct {
			ID      int
			Type    string
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ RefID, Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	if board.Title == "" || board.UID == "" || board.SchemaVersion == 0 || len(board.Panels) < 5 {
		t.Errorf("%+v", board)
	}
	taken, ids := map[[2]int]string{}, map[int]bool{}
	for _, p := range board.Panels {
		if p.Title == "" || p.Type == "" || len(p.Targets) == 0 || ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %+v", p)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			if target.Expr == "" || target.RefID == "" {
				t.Errorf("panel %s: %+v", p.Title, target)
			}
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if taken[at] != "" {
					t.Fatalf("panels %s and %s lie on each other", p.Title, taken[at])
				}
				taken[at] = p.Title
			}
		}
	}
}

// Each alert says what it is about.
func TestAlerts(t *testing.T) {
	text, err := os.ReadFile("../../configs/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Expr        string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) < 4 {
		t.Fatalf("%+v", file)
	}
	for _, r := range file.Groups[0].Rules {
		if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" {
			t.Errorf("%+v", r)
		}
	}
}
