package ethernet

import "testing"

func TestSearchDomain(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"nameserver 192.0.2.1\n": "",
		"search Contoso.com corp.contoso.com\nnameserver ::1\n": "contoso.com",
		"domain a.example\nsearch b.example\n":                  "b.example",
		"search b.example.\ndomain a.example":                   "a.example",
		"search\n#search c.example\n":                           "",
	} {
		if got := searchDomain(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}
