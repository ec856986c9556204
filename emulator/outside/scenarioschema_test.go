//go:build outside

package outside

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/phone-edition/lpe/scenarios/library"
)

const scenarioSchema = "../../docs/scenario.schema.json"

// Every scenario that is shipped is valid against the schema that is shipped, by a validator from elsewhere.
func TestScenariosMatchTheSchema(t *testing.T) {
	args := []string{}
	dir := t.TempDir()
	for _, name := range library.Names() {
		args = append(args, "-i", instance(t, dir, name, scenarioText(t, name)))
	}
	args = append(args, "-i", instance(t, dir, "target", strings.Replace(scenarioText(t, "at-your-pool"), "# target: {", "target: {port: 5062, dns: 192.0.2.53, ", 1)))
	if out, err := exec.CommandContext(t.Context(), program(t, "jsonschema"), append(args, scenarioSchema)...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What this program refuses for its form, the schema refuses too.
func TestSchemaRefuses(t *testing.T) {
	good := scenarioText(t, "first-boot-standard-edition")
	for name, change := range map[string][2]string{
		"unknown key":      {"source:", "sources:"},
		"two verbs":        {"- sign_in: kenmyer", "- {sign_in: kenmyer, stay: 1s}"},
		"no verb":          {"- sign_in: kenmyer", "- {label: x}"},
		"number for a PIN": {"- sign_in: kenmyer", "- enter_pin: 712"},
		"no duration":      {"within: 20s", "within: soon"},
		"text for a list":  {"warnings: []", "warnings: none"},
		"other word":       {"power: on", "power: standby"},
		"negative count":   {"count: 4", "count: -4"},
		"key of a target":  {"steps:", "target: {fqnd: pool.contoso.com}\nsteps:"},
		"no port":          {"steps:", "target: {fqdn: pool.contoso.com, port: 70000}\nsteps:"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(good, change[0]) {
				t.Fatalf("no %q", change[0])
			}
			file := instance(t, t.TempDir(), "bad", strings.Replace(good, change[0], change[1], 1))
			if err := exec.CommandContext(t.Context(), program(t, "jsonschema"), "-i", file, scenarioSchema).Run(); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func scenarioText(t *testing.T, name string) string {
	t.Helper()
	text, err := library.Text(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// instance writes a scenario as JSON.
func instance(t *testing.T, dir, name, text string) string {
	t.Helper()
	document, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name+".json")
	if err := os.WriteFile(file, document, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
