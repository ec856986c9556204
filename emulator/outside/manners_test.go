//go:build peers

package outside

import (
	"bytes"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool"
	"github.com/phone-edition/lpe/emulator/report"
)

// boot runs `lpe boot --interface eth0` of litware's first user with that PIN.
func (n *namespace) boot(pin string, args ...string) ran {
	n.t.Helper()
	command := n.command(lpePath(), append([]string{"boot", "--interface", "eth0", "--phone-or-ext", "1219", "-v"}, args...)...)
	command.Env = append(command.Environ(), "LPE_PIN="+pin)
	return end(n.t, command)
}

// TestManyRunsAreOneEndpoint: whoever boots again and again, in this process or by the command, with an empty flash each
// time, is one endpoint with one certificate and one lease.
func TestManyRunsAreOneEndpoint(t *testing.T) {
	t.Parallel()
	client, _, pool := newSite(t)
	for range 18 {
		p := newBridged(t, client).quick()
		p.wantSuccess(p.boot())
	}
	for range 2 {
		if r := client.boot("0712"); r.code != 0 {
			t.Errorf("exit %d\n%s%s", r.code, r.out, r.err)
		}
	}
	wantSignedOff(t, pool, 1)
}

// TestRefusedPINOnTheWire: a PIN that the pool refused costs one attempt, and is not sent again with the same flash
// until it changes.
func TestRefusedPINOnTheWire(t *testing.T) {
	t.Parallel()
	client, _, pool := newSite(t)
	flash := filepath.Join(t.TempDir(), "flash")
	for _, step := range []struct {
		pin      string
		args     []string
		code     string
		attempts int
	}{
		{"90417", nil, "ticket.refused", 1},
		{"90417", nil, "ticket.held-back", 1},
		{"90417", []string{"--retry-pin"}, "ticket.refused", 2},
		{"90418", nil, "ticket.refused", 3},
		{"0712", nil, "", 3},
	} {
		r := client.boot(step.pin, append(step.args, "--flash", flash, "-o", "json")...)
		want := 1
		if step.code == "" {
			want = 0
		}
		if r.code != want || !strings.Contains(r.out, `"code": "`+step.code+`"`) {
			t.Errorf("PIN %s %v: exit %d, want %q\n%s", step.pin, step.args, r.code, step.code, r.out)
		}
		if n := pool.Directory.Attempts(litwareSIP); n != step.attempts {
			t.Errorf("PIN %s %v: %d attempts are counted, want %d", step.pin, step.args, n, step.attempts)
		}
		if strings.Contains(r.out+r.err, "9041") {
			t.Errorf("the PIN is shown:\n%s%s", r.out, r.err)
		}
	}
	text, err := os.ReadFile(filepath.Join(flash, "flash.json"))
	if err != nil || bytes.Contains(text, []byte("9041")) {
		t.Errorf("%v, or the PIN is in flash", err)
	}
}

// TestGivenAuthorities: with --ca the chain is not downloaded, which is switched off here, and what it does not hold is
// not trusted.
func TestGivenAuthorities(t *testing.T) {
	t.Parallel()
	client, _, pool := newSite(t, "chain=off")
	if r := client.boot("0712", "-o", "json"); r.code != 1 || !strings.Contains(r.out, `"code": "chain.off"`) {
		t.Errorf("without --ca: exit %d\n%s", r.code, r.out)
	}
	if r := client.boot("0712", "--ca", chainFile(t, pool)); r.code != 0 {
		t.Errorf("--ca: exit %d\n%s%s", r.code, r.out, r.err)
	}
	other := writeFile(t, "other.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t).Certificate[0]})))
	if r := client.boot("0712", "--ca", other, "-o", "json"); r.code != 1 || !strings.Contains(r.out, `"code": "ticket.untrusted-chain"`) {
		t.Errorf("another authority: exit %d\n%s", r.code, r.out)
	}
}

// chainFile writes a lab's authorities.
func chainFile(t *testing.T, pool *labpool.Pool) string {
	t.Helper()
	var text bytes.Buffer
	for _, chain := range pool.Authority.Chains() {
		for _, c := range chain {
			if err := pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return writeFile(t, "chain.pem", text.String())
}

// TestGivenNames: --dns and --domain stand for what the lease says, --target-address for what DNS says; names in TLS and
// SIP stay.
func TestGivenNames(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	conf := litware.dhcp(t, "isc", nil)
	conf = strings.ReplaceAll(conf, "domain-name-servers 10.77.0.1", "domain-name-servers 10.77.0.66") // nobody
	conf = strings.ReplaceAll(conf, `domain-name "litwareinc.com"`, `domain-name "elsewhere.example"`)
	startISC(server, conf)
	r := litware.names()
	r.hosts[0] = litware.pool + " 10.77.0.66"
	startNames(server, r)
	startChrony(server)
	pool := startLitware(server)

	dns := []string{"--dns", serverIP, "--domain", litware.domain}
	got := client.boot("0712", append(dns, "--target-fqdn", litware.pool, "--target-address", serverIP)...)
	if got.code != 0 || !strings.Contains(got.out, "Address    : "+serverIP+"\n") || !strings.Contains(got.out, "TargetFqdn : "+litware.pool+"\n") ||
		!strings.Contains(got.err, "SRV _sipinternaltls._tcp.litwareinc.com: Success") || strings.Contains(got.err, "elsewhere.example") {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	wantSignedOff(t, pool, 1)
	if got := client.boot("0712", append(dns, "--timeout", "30s", "-o", "json")...); got.code != 1 || strings.Contains(got.out, string(report.Success)) {
		t.Errorf("without --target-address: exit %d\n%s", got.code, got.out)
	}
}

// TestAllAddressesOnTheWire gives one result for each address of the pool; the one where nobody is fails.
func TestAllAddressesOnTheWire(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	startISC(server, litware.dhcp(t, "isc", nil))
	r := litware.names()
	r.hosts = append(r.hosts, litware.pool+" 10.77.0.66")
	startNames(server, r)
	startChrony(server)
	pool := startLitware(server)
	got := client.boot("0712", "--target-fqdn", litware.pool, "--all-addresses", "--timeout", "30s")
	if got.code != 1 || strings.Count(got.out, "Result     : Success\n") != 1 || strings.Count(got.out, "Result     : Failure\n") != 1 {
		t.Errorf("exit %d\n%s%s", got.code, got.out, got.err)
	}
	for _, line := range []string{"Address    : " + serverIP + "\n", "Address    : 10.77.0.66\n"} {
		if strings.Count(got.out, line) != 1 {
			t.Errorf("not once %q in\n%s", line, got.out)
		}
	}
	wantSignedOff(t, pool, 1)
}
