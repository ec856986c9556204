package faults

import (
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
)

func TestKnown(t *testing.T) {
	list, err := configs.Faults()
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range list {
		texts := map[string]string{"duration": entry.Name + ":5s", "times": entry.Name + ":2", "": entry.Name}
		for takes, text := range texts {
			f, got, err := Known(text)
			if ok := takes == "" || takes == entry.Parameter; ok != (err == nil) || ok && (f.String() != text || got.Name != entry.Name || got.Description == "") {
				t.Errorf("%s: %+v, %+v, %v", text, f, got, err)
			}
		}
	}
	for text, want := range map[string]string{
		"register=nonsense": "is not known", "nonsense": "stage=kind expected", "web=slow:3": "takes no number of times", "register=503:5s": "takes no duration",
	} {
		if _, _, err := Known(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
