//go:build peers

package outside

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/importer"
	"github.com/phone-edition/lpe/scenarios/record"
)

// importedFrom reads the boot in a capture.
func importedFrom(t *testing.T, file string, o importer.Options) *importer.Boot {
	t.Helper()
	c, err := importer.Read(t.Context(), file, o)
	if err != nil {
		t.Fatal(err)
	}
	return c.Boot()
}

// TestImportOfForeignServers imports a boot whose leases are of Kea, whose names are of unbound and whose time is of
// chrony, and holds it to what the handset recorded.
func TestImportOfForeignServers(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	options := contoso.network("kea")
	r := contoso.names()
	delete(r.services, "_ntp._udp")
	r.hosts = append(r.hosts, "time.windows.com")
	r.hosts = append(r.hosts[:1], r.hosts[2:]...) // nothing answers updates
	startKea(server, options)
	startUnbound(server, r)
	startChrony(server)

	p := newBridged(t, client).quick()
	p.Capture, p.CaptureSecrets, p.Decode = filepath.Join(t.TempDir(), "foreign.pcapng"), true, true
	p.Profile.InformTimeouts = []time.Duration{time.Second}
	var recorder record.Recorder
	p.Observers = append(p.Observers, recorder.Observe)
	p.reach(devicestate.RootChain)
	p.end()
	recorded, _ := recorder.Messages()
	if !slices.ContainsFunc(recorded, func(m exchange.Message) bool { return m.Protocol == "arp" }) {
		t.Error("no ARP was recorded")
	}
	b := importedFrom(t, p.Capture, importer.Options{})
	var got []string
	for _, d := range compare.Compare(recorded, b.Exchange(), compare.DefaultMasks()) {
		got = append(got, d.What+" "+d.Protocol+" "+d.Message+" "+d.Field+" "+d.A+" "+d.B)
	}
	if len(got) > 0 {
		t.Errorf("recorded and imported differ:\n%s", strings.Join(got, "\n"))
	}
	var kinds []string
	for _, m := range b.Messages {
		kinds = append(kinds, m.Protocol+" "+m.Kind)
	}
	for _, want := range []string{"arp probe", "arp announcement", "dhcp OFFER", "dhcp ACK", "ntp server answer", "dns answer to A time.windows.com: Success"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no %s in\n%s", want, strings.Join(kinds, "\n"))
		}
	}
}

// TestImportOfSipe imports the sign-in of pidgin-sipe at a pool: whatever it says was made by nobody here. The secrets
// are in the pool's key log, those of the handshake inside SIP too.
func TestImportOfSipe(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, "impsipe")
	keys := filepath.Join(t.TempDir(), "keys")
	p := &poolProcess{in: n, lab: "../../configs/labs/litware.yaml", state: filepath.Join(t.TempDir(), "state"), path: filepath.Join(t.TempDir(), "ready.json")}
	p.serve("--sip-tls-port", "5061", "--https-port", "443", "--http-port", "80", "--keylog", keys)
	capture := filepath.Join(t.TempDir(), "sipe.pcapng")
	sniffer := n.start(program(t, "tshark"), "-i", "lo", "-w", capture)
	sniffer.until("capture", func() bool {
		_, err := os.Stat(capture)
		return err == nil
	})
	s := n.signIn(kenmyer, p.at("sip-tls"), "tls", p.trusted())
	s.says("SIGNIN signed-on\n")
	p.awaits(0, "roaming-self", 1)
	s.signOff()
	p.pool("await", "kenmyer", "signed-off", "--timeout", "20s")
	sniffer.stop()

	b := importedFrom(t, capture, importer.Options{KeyLog: keys})
	if len(b.Associations) != 1 {
		t.Fatalf("associations %+v", b.Associations)
	}
	if a := b.Associations[0]; a.Unread != "" || len(a.Wrong) > 0 || a.Right < 4 {
		t.Errorf("%s, %d signatures right, wrong %v", a.Unread, a.Right, a.Wrong)
	}
	var kinds []string
	for _, m := range b.Messages {
		kinds = append(kinds, m.Protocol+" "+m.Kind)
	}
	for _, want := range []string{"tls ClientHello", "tls ServerHello", "sip REGISTER 1", "sip 401 Unauthorized to REGISTER 1"} {
		if !slices.Contains(kinds, want) {
			t.Errorf("no %s in\n%s", want, strings.Join(kinds, "\n"))
		}
	}
	if len(b.Unread) > 0 || len(b.Notes) > 0 {
		t.Errorf("unread %v, notes %v", b.Unread, b.Notes)
	}
	if agents := agentsOf(b); !slices.ContainsFunc(agents, func(a string) bool { return strings.Contains(a, "Sipe/") }) {
		t.Errorf("User-Agents %q", agents)
	}
}

