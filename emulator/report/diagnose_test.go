package report_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
)

func diagnoses(t *testing.T) []report.Diagnosis {
	t.Helper()
	list, err := report.Diagnoses()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// wantedCodes are those of every state, and those that belong to none.
func wantedCodes() map[devicestate.Code]bool {
	codes := map[devicestate.Code]bool{
		devicestate.CodeInterrupted: true, devicestate.CodeTimeout: true, devicestate.CodeRefused: true, devicestate.CodeInternal: true,
		devicestate.CodeNotSaved: true,
	}
	for _, s := range devicestate.States() {
		for _, code := range devicestate.Info(s).Codes {
			codes[code] = true
		}
	}
	return codes
}

func TestEveryCodeHasAnEntryAndEveryEntryACode(t *testing.T) {
	wanted := wantedCodes()
	seen := map[devicestate.Code]bool{}
	for _, d := range diagnoses(t) {
		if seen[d.Code] {
			t.Errorf("%s has two entries", d.Code)
		}
		seen[d.Code] = true
		if !wanted[d.Code] {
			t.Errorf("%s has an entry and no state gives it", d.Code)
		}
	}
	for code := range wanted {
		if !seen[code] {
			t.Errorf("%s has no entry", code)
		}
	}
	if _, ok := report.Lookup("ticket.nonsense"); ok {
		t.Error("a code that does not exist has an entry")
	}
}

func TestEveryFaultsCodeHasAnEntry(t *testing.T) {
	faults, err := configs.Faults()
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		for _, code := range append([]string{fault.Code, fault.Warning}, slices.Collect(maps.Values(fault.Codes))...) {
			if code == "" {
				continue
			}
			if _, ok := report.Lookup(devicestate.Code(code)); !ok {
				t.Errorf("fault %s gives %s, which has no entry", fault.Name, code)
			}
		}
	}
}

func TestEntriesAreComplete(t *testing.T) {
	profile, err := configs.LoadProfile("polycom-cx600-4.0.7577.4463")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range diagnoses(t) {
		if d.Error == "" || d.Seen == "" || len(d.Causes) == 0 || d.Remedy == "" || d.Source == "" {
			t.Errorf("%s lacks something: %+v", d.Code, d)
		}
		if !slices.Contains(report.Faults(), d.Fault) {
			t.Errorf("%s is the fault of %q", d.Code, d.Fault)
		}
		if d.Words != "cmdlet" && d.Words != "ours" {
			t.Errorf("%s: words %q", d.Code, d.Words)
		}
		if d.Words == "cmdlet" && !strings.Contains(d.Source, "handset.md §7.3") {
			t.Errorf("%s speaks the cmdlet's words without their source: %s", d.Code, d.Source)
		}
		if want := profile.Glass[string(d.Code)].Provenance; d.Glass != want {
			t.Errorf("%s: glass %q, the profile's text is %q", d.Code, d.Glass, want)
		}
		for _, text := range append([]string{d.Error, d.Seen, d.Remedy, d.Source}, d.Causes...) {
			if text != strings.Join(strings.Fields(text), " ") {
				t.Errorf("%s: %q is not one clean line", d.Code, text)
			}
		}
	}
}

// TestErrorSpeaksTheCmdletsWords holds the texts of handset.md §7.3.
func TestErrorSpeaksTheCmdletsWords(t *testing.T) {
	const (
		ticket      = "ERROR - No response received for Web-Ticket service."
		enroll      = "Could not download a CS Certificate for the given user. Check if provided uri and credentials are correct."
		unreachable = "10060, A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond"
	)
	const notFound = "404, Not Found"
	for _, d := range diagnoses(t) {
		if theirs := slices.Contains([]string{ticket, enroll, unreachable, notFound}, d.Error); theirs != (d.Words == "cmdlet") {
			t.Errorf("%s: %q is marked %s", d.Code, d.Error, d.Words)
		}
		stage, _, _ := strings.Cut(string(d.Code), ".")
		want := map[string]string{"ticket": ticket, "enroll": enroll}[stage]
		switch d.Code {
		case "chain.timeout", "register.timeout":
			want = unreachable
		case "register.404":
			want = notFound
		case "discovery.no-registrar":
			want = "No registrar could be found by DHCP or DNS."
		}
		if want != "" && d.Error != want {
			t.Errorf("%s: error %q, want %q", d.Code, d.Error, want)
		}
	}
}

