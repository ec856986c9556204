package report_test

import (
	"strings"
	"testing"
	"time"

	"github.com/phone-edition/lpe/emulator/report"
)

type pinInfo struct {
	IsPinSet      bool       `json:"IsPinSet"`
	IsLockedOut   bool       `json:"IsLockedOut"`
	LastPinChange *time.Time `json:"LastPinChange"`
	Attempts      int        `json:"attempts"`
	Text          string     `json:"text,omitempty"`
	Hosts         []string   `json:"hosts,omitempty"`
}

func TestWriteObjects(t *testing.T) {
	changed := time.Date(2013, 5, 1, 9, 0, 0, 0, time.UTC)
	one := pinInfo{IsPinSet: true, LastPinChange: &changed, Attempts: 12345678, Text: "<two\nlines> "}
	for name, c := range map[string]struct {
		value      any
		list, json string
	}{
		"one": {
			one, "IsPinSet      : True\nIsLockedOut   : False\nLastPinChange : 2013-05-01T09:00:00Z\nattempts      : 12345678\ntext          : <two lines>\n",
			"{\n  \"IsPinSet\": true,\n  \"IsLockedOut\": false,\n  \"LastPinChange\": \"2013-05-01T09:00:00Z\",\n  \"attempts\": 12345678,\n  \"text\": \"<two\\nlines> \"\n}\n",
		},
		"two": {
			[]pinInfo{{}, {Hosts: []string{"a", "b"}}},
			"IsPinSet      : False\nIsLockedOut   : False\nLastPinChange :\nattempts      : 0\n\nIsPinSet      : False\nIsLockedOut   : False\nLastPinChange :\nattempts      : 0\nhosts         : [\"a\",\"b\"]\n",
			"",
		},
		"none":      {[]pinInfo{}, "", "[]\n"},
		"no keys":   {struct{}{}, "", "{}\n"},
		"no object": {7, "error", "7\n"},
	} {
		var list, text strings.Builder
		err := report.WriteObjectsList(&list, c.value)
		if (err != nil) != (c.list == "error") || err == nil && list.String() != c.list {
			t.Errorf("%s: %q, %v; want %q", name, list.String(), err, c.list)
		}
		if err := report.WriteObjectsJSON(&text, c.value); err != nil || c.json != "" && text.String() != c.json {
			t.Errorf("%s: %q, %v; want %q", name, text.String(), err, c.json)
		}
	}
}
