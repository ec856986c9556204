package matrix_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/format"
	"github.com/phone-edition/lpe/scenarios/library"
	"github.com/phone-edition/lpe/scenarios/matrix"
	"github.com/phone-edition/lpe/scenarios/run"
)

var update = flag.Bool("update", false, "accept what differs")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const baselines = "../baselines"

var keys = sync.OnceValue(func() *rig.Keyring {
	var k rig.Keyring
	if err := run.Prepare(&k); err != nil {
		panic(err)
	}
	return &k
})

// within runs scenarios in virtual time within this test.
func within(t *testing.T) matrix.Runner {
	return func(_ context.Context, list []*format.Scenario, done func(int, run.Result) error) error {
		results := make([]run.Result, len(list))
		t.Run("scenarios", func(t *testing.T) { // which waits for the parallel ones
			for n, s := range list {
				t.Run(s.Name+" "+s.As, func(t *testing.T) {
					t.Parallel()
					var err error
					if results[n], err = run.VirtualExchange(context.Background(), t, s, keys()); err != nil {
						t.Error(err)
					}
				})
			}
		})
		for n, r := range results {
			if err := done(n, r); err != nil {
				return err
			}
		}
		return nil
	}
}

func scenarios(t *testing.T, names ...string) []*format.Scenario {
	t.Helper()
	list, err := library.Find(names)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func table(t *testing.T, list []*format.Scenario, profiles []string, dir string) *matrix.Table {
	t.Helper()
	out, err := matrix.Run(t.Context(), list, profiles, dir, compare.DefaultMasks(), within(t))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func text(t *testing.T, w *matrix.Table, form string) string {
	t.Helper()
	var b bytes.Buffer
	if err := w.Write(&b, form); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every shipped profile does what it did when its baseline was accepted.
func TestBaselines(t *testing.T) {
	profiles, err := matrix.Profiles(compared)
	if err != nil {
		t.Fatal(err)
	}
	got := table(t, scenarios(t, "firmware-*"), profiles, baselines)
	if *update {
		var b bytes.Buffer
		if err := got.WriteAccepted(&b); err != nil {
			t.Fatal(err)
		}
		t.Log(b.String())
		if err := got.Accept(); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !got.OK() {
		t.Error(text(t, got, "list") + "\nWhat is meant to be so is accepted by: go test ./scenarios/matrix -run TestBaselines -update")
	}
}

// A file of baselines is read as it was written, and is small.
func TestFile(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(baselines, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no baselines")
	}
	total := 0
	for _, file := range files {
		b, err := matrix.LoadBaseline(baselines, strings.TrimSuffix(filepath.Base(file), ".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		if err := b.Save(dir); err != nil {
			t.Fatal(err)
		}
		again, err := matrix.LoadBaseline(dir, b.Scenario)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, again); diff != "" {
			t.Errorf("%s: -read +read again:\n%s", file, diff)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, b.Text()) {
			t.Errorf("%s is not as it would be written", file)
		}
		total += len(data)
	}
	if total > 2<<20 {
		t.Errorf("the baselines have %d bytes", total)
	}
}

// copied writes a copy of a shipped profile with another fact, under the same name, and returns the pattern for it.
func copied(t *testing.T, name, fact, value string) []string {
	t.Helper()
	data, err := os.ReadFile("../../configs/profiles/" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	data = append(data, fmt.Sprintf("  %s: {value: %s, provenance: assumed, source: changed by a test}\n", fact, value)...)
	if err := os.WriteFile(filepath.Join(dir, name+".yaml"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := matrix.Profiles(filepath.Join(dir, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// One changed fact of a copied profile is found, and named as what it is on the wire, and nothing else is.
func TestChangedFact(t *testing.T) {
	const (
		profile = "polycom-cx600-4.0.7577.4463"
		suites  = `suites is "TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_3DES_EDE_CBC_SHA, TLS_RSA_WITH_RC4_128_SHA" in A, ` +
			`"TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_RC4_128_SHA" in B`
	)
	for name, test := range map[string]struct {
		scenario, fact, value string
		want                  []string
	}{
		"header": {"firmware-cold-boot", "sip.ms_keep_alive", "UAC;hop-hop=no", []string{
			`sip sent REGISTER 1 in Register: ms-keep-alive is "UAC;hop-hop=yes" in A, "UAC;hop-hop=no" in B`,
			`sip sent REGISTER 2 in Register: ms-keep-alive is "UAC;hop-hop=yes" in A, "UAC;hop-hop=no" in B`,
			`sip sent REGISTER 3 in Register: ms-keep-alive is "UAC;hop-hop=yes" in A, "UAC;hop-hop=no" in B`,
			`sip sent REGISTER 4 in Register: ms-keep-alive is "UAC;hop-hop=yes" in A, "UAC;hop-hop=no" in B`,
		}},
		"one of several headers": {"firmware-cold-boot", "sip.supported", `["gruu-10, adhoclist, msrtc-event-categories", ms-forking, ms-userservices-state-notification]`, []string{
			`sip sent REGISTER 1 in Register: Supported[3] is missing in B: "ms-cluster-failover" in A`,
			`sip sent REGISTER 2 in Register: Supported[3] is missing in B: "ms-cluster-failover" in A`,
			`sip sent REGISTER 3 in Register: Supported[3] is missing in B: "ms-cluster-failover" in A`,
			`sip sent REGISTER 4 in Register: Supported[3] is missing in B: "ms-cluster-failover" in A`,
		}},
		"option": {"firmware-cold-boot", "dhcp.parameter_request_list", "[1, 3, 6, 15, 44, 46, 47, 42]", []string{
			`dhcp sent DISCOVER in VlanDiscover: option 55 parameter request list is "1,3,6,15,44,46,47,42,43 (0103060f2c2e2f2a2b)" in A, "1,3,6,15,44,46,47,42 (0103060f2c2e2f2a)" in B`,
			`dhcp sent REQUEST in VlanDiscover: option 55 parameter request list is "1,3,6,15,44,46,47,42,43 (0103060f2c2e2f2a2b)" in A, "1,3,6,15,44,46,47,42 (0103060f2c2e2f2a)" in B`,
		}},
		"order of options": {"firmware-cold-boot", "inform.order", "[53, 61, 12, 60, 55]", []string{
			`dhcp sent INFORM in PoolDiscover: option 55 parameter request list stands elsewhere: after option 12 host name in A, after option 60 vendor class in B`,
		}},
		"timer": {"firmware-cold-boot", "lldp.wait", "5s", []string{
			`state VlanDiscover: comes after 3s in A, after 5s in B`,
			`lldp sent LLDPDU that withdraws: comes after 2s in A, after 4s in B`, // at the end of the wait and one second
		}},
		"timer of the registration": {"firmware-voice-vlan", "sip.refresh_before", "60s", []string{
			`sip sent REGISTER 5 in Ready: comes after 1m30s in A, after 1m0s in B`,
		}},
		"timer of what does not answer": {"firmware-nobody-answers", "inform.timeouts", "[2s, 4s, 8s, 20s]", []string{
			`lldp sent LLDPDU that withdraws: comes after 20s in A, after 24s in B`, // as the boot begins anew
			`state Failed: comes after 16s in A, after 20s in B`,
		}},
		"timer of a retry": {"firmware-nobody-answers", "retry.after", "11s", []string{
			`dns sent A atl-cs-001.litwareinc.com in RootChain: comes after 18s in A, after 19s in B`,
			`dns received answer to A atl-cs-001.litwareinc.com: Success in RootChain: comes after 18s in A, after 19s in B`,
			`http sent GET /CertProv/CertProvisioningService.svc/mex in RootChain: comes after 18s in A, after 19s in B`,
			`tls sent ClientHello in Register: comes after 18s in A, after 19s in B`,
		}},
		"suite": {"firmware-cold-boot", "tls.suites", "[TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_RC4_128_SHA]", []string{
			`tls sent ClientHello in UpdateLookup: ` + suites,
			`tls sent ClientHello in WebTicket: ` + suites,
			`tls sent ClientHello in Register: ` + suites,
			`sip sent REGISTER 2 in Register: Authorization;gssapi-data ` + suites,
			`tls sent ClientHello in UpdateCheck: ` + suites,
		}},
		"glass": {"firmware-cold-boot", "glass.Register", "Elsewhere", []string{
			`state Register: glass is "Connecting to Lync Server" in A, "Elsewhere" in B`,
		}},
		"state": {"firmware-voice-vlan", "update.interval", "8m", []string{
			`state UpdateCheck: only in B`,
			`dns sent A lyncweb.contoso.com in UpdateCheck: only in B`,
			`dns received answer to A lyncweb.contoso.com: Success in UpdateCheck: only in B`,
			`tls sent ClientHello in UpdateCheck: only in B`,
			`tls received ServerHello in UpdateCheck: only in B`,
			`http sent POST /RequestHandler/ucdevice.upx in UpdateCheck: only in B`,
			`http received 200 OK in UpdateCheck: only in B`,
			`state Ready: only in B`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := table(t, scenarios(t, test.scenario), copied(t, profile, test.fact, test.value), baselines)
			var have []string
			for _, c := range got.Cells {
				for _, d := range c.Differences {
					have = append(have, d.Where()+": "+d.Sentence())
				}
			}
			if diff := cmp.Diff(test.want, have); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got.OK() {
				t.Error("all is well")
			}
		})
	}
}

// What differs becomes the baseline when it is accepted, and what was accepted is told.
func TestAccept(t *testing.T) {
	const profile, scenario = "polycom-cx600-4.0.7577.4463", "firmware-cold-boot"
	dir := t.TempDir()
	accepted := func(w *matrix.Table) string {
		t.Helper()
		var b bytes.Buffer
		if err := w.WriteAccepted(&b); err != nil {
			t.Fatal(err)
		}
		if err := w.Accept(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	list := scenarios(t, scenario)
	first := table(t, list, []string{profile, "polycom-cx700-4.0.7577.4066"}, dir)
	if got := text(t, first, "list"); first.OK() || !strings.Contains(got, scenario+" with "+profile+" has no baseline in "+dir) {
		t.Errorf("without baselines: ok %v\n%s", first.OK(), got)
	}
	if got := accepted(first); !strings.Contains(got, "accepted: "+scenario+" with "+profile+" is new: ") || !strings.HasSuffix(got, "2 of 2 accepted, the others are as they were\n") {
		t.Error(got)
	}
	if again := table(t, list, []string{profile, "polycom-cx700-4.0.7577.4066"}, dir); !again.OK() {
		t.Error(text(t, again, "list"))
	}
	changed := copied(t, profile, "glass.Register", "Elsewhere")
	second := table(t, list, changed, dir)
	for form, want := range map[string]string{
		"list": "state Register (message ", "json": `"b": "Elsewhere"`, "junit": `<failure message="state Register: glass is &#34;Connecting to Lync Server&#34; in A, &#34;Elsewhere&#34; in B"`,
	} {
		if got := text(t, second, form); !strings.Contains(got, want) {
			t.Errorf("%s has no %s:\n%s", form, want, got)
		}
	}
	if got := accepted(second); !strings.Contains(got, `glass is "Connecting to Lync Server" in A, "Elsewhere" in B`) || !strings.HasSuffix(got, "1 of 1 accepted, the others are as they were\n") {
		t.Error(got)
	}
	if third := table(t, list, changed, dir); !third.OK() {
		t.Error(text(t, third, "list"))
	}
	if other := table(t, list, []string{"polycom-cx700-4.0.7577.4066"}, dir); !other.OK() {
		t.Error("the other profile has lost its baseline")
	}
}

func TestBadBaseline(t *testing.T) {
	for content, want := range map[string]string{
		"version: lpe.baseline/0\nprofiles: {}\n": `is a baseline of version "lpe.baseline/0", and this program compares with "lpe.baseline/1"`,
		"profiles: {}\n": `is a baseline of version "", and`,
		"a: [":           "s.yaml: ",
		"":               "one document expected",
		"version: lpe.baseline/1\nprofiles:\n  a: {like: b}\n":                                                  `s.yaml:3: a is like "b", of which the file has no messages` + "\n     3 |   a: {like: b}",
		"version: lpe.baseline/1\nprofiles:\n  a: {messages: [{at: 1s}]}\n":                                     "s.yaml:3: a message needs one of sent and received",
		"version: lpe.baseline/1\nprofiles:\n  a: {messages: []}\n  b: {like: a, change: [{at: 7, drop: 0}]}\n": "s.yaml:4: b: a change at message 7 of 0 does not fit",
		"version: lpe.baseline/1\nscenario: other\nprofiles: {}\n":                                              "s.yaml:2: the baseline of scenario other, not of s\n     2 | scenario: other",
		"version: lpe.baseline/1\nprofiles: 3\n":                                                                "s.yaml:2: a mapping expected",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "s.yaml"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := matrix.LoadBaseline(dir, "s"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, want %s", content, err, want)
		}
	}
	if _, err := matrix.Profiles("nokia-*"); err == nil || !strings.Contains(err.Error(), `no profile is called "nokia-*"`) {
		t.Error(err)
	}
}