func TestDiagnose(t *testing.T) {
	for _, tt := range []struct {
		name       string
		code       devicestate.Code
		seen       string
		wantError  string
		diagnosis  []string // in this order
		beginsWith string
	}{
		{
			name: "what was seen comes first", code: "chain.off", seen: "atl-cs-001.litwareinc.com (10.0.0.10:80):\n the service refuses",
			wantError:  "The root chain download is switched off.",
			beginsWith: "atl-cs-001.litwareinc.com (10.0.0.10:80): the service refuses. chain.off: web services. Cause: ",
			diagnosis:  []string{"EnableCertChainDownload", "Remedy: Set-CsWebServiceConfiguration -EnableCertChainDownload $true"},
		},
		{
			name: "a PIN that is refused names every cause", code: "ticket.refused",
			wantError: "ERROR - No response received for Web-Ticket service.",
			diagnosis: []string{"28020", "the wire does not tell them apart", "1) the PIN is wrong", "2) ", "5) the user is disabled", "Get-CsClientPinInfo", "Unlock-CsClientPin"},
		},
		{
			name: "a SIP answer begins the diagnosis", code: "register.404",
			seen:       "atl-cs-001.litwareinc.com (10.0.0.10:5061): 404, Not Found: ErrorCode=1003,Source=atl-cs-001.litwareinc.com,Reason=User does not exist",
			wantError:  "404, Not Found",
			beginsWith: "ErrorCode=1003,Source=atl-cs-001.litwareinc.com,Reason=User does not exist (atl-cs-001.litwareinc.com (10.0.0.10:5061): 404, Not Found).",
			diagnosis:  []string{"register.404: user", "Get-CsUser"},
		},
		{
			name: "who does not answer is named", code: "register.timeout",
			seen:       "atl-cs-001.litwareinc.com (10.188.116.96:5061): no answer while connecting",
			wantError:  "10060, A connection attempt failed because the connected party did not properly respond after a period of time, or established connection failed because connected host has failed to respond 10.188.116.96:5061",
			beginsWith: "atl-cs-001.litwareinc.com (10.188.116.96:5061): no answer while connecting. register.timeout: network.",
		},
		{
			name: "a SIP status without an entry", code: "register.sip-error",
			seen:       "atl-cs-001.litwareinc.com (10.0.0.10:5061): 488, Not Acceptable Here: ErrorCode=2,Source=a,Reason=b",
			wantError:  "488, Not Acceptable Here",
			beginsWith: "ErrorCode=2,Source=a,Reason=b (atl-cs-001",
		},
		{
			name: "a code that is not known", code: "later.code", seen: "something",
			wantError: "later.code", beginsWith: "something",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gotError, got := report.Diagnose(tt.code, tt.seen)
			if gotError != tt.wantError {
				t.Errorf("error %q, want %q", gotError, tt.wantError)
			}
			if !strings.HasPrefix(got, tt.beginsWith) {
				t.Errorf("diagnosis %q does not begin with %q", got, tt.beginsWith)
			}
			rest := got
			for _, part := range tt.diagnosis {
				_, after, ok := strings.Cut(rest, part)
				if !ok {
					t.Fatalf("diagnosis %q lacks %q, or not in this order", got, part)
				}
				rest = after
			}
		})
	}
	for _, d := range diagnoses(t) {
		if _, text := report.Diagnose(d.Code, ""); strings.ContainsAny(text, "\n\r\t") || strings.Contains(text, "..") || strings.Contains(text, ";.") {
			t.Errorf("%s: diagnosis %q", d.Code, text)
		}
	}
}

// TestTimersAreFacts holds the facts that bound the states against the profile's.
func TestTimersAreFacts(t *testing.T) {
	facts := map[string]bool{}
	profile := reflect.TypeFor[configs.Profile]()
	for i := range profile.NumField() {
		if name, ok := profile.Field(i).Tag.Lookup("fact"); ok {
			facts[name] = true
		}
	}
	for _, s := range devicestate.States() {
		if timer := devicestate.Info(s).Timer; timer != "" && !facts[timer] {
			t.Errorf("%s is bounded by %s, which no profile has", s, timer)
		}
	}
}
