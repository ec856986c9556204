package report_test

import (
	"strings"
	"testing"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/timeline"
)

func TestDiary(t *testing.T) {
	var out strings.Builder
	tl := timeline.New("handset")
	tl.Observe(report.Diary(report.NewDiary(&out)))
	for _, o := range []timeline.Observation{
		{Kind: timeline.Sent, Protocol: "sip", Text: "REGISTER"},
		{Kind: timeline.Received, Protocol: "sip", Text: "200"},
		{Kind: timeline.Note, State: devicestate.Ready, Text: "refreshed"},
		{Kind: timeline.Transition, State: devicestate.Ready, Text: "SignIn"},
		{Kind: timeline.Diagnosis, State: devicestate.Ready, Code: "ready.connection-lost", Peer: "fe01", Text: "closed"},
		{Kind: timeline.Dropped, State: devicestate.Ready, Protocol: "sip", Text: "no signature"},
		{Kind: timeline.Unknown, Protocol: "sip", Peer: "192.0.2.1:5061", Text: "header"},
	} {
		tl.Add(o)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		_, rest, _ := strings.Cut(strings.TrimSpace(line), "\t") // the date
		got = append(got, rest)
	}
	want := []string{
		"INFO\trefreshed\t{\"state\": \"Ready\"}",
		"INFO\tSignIn\t{\"state\": \"Ready\"}",
		"WARN\tclosed\t{\"state\": \"Ready\", \"peer\": \"fe01\", \"code\": \"ready.connection-lost\"}",
		"WARN\tno signature\t{\"state\": \"Ready\", \"protocol\": \"sip\"}",
		"WARN\theader\t{\"protocol\": \"sip\", \"peer\": \"192.0.2.1:5061\"}",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("diary:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
