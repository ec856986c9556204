package updates

import (
	"bufio"
	"net/http"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/protocol/deviceupdate"
)

// FuzzService: a query that is taken has an answer that parses and offers nothing but the approved version; what is
// given as a file is an image that reads as it was written.
func FuzzService(f *testing.F) {
	f.Add("POST", inside, query())
	f.Add("POST", outside, query())
	f.Add("GET", "/RequestHandler/Files/CX600/4.0.7577.4463/CPE.nbt", []byte(nil))
	f.Add("GET", "/RequestHandler/Files/..%2f..%2f/%00/CPE.nbt", []byte(nil))
	f.Fuzz(func(t *testing.T, method, path string, body []byte) {
		line := method + " http://" + host + path + " HTTP/1.0\r\n\r\n"
		if _, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line))); err != nil || !strings.HasPrefix(path, "/") {
			return // no HTTP
		}
		r := open(t)
		w := r.do(method, path, body, nil)
		switch {
		case w.Code != http.StatusOK:
		case method == http.MethodPost:
			answer, err := deviceupdate.ParseResponse(w.Body.Bytes())
			if err != nil {
				t.Fatalf("answer %q: %v", w.Body, err)
			}
			for _, u := range answer.Updates {
				if u.Version != approved {
					t.Errorf("offer %+v", u)
				}
			}
		case method == http.MethodGet:
			image, err := deviceupdate.ParseImage(w.Body.Bytes())
			if err != nil {
				t.Fatalf("image %q: %v", w.Body, err)
			}
			if again, err := image.Append(nil); err != nil || string(again) != w.Body.String() {
				t.Errorf("image %q, %v, written anew %q", w.Body, err, again)
			}
		}
		if w.Code >= http.StatusInternalServerError {
			t.Errorf("HTTP %d", w.Code)
		}
		for _, o := range r.told {
			if len(o.Text) > 3000 {
				t.Errorf("observation of %d bytes: %.200q", len(o.Text), o.Text)
			}
		}
	})
}
