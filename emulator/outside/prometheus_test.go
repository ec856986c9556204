//go:build outside

package outside

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exporter"
)

func promtool(t *testing.T, stdin string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), program(t, "promtool"), args...)
	command.Stdin = strings.NewReader(stdin)
	out, err := command.CombinedOutput()
	if err != nil || args[0] == "check" && args[1] == "metrics" && len(out) > 0 {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// What the exporter tells is as Prometheus wants it, of a probe and of itself.
func TestExporterMetrics(t *testing.T) {
	modules, err := configs.ParseModules(filepath.Join(t.TempDir(), "modules.yaml"),
		[]byte("modules:\n  lab:\n    profile: polycom-cx600-4.0.7577.4463\n    way: lab\n    lab: litware\n    minimum_interval: 1s\n"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := exporter.New(exporter.Options{Modules: modules})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, path := range []string{"/probe?module=lab", "/metrics"} {
		answer := httptest.NewRecorder()
		e.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
		}
		promtool(t, answer.Body.String(), "check", "metrics")
	}
}

func TestPrometheusFiles(t *testing.T) {
	promtool(t, "", "check", "config", "../../configs/prometheus/prometheus.yaml")
	promtool(t, "", "check", "rules", "../../configs/prometheus/alerts.yaml")
	promtool(t, "", "test", "rules", "testdata/alerts_test.yaml")
}
