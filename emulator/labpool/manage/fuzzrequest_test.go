package manage_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
)

// FuzzRequest asks anything, with the token or without: each answer is one JSON object; one that is none has a code and
// is no internal error; without the token there is nothing else.
func FuzzRequest(f *testing.F) {
	s := serve(f)
	client := &http.Client{Transport: &http.Transport{}, Timeout: 20 * time.Second}
	f.Cleanup(client.CloseIdleConnections)
	for _, seed := range [][3]string{
		{"GET", "/v1/pool", ""},
		{"PUT", "/v1/users/kenmyer/pin", `{"pin":"73915"}`},
		{"PATCH", "/v1/registrar", `{"MaxEndpointsPerUser":4}`},
		{"PATCH", "/v1/web-services", `{"UsePinAuth":false}`},
		{"PUT", "/v1/faults", `{"fault":"register=503:2"}`},
		{"DELETE", "/v1/faults/register=503", ""},
		{"POST", "/v1/users/sip:second@litwareinc.com/deregister", `{"event":"rejected"}`},
		{"GET", "/v1/history?user=1219&after=3", ""},
		{"POST", "/v1/users/1219/notify", `{"event":"presence","body":"<a/>"}`},
		{"DELETE", "/v1/certificates/1219/%7b7f1c2a5e%7d", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], true)
		f.Add(seed[0], seed[1], seed[2], false)
	}
	f.Fuzz(func(t *testing.T, method, path, body string, trusted bool) {
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "await") {
			return // another server, or long waiting
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, s.server.URL()+path, strings.NewReader(body))
		if err != nil || method == http.MethodHead || method == http.MethodConnect {
			return
		}
		if trusted {
			r.Header.Set("Authorization", "Bearer "+s.ready.Token.Reveal())
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(r)
		if err != nil {
			if strings.Contains(err.Error(), "invalid") || strings.Contains(err.Error(), "unsupported") {
				return // the client does not send this
			}
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode < http.StatusInternalServerError && strings.HasPrefix(answer.Header.Get("Content-Type"), "text/plain") {
			return // net/http's own: it is no HTTP, or its header is too large
		}
		text, err := io.ReadAll(answer.Body)
		var object map[string]any
		if err == nil {
			err = json.Unmarshal(text, &object)
		}
		if err != nil {
			t.Fatalf("%d %q: %v", answer.StatusCode, text, err)
		}
		code, _ := object["error"].(string)
		switch {
		case code == manage.CodeInternal || (answer.StatusCode == http.StatusOK) != (code == ""):
			t.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
		case !trusted && answer.StatusCode != http.StatusUnauthorized && answer.StatusCode != http.StatusMisdirectedRequest:
			t.Errorf("%s %s without the token: %d %s", method, path, answer.StatusCode, text)
		}
	})
}
