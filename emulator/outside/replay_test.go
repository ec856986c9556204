//go:build peers

package outside

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// replayPool starts a recorded pool in a namespace, for a handset that is there.
func replayPool(n *namespace, recording string, args ...string) *poolProcess {
	n.t.Helper()
	p := &poolProcess{in: n, path: filepath.Join(n.t.TempDir(), "ready.json")}
	p.starts(append([]string{"scenario", "replay", recording, "--as", "pool", "--ready-file", p.path}, args...)...)
	return p
}

// comparison ends a recorded pool and returns what it told, and its exit code.
func (p *poolProcess) comparison() (string, int) {
	p.in.t.Helper()
	p.stop()
	told, _ := p.log.sofar()
	return told, p.command.ProcessState.ExitCode()
}

// askedOtherwise is what is told of the requests of the handset that differ.
func askedOtherwise(told string) (asked string, differs bool) {
	_, asked, differs = strings.Cut(told, "otherwise than recorded, the handset asks:\n")
	asked, _, _ = strings.Cut(asked, "not to be replayed")
	return asked, differs
}

// TestReplayToAHandset records a boot on a wire, and serves the recording there to the handset of another process: the one of
// then, which asks what was asked then, and one with another firmware.
func TestReplayToAHandset(t *testing.T) {
	t.Parallel()
	client, server := newWire(t)
	recording := filepath.Join(t.TempDir(), "recording.yaml")
	boot := func(args ...string) {
		t.Helper()
		c := client.command(lpePath(), append([]string{"boot", "--interface", "eth0", "--phone-or-ext", "1219"}, args...)...)
		c.Env = append(c.Environ(), "LPE_PIN=0712")
		if r := end(t, c); r.code != 0 {
			t.Fatalf("exit %d\n%s%s", r.code, r.out, r.err)
		}
	}
	pool := &poolProcess{in: server, lab: "litware", state: filepath.Join(t.TempDir(), "state"), path: filepath.Join(t.TempDir(), "ready.json")}
	pool.serve("--interface", "eth0", "--serve-network")
	boot("--record", recording)
	pool.stop()
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	served := writeFile(t, "served.yaml", strings.ReplaceAll(string(text), `Server: "RTC/5.0"`, `Server: "RTC/6.0"`))

	replayed := replayPool(server, served, "--interface", "eth0", "--serve-network")
	again := filepath.Join(t.TempDir(), "again.yaml")
	boot("--record", again)
	told, code := replayed.comparison()
	asked, differs := askedOtherwise(told)
	for _, message := range regexp.MustCompile(`(?m)^[a-z]+ sent .*$`).FindAllString(asked, -1) {
		if protocol, _, _ := strings.Cut(message, " "); protocol != "dns" && protocol != "ntp" && protocol != "dhcp" { // which a busy computer asks twice
			t.Errorf("%s\n%s", message, told)
		}
	}
	if code != 0 && !differs {
		t.Errorf("exit %d\n%s", code, told)
	}
	if text, err := os.ReadFile(again); err != nil || !strings.Contains(string(text), `Server: "RTC/6.0"`) || strings.Contains(string(text), `Server: "RTC/5.0"`) {
		t.Errorf("the recorded pool did not say what was recorded, %v", err)
	}

	replayed = replayPool(server, served, "--interface", "eth0", "--serve-network")
	boot("--profile", "polycom-cx600-4.0.7577.4512")
	if told, code := replayed.comparison(); code != 1 || !strings.Contains(told, `User-Agent is "CPE/4.0.7577.4463`) || !strings.Contains(told, `in A, "CPE/4.0.7577.4512`) {
		t.Errorf("exit %d\n%s", code, told)
	}
}

// TestReplayToSipe serves the recorded sign-in of pidgin-sipe to pidgin-sipe, which was made by nobody here.
func TestReplayToSipe(t *testing.T) {
	t.Parallel()
	n := newNamespace(t, "replaysipe")
	recording := filepath.Join(t.TempDir(), "recording.yaml")
	signIn := func(p *poolProcess) {
		t.Helper()
		s := n.signIn(kenmyer, p.at("sip-tls"), "tls", p.trusted())
		s.says("SIGNIN signed-on\n")
		p.awaits(0, "roaming-self", 1)
		s.signOff()
		p.pool("await", "kenmyer", "signed-off", "--timeout", "20s")
	}
	ports := []string{"--sip-tls-port", "5061", "--https-port", "443", "--http-port", "80"}
	pool := &poolProcess{in: n, lab: "litware", state: filepath.Join(t.TempDir(), "state"), path: filepath.Join(t.TempDir(), "ready.json")}
	pool.serve(append(ports, "--record", recording)...)
	signIn(pool)
	pool.stop()

	replayed := replayPool(n, recording, append(ports, "--host")...)
	signIn(replayed)
	told, code := replayed.comparison()
	asked, differs := askedOtherwise(told)   // to its last request it may not wait for the answer, which is not about it
	for line := range strings.Lines(asked) { // it does several things at once, one time in this order and one in that
		if detail := strings.TrimPrefix(line, "    "); detail != line && !strings.HasPrefix(detail, "stands elsewhere: ") {
			t.Errorf("%s%s", detail, told)
		}
	}
	if code != 0 && !differs {
		t.Errorf("exit %d\n%s", code, told)
	}
}
