package manage_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
)

// TestDocumentedPaths: every method and path of the package's documentation is there.
func TestDocumentedPaths(t *testing.T) {
	s := serve(t)
	text, err := os.ReadFile("doc.go")
	s.must(err)
	paths := regexp.MustCompile(`(?m)^//\t(GET|PUT|POST|PATCH|DELETE) +(/v1/\S+)`).FindAllStringSubmatch(string(text), -1)
	if len(paths) != 25 {
		t.Errorf("%d paths are documented", len(paths))
	}
	example := strings.NewReplacer("USER", "1219", "DEVICE", "0b0e0a9e-6cb0-594f-a8b3-4b55f358cbc1", "STAGE=KIND", "dns=silent", "=SEQ", "=0", "=S&", "=refused&", "=D", "=1ms")
	for _, p := range paths {
		a := s.send(s.request(p[1], example.Replace(p[2]), ""))
		if a.status == 405 || contains(a.body, manage.CodeUnknownPath) {
			t.Errorf("%s %s: %d %s", p[1], p[2], a.status, a.body)
		}
	}
}
