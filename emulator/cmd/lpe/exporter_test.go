package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The exporter prints where it listens, boots when it is asked, and ends with success.
func TestExporter(t *testing.T) {
	config := filepath.Join(t.TempDir(), "modules.yaml")
	if err := os.WriteFile(config, []byte("modules:\n  lab:\n    profile: polycom-cx600-4.0.7577.4463\n    way: lab\n    lab: litware\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	r, w := io.Pipe()
	var errs bytes.Buffer
	sys := quietSystem(nil, &errs)
	sys.out = w
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"exporter", "--config", config, "--listen", "127.0.0.1:0"}, sys)
		w.Close()
	}()
	line := make([]byte, 100)
	n, err := r.Read(line)
	if err != nil {
		t.Fatalf("%v, exit %d\n%s", err, <-ended, &errs)
	}
	url := strings.TrimSpace(string(line[:n]))
	answer, err := http.Get(url + "/probe?module=lab")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || !strings.Contains(string(body), "\nlpe_probe_success 1\n") {
		t.Errorf("%s, %v\n%s", answer.Status, err, body)
	}
	end()
	if code := <-ended; code != exitSuccess {
		t.Errorf("exit %d\n%s", code, &errs)
	}
	if !strings.Contains(errs.String(), `"result": "Success"`) || thePIN.MatchString(errs.String()) {
		t.Errorf("the diary is\n%s", &errs)
	}
}
