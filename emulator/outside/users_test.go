//go:build peers

package outside

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/rig"
)

func privateFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "private")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestUsersOnTheWire: with --interface each user's handset is a host of its own on one wire, with its own lease; with
// --host each is a client of the computer's. Both sign in and off beside each other, one with a wrong PIN alone fails.
func TestUsersOnTheWire(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	client.addressed()
	client.resolver(litware.domain)
	leases := startISC(server, litware.dhcp(t, "isc", nil))
	startNames(server, litware.names())
	startChrony(server)
	pool := startLitware(server)
	users := privateFile(t, "number,pin,sip\n1219,0712,sip:kenmyer@litwareinc.com\n1220,5937,sip:second@litwareinc.com\n1221,739154\n")
	for _, way := range [][]string{{"--interface", "eth0"}, {"--host", "--target-fqdn", litware.pool}} {
		r := client.lpe(append([]string{"boot", "--users", users, "--parallel", "3"}, way...)...)
		for _, want := range []string{
			`(?m)^1219  Success  .* sip:kenmyer@litwareinc\.com$`, `(?m)^1220  Success  .* sip:second@litwareinc\.com$`,
			`(?m)^1221  Failure  .* ticket\.refused: `, `(?m)^3 users: 2 signed in, 1 failed; `,
		} {
			if r.code != 1 || !regexp.MustCompile(want).MatchString(r.out) {
				t.Errorf("%v: exit %d, want 1 and %s\n%s%s", way, r.code, want, r.out, r.err)
			}
		}
	}
	acks := regexp.MustCompile(`DHCPACK on (\S+) to (00:04:f2:\S+)`)
	text, _ := leases.log.sofar()
	addresses, macs := map[string]bool{}, map[string]bool{}
	for _, ack := range acks.FindAllStringSubmatch(text, -1) {
		addresses[ack[1]], macs[ack[2]] = true, true
	}
	if len(addresses) != 3 || len(macs) != 3 {
		t.Errorf("%d addresses for %d handsets:\n%s", len(addresses), len(macs), text)
	}
	for _, reg := range pool.Registrars[0].Registrations() {
		if reg.State != "signed-off" {
			t.Errorf("%+v", reg)
		}
	}
}

// TestExporterOnTheWire: probes of a pool by both ways; a wrong PIN is sent once and held back.
func TestExporterOnTheWire(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	client.addressed()
	client.resolver(litware.domain)
	startISC(server, litware.dhcp(t, "isc", nil))
	startNames(server, litware.names())
	startChrony(server)
	pool := startLitware(server)
	right, wrong := privateFile(t, "0712\n"), privateFile(t, "739154\n")
	modules := privateFile(t, "minimum_interval: 1s\nmodules:\n"+
		"  wire: {profile: "+rig.DefaultProfile+", way: interface, interface: eth0, number: \"1219\", pin_file: "+right+"}\n"+
		"  host: {profile: "+rig.DefaultProfile+", way: host, number: \"1219\", pin_file: "+right+", targets: ["+litware.pool+"]}\n"+
		"  wrong: {profile: "+rig.DefaultProfile+", way: host, number: \"1220\", pin_file: "+wrong+", targets: ["+litware.pool+"]}\n")
	d := client.start(lpePath(), "exporter", "--config", modules, "--listen", "127.0.0.1:9795")
	d.says("http://127.0.0.1:9795")
	probe := func(module string) string {
		t.Helper()
		return client.run("curl", "-sS", "--max-time", "60", "http://127.0.0.1:9795/probe?module="+module)
	}
	for _, module := range []string{"wire", "host"} {
		if text := probe(module); !strings.Contains(text, "\nlpe_probe_success 1\n") {
			t.Errorf("%s:\n%s", module, text)
		}
	}
	for n, held := range []string{"0", "1", "1"} {
		if text := probe("wrong"); !strings.Contains(text, "\nlpe_probe_held_back "+held+"\n") || !strings.Contains(text, `lpe_probe_last_code{code="ticket.refused",stage="ticket"} 1`) {
			t.Errorf("probe %d with a wrong PIN:\n%s", n+1, text)
		}
	}
	d.stop()
	for _, reg := range pool.Registrars[0].Registrations() {
		if reg.State != "signed-off" {
			t.Errorf("%+v", reg)
		}
	}
}
