package updates

import (
	"net/http"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/emulator/timeline"
)

// TestUnknown: a query that is not this project's own XML is what is to be learnt of a real phone; it is kept.
func TestUnknown(t *testing.T) {
	r := open(t)
	more := strings.Replace(string(query()), "<Locale>", "<Image Slot=\"1\">4.0.7577.4463</Image><Locale>", 1)
	for range 2 {
		r.do(http.MethodPost, inside, query(), nil)
		r.do(http.MethodPost, inside, []byte("<DeviceUpdateRequest><Mac>00-04-F2-00-01-76</Mac><Key>AAAABBBBCCCC</Key></DeviceUpdateRequest>"), nil)
		r.do(http.MethodPost, inside, []byte(more), nil)
		r.do(http.MethodGet, inside+"?v=2", nil, nil)
		r.do(http.MethodPut, "/RequestHandler/Logs/a.clg", []byte("log"), nil)
	}
	var told []string
	for _, o := range r.told {
		if o.Kind != timeline.Unknown {
			continue
		}
		text := o.Text
		for _, f := range o.Fields {
			if f.Name == "shown" {
				text += ": " + f.Value
			}
		}
		told = append(told, text)
	}
	want := []string{
		`device update POST /RequestHandler/ucdevice.upx: "Content-Type": "text/xml; charset=utf-8"; body <DeviceUpdateRequest><Mac>00-04-F2-00-01-76</Mac><Key>***(base64 of 12)</Key></DeviceUpdateRequest>`,
		`element "Image" of a device update query: <Request>`,
		`device update GET /RequestHandler/ucdevice.upx: query "v"=***(1 digits); "Content-Type": "text/xml; charset=utf-8"; body 0 bytes`,
		`device update PUT /RequestHandler/Logs/a.clg: "Content-Type": "text/xml; charset=utf-8"; body xxx`,
	}
	for i := range max(len(told), len(want)) {
		if i >= len(told) || i >= len(want) || !strings.HasPrefix(told[i], want[i]) {
			t.Fatalf("told\n%s\nwant\n%s", strings.Join(told, "\n"), strings.Join(want, "\n"))
		}
	}
}
