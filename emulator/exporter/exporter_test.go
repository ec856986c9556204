package exporter_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exporter"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const modulesText = `concurrency: 2
minimum_interval: 30s
modules:
  pool:
    profile: polycom-cx600-4.0.7577.4463
    way: host
    number: "1219"
    pin_file: 1219.pin
    targets: [fe1.litwareinc.com, fe2.litwareinc.com]
    timeout: 40s
  same:
    profile: polycom-cx600-4.0.7577.4463
    way: host
    number: "+1219"
    pin_file: 1219.pin
    targets: [fe1.litwareinc.com]
  second:
    profile: polycom-cx600-4.0.7577.4463
    way: host
    number: "1220"
    pin_file: 1220.pin
    targets: [fe1.litwareinc.com]
  third:
    profile: polycom-cx600-4.0.7577.4463
    way: host
    number: "1221"
    pin_file: 1221.pin
    targets: [fe1.litwareinc.com]
`

// pin is long enough not to stand anywhere by chance.
const pin = "739154862058"

// watched is an exporter whose boots are the test's.
type watched struct {
	*exporter.Exporter
	t   *testing.T
	dir string

	mu    sync.Mutex
	boots []rig.Options
	at    []time.Time
	most  int
	now   int
	take  time.Duration // of a boot
	code  string        // of its failure
}

func newWatched(t *testing.T, text, state string) *watched {
	t.Helper()
	w := &watched{t: t, dir: t.TempDir(), take: 2 * time.Second}
	for _, name := range []string{"1219.pin", "1220.pin", "1221.pin"} {
		w.writePIN(name)
	}
	modules, err := configs.ParseModules(filepath.Join(w.dir, "modules.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if w.Exporter, err = exporter.New(exporter.Options{Modules: modules, State: state, Boot: w.boot}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

func (w *watched) writePIN(name string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(pin+"\n"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) boot(ctx context.Context, o rig.Options, b rig.Boot) (report.Result, error) {
	w.mu.Lock()
	w.boots, w.at = append(w.boots, o), append(w.at, time.Now())
	w.now++
	w.most = max(w.most, w.now)
	take, code := w.take, w.code
	w.mu.Unlock()
	timer := time.NewTimer(min(take, o.Timeout))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		code = string(devicestate.CodeInterrupted)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now--
	r := report.Result{Result: report.Success, Latency: report.Latency(take), States: []report.State{
		{State: devicestate.WebTicket, Duration: report.Seconds(take)}, {State: devicestate.Ready},
	}}
	if code != "" {
		r.Result, r.Code = report.Failure, code
	}
	if code == "ticket.refused" {
		if err := b.Flash.Save(devicestate.Flash{Refused: &devicestate.SaltedSum{}}); err != nil {
			return r, err
		}
	}
	if b.Credentials.PIN.Reveal() != pin {
		return r, fmt.Errorf("the PIN is %q", b.Credentials.PIN.Reveal())
	}
	return r, nil
}

func (w *watched) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.boots)
}

// get asks once.
func (w *watched) get(path, scrapeTimeout string) (status int, body string, header http.Header) {
	w.t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if scrapeTimeout != "" {
		r.Header.Set("X-Prometheus-Scrape-Timeout-Seconds", scrapeTimeout)
	}
	answer := httptest.NewRecorder()
	w.Handler().ServeHTTP(answer, r)
	if strings.Contains(answer.Body.String(), pin) {
		w.t.Errorf("the PIN is told: %s", answer.Body)
	}
	return answer.Code, answer.Body.String(), answer.Header()
}

// want asks once and looks for lines of metrics.
func (w *watched) want(path string, lines ...string) {
	w.t.Helper()
	status, body, _ := w.get(path, "")
	if status != http.StatusOK {
		w.t.Fatalf("%s: %d %s", path, status, body)
	}
	for _, line := range lines {
		if !strings.Contains("\n"+body, "\n"+line+"\n") {
			w.t.Errorf("%s lacks %s:\n%s", path, line, body)
		}
	}
}

const (
	fe1 = "/probe?module=pool&target=fe1.litwareinc.com"
	fe2 = "/probe?module=pool&target=fe2.litwareinc.com"
)

// A probe boots; within the interval the last result is told again.
func TestProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, modulesText, "")
		success := []string{
			"lpe_probe_success 1", "lpe_probe_held_back 0", "lpe_probe_duration_seconds 2", `lpe_probe_last_code{code="none",stage="none"} 1`,
			`lpe_probe_stage_duration_seconds_count{stage="ticket"} 1`, `lpe_probe_stage_duration_seconds_sum{stage="ticket"} 2`,
		}
		w.want(fe1, append(success, "lpe_probe_age_seconds 2")...)
		time.Sleep(20 * time.Second)
		w.want(fe1, append(success, "lpe_probe_age_seconds 22")...)
		if n := w.count(); n != 1 {
			t.Errorf("%d boots", n)
		}
		time.Sleep(8 * time.Second)
		w.code = "register.timeout"
		w.want(
			fe1, "lpe_probe_success 0", "lpe_probe_age_seconds 2", `lpe_probe_last_code{code="register.timeout",stage="register"} 1`,
			`lpe_probe_stage_duration_seconds_count{stage="ticket"} 2`,
		)
		if n := w.count(); n != 2 || w.boots[0].Target.FQDN != "fe1.litwareinc.com" || !w.boots[0].Host || w.boots[0].Timeout != 40*time.Second {
			t.Errorf("%d boots, %+v", n, w.boots[0])
		}
		w.want("/metrics", `lpe_exporter_probes_total{module="pool",outcome="success"} 1`,
			`lpe_exporter_probes_total{module="pool",outcome="failure"} 1`, `lpe_exporter_probes_total{module="pool",outcome="repeated"} 1`)
	})
}

// A refused PIN is not sent again, by whatever module and target, before its file changes.
func TestRefusedPINIsHeldBack(t *testing.T) {
	state := filepath.Join(t.TempDir(), "held.json")
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, modulesText, state)
		w.code = "ticket.refused"
		w.want(fe1, "lpe_probe_success 0", "lpe_probe_held_back 0", `lpe_probe_last_code{code="ticket.refused",stage="ticket"} 1`)
		for range 3 {
			time.Sleep(time.Hour)
			for _, path := range []string{fe1, fe2, "/probe?module=same"} {
				w.want(path, "lpe_probe_success 0", "lpe_probe_held_back 1", `lpe_probe_last_code{code="ticket.refused",stage="ticket"} 1`)
			}
		}
		if n := w.count(); n != 1 {
			t.Errorf("%d boots", n)
		}
		w.code = ""
		w.want("/probe?module=second", "lpe_probe_success 1", "lpe_probe_held_back 0")

		// It is remembered over a restart.
		text, err := os.ReadFile(state)
		if err != nil || strings.Contains(string(text), pin) {
			t.Errorf("%s, %v", text, err)
		}
		again := newWatched(t, strings.ReplaceAll(modulesText, "1219.pin", filepath.Join(w.dir, "1219.pin")), state)
		again.want(fe1, "lpe_probe_success 0", "lpe_probe_held_back 1", `lpe_probe_last_code{code="ticket.refused",stage="ticket"} 1`)
		if n := again.count(); n != 0 {
			t.Errorf("%d boots after the restart", n)
		}

		changed := time.Now().Add(time.Hour)
		if err := os.Chtimes(filepath.Join(w.dir, "1219.pin"), changed, changed); err != nil {
			t.Fatal(err)
		}
		for _, each := range []*watched{w, again} {
			each.want(fe1, "lpe_probe_success 1", "lpe_probe_held_back 0")
		}
	})
}

// A user signs in no more often than the interval says, whichever target is asked for: the second waits if its scrape
// leaves the time, else it is told to come later.
func TestMinimumIntervalOfAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, modulesText, "")
		w.want(fe1, "lpe_probe_success 1")
		status, body, header := w.get(fe2, "10")
		if status != http.StatusServiceUnavailable || header.Get("Retry-After") != "30" || !strings.Contains(body, "minimum_interval is 30s") {
			t.Errorf("%d %s %v", status, body, header)
		}
		if status, body, _ := w.get(fe2, "60"); status != http.StatusOK || !strings.Contains(body, "lpe_probe_success 1") {
			t.Errorf("%d %s", status, body)
		}
		w.want("/probe?module=second", "lpe_probe_success 1")
		if len(w.at) != 3 || w.at[1].Sub(w.at[0]) != 30*time.Second || w.at[2].Sub(w.at[1]) != 2*time.Second {
			t.Errorf("boots at %v", w.at)
		}
	})
}

// Both at once are one boot: the second is told the first one's result.
func TestSameProbeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, modulesText, "")
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() { w.want(fe1, "lpe_probe_success 1", "lpe_probe_age_seconds 2") })
		}
		both.Wait()
		if n := w.count(); n != 1 {
			t.Errorf("%d boots", n)
		}
	})
}

func TestConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, modulesText, "")
		w.take = 5 * time.Second
		var all sync.WaitGroup
		statuses := map[string]int{}
		for path, timeout := range map[string]string{fe1: "", "/probe?module=second": "", "/probe?module=third": "5"} {
			all.Go(func() {
				if timeout != "" {
					time.Sleep(time.Second) // the other two have begun
				}
				status, _, _ := w.get(path, timeout)
				w.mu.Lock()
				defer w.mu.Unlock()
				statuses[path] = status
			})
		}
		all.Wait()
		if w.most != 2 || statuses[fe1] != http.StatusOK || statuses["/probe?module=third"] != http.StatusServiceUnavailable {
			t.Errorf("%d at once, %v", w.most, statuses)
		}
		w.want("/probe?module=third", "lpe_probe_success 1")
	})
}

// A boot has the time that the scrape leaves, less some for the answer.
func TestScrapeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatched(t, modulesText, "")
		w.take = time.Hour
		began := time.Now()
		if status, body, _ := w.get(fe1, "10"); status != http.StatusOK || time.Since(began) > 10*time.Second {
			t.Errorf("%d %s after %v", status, body, time.Since(began))
		}
		if got := w.boots[0].Timeout; got != 8500*time.Millisecond {
			t.Errorf("the boot has %v", got)
		}
		time.Sleep(time.Minute)
		w.get(fe1, "600")
		if got := w.boots[1].Timeout; got != 40*time.Second {
			t.Errorf("the boot has %v", got)
		}
		for _, wrong := range []string{"x", "-1", "0", "2", "NaN", "1e999"} {
			if status, body, _ := w.get(fe2, wrong); status != http.StatusBadRequest && wrong != "1e999" {
				t.Errorf("%q: %d %s", wrong, status, body)
			}
		}
	})
}

func TestWrongRequests(t *testing.T) {
	w := newWatched(t, modulesText, "")
	for path, want := range map[string]string{
		"/probe":                                     "one module",
		"/probe?module=nowhere":                      `there is no module "nowhere"`,
		"/probe?module=pool&module=same":             "one module",
		"/probe?module=pool":                         "has 2 targets",
		"/probe?module=pool&target=evil.example.com": "a PIN goes to no other",
		"/probe?module=pool&target=fe1.litwareinc.com&target=fe2.litwareinc.com": "one module and at most one target",
	} {
		if status, body, _ := w.get(path, ""); status != http.StatusBadRequest || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodDelete} {
		answer := httptest.NewRecorder()
		w.Handler().ServeHTTP(answer, httptest.NewRequest(method, fe1, nil))
		if answer.Code != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", method, answer.Code)
		}
	}
	if status, _, _ := w.get("/none", ""); status != http.StatusNotFound {
		t.Errorf("%d", status)
	}
	if n := w.count(); n != 0 {
		t.Errorf("%d boots", n)
	}
}

// What is wrong with PIN files is told before anything is sent, and later with a status.
func TestPINFiles(t *testing.T) {
	w := newWatched(t, modulesText, "")
	if err := os.WriteFile(filepath.Join(w.dir, "1219.pin"), []byte("12a"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, body, _ := w.get(fe1, ""); status != http.StatusInternalServerError || !strings.Contains(body, "a PIN is 4 to 24 digits") {
		t.Errorf("%d %s", status, body)
	}
	modules, err := configs.ParseModules(filepath.Join(t.TempDir(), "modules.yaml"), []byte(modulesText))
	if err != nil {
		t.Fatal(err)
	}
	_, err = exporter.New(exporter.Options{Modules: modules})
	if err == nil || !errors.Is(err, os.ErrNotExist) || strings.Count(err.Error(), "pin_file") != 4 {
		t.Error(err)
	}
	damaged := filepath.Join(t.TempDir(), "held.json")
	for _, text := range []string{"{", `{"version": 9}`} {
		if err := os.WriteFile(damaged, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := exporter.New(exporter.Options{Modules: &configs.Modules{Concurrency: 1}, State: damaged}); err == nil {
			t.Errorf("the state %q is taken", text)
		}
	}
}

// At the end boots that run end too, and the port is free.
func TestServeEnds(t *testing.T) {
	w := newWatched(t, modulesText, "")
	w.take = time.Hour
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- w.Serve(ctx, listener) }()
	answered := make(chan string, 1)
	go func() {
		client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		answer, err := client.Get("http://" + listener.Addr().String() + fe1)
		if err != nil {
			answered <- err.Error()
			return
		}
		answered <- answer.Status
		answer.Body.Close()
	}()
	for w.count() == 0 {
		select {
		case err := <-served:
			t.Fatal(err)
		case <-time.After(time.Millisecond):
		}
	}
	end()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if status := <-answered; status != "200 OK" {
		t.Errorf("the probe that ran is answered %s", status)
	}
	if _, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		t.Error("the port still answers")
	}
}

// The whole way: a lab's pool, a PIN that is right and one that is not.
func TestProbeOfALab(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "1219.pin")
	write := func(text string, at time.Time) {
		t.Helper()
		if err := errors.Join(os.WriteFile(file, []byte(text), 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	write("999999\n", time.Unix(1e9, 0))
	modules, err := configs.ParseModules(filepath.Join(dir, "modules.yaml"), []byte(
		"minimum_interval: 1s\nmodules:\n  lab:\n    profile: polycom-cx600-4.0.7577.4463\n    way: lab\n    lab: litware\n    number: \"1219\"\n    pin_file: 1219.pin\n"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := exporter.New(exporter.Options{Modules: modules})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	w := &watched{Exporter: e, t: t}
	w.want("/probe?module=lab", "lpe_probe_success 0", "lpe_probe_held_back 0", `lpe_probe_last_code{code="ticket.refused",stage="ticket"} 1`)
	w.want("/probe?module=lab", "lpe_probe_success 0", "lpe_probe_held_back 1")
	write("0712\n", time.Unix(2e9, 0))
	w.want("/probe?module=lab", "lpe_probe_success 1", "lpe_probe_held_back 0", `lpe_probe_last_code{code="none",stage="none"} 1`,
		`lpe_probe_stage_duration_seconds_count{stage="register"} 1`)
}