func agentsOf(b *importer.Boot) []string {
	var out []string
	for _, m := range b.Messages {
		for _, f := range m.Fields {
			if f.Name == "User-Agent" {
				out = append(out, f.Value)
			}
		}
	}
	return out
}

// diffOf is what lpe scenario diff tells of two files, without when something came: on a busy computer a second may lie between a
// frame and who takes it.
func diffOf(t *testing.T, a, b string) compare.Comparison {
	t.Helper()
	got := end(t, exec.Command(lpePath(), "scenario", "diff", a, b, "-o", "json"))
	var diff compare.Comparison
	if err := json.Unmarshal([]byte(got.out), &diff); err != nil {
		t.Fatalf("exit %d, %v\n%s", got.code, err, got.err)
	}
	diff.Differences = slices.DeleteFunc(diff.Differences, func(d compare.Difference) bool { return d.What == compare.Timing })
	return diff
}

// TestRecordedAtPool: a pool on a wire records the handset that boots there. What it wrote runs as it is, of the profile that
// booted, and is what the handset recorded and what a capture holds, but for what the pool cannot know.
func TestRecordedAtPool(t *testing.T) {
	t.Parallel()
	const profile = "hp-4120-4.0.7577.4512"
	for _, lab := range []string{"litware", "contoso"} {
		t.Run(lab, func(t *testing.T) {
			client, server := newWire(t)
			dir := t.TempDir()
			in := func(name string) string { return filepath.Join(dir, name) }
			pool := server.start(lpePath(), "pool", "serve", "--lab", lab, "--interface", "eth0", "--serve-network", "--record", in("pool.yaml"))
			pool.says("Other computers can reach this pool")
			pin := map[string][]string{"litware": {"1219", "0712"}, "contoso": {"4034", "73915"}}[lab]
			got := client.lpe("boot", "--interface", "eth0", "--profile", profile, "--phone-or-ext", pin[0], "--pin", pin[1],
				"--record", in("phone.yaml"), "--capture", in("wire.pcapng"), "--capture-secrets")
			if got.code != 0 {
				t.Fatalf("exit %d\n%s%s", got.code, got.err, got.out)
			}
			pool.stop()
			text, err := os.ReadFile(in("pool.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range []string{"  profile: " + profile, "lab: {name: " + lab + "}", "    - VlanDiscover", "    - Ready"} {
				if strings.Contains(string(text), line+"\n") == (line == "    - VlanDiscover") { // the switch tells of a VLAN, or that there is none
					t.Errorf("%q in\n%.2000s", line, text)
				}
			}
			if got := end(t, exec.Command(lpePath(), "scenario", "run", "--virtual", in("pool.yaml"))); got.code != 0 {
				t.Errorf("exit %d\n%s%s", got.code, got.err, got.out)
			}
			for _, d := range diffOf(t, in("phone.yaml"), in("wire.pcapng")).Differences {
				t.Errorf("recorded and captured: %s: %s", d.Where(), d.Sentence())
			}
			diff := diffOf(t, in("phone.yaml"), in("pool.yaml"))
			if !slices.Equal(diff.NotCompared, []string{"arp"}) {
				t.Errorf("not compared: %q", diff.NotCompared)
			}
			for _, d := range diff.Differences {
				if d.What == compare.MessageAdded && !d.Sent && (d.Protocol == "lldp" || d.Protocol == "dns") {
					continue // which the handset listened to no longer
				}
				t.Errorf("%s: %s", d.Where(), d.Sentence())
			}
		})
	}
}
