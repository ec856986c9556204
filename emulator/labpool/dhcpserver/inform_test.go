package dhcpserver

import (
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// Values of discovery.md §0 and §4 for lyncpool.contoso.com.
const (
	good120 = "00086c796e63706f6f6c07636f6e746f736f03636f6d00"
	good43  = "010c4d532d55432d436c69656e74" + "02056874747073" + "03146c796e63706f6f6c2e636f6e746f736f2e636f6d" +
		"0403343433" + "05252f4365727450726f762f4365727450726f766973696f6e696e67536572766963652e737663"
)

// both runs script against the registrar's responder and against the enterprise server.
func both(t *testing.T, fault string, script func(t *testing.T, w *wire)) {
	t.Helper()
	cfg := config()
	t.Run("responder", func(t *testing.T) {
		respond(t, ResponderConfig{Domain: cfg.Domain, Discovery: cfg.Discovery, Faults: set(fault)}, func(w *wire) { script(t, w) })
	})
	t.Run("server", func(t *testing.T) {
		cfg.Faults = set(fault)
		serve(t, cfg, func(w *wire) { script(t, w) })
	})
}

func TestInform(t *testing.T) {
	both(t, "", func(t *testing.T, w *wire) {
		r := w.ask(inform(dhcpoption.ClassUC))
		wantOrder(t, r, 53, 54, 120, 43)
		if got := hex.EncodeToString(r.Options[120]); got != good120 {
			t.Errorf("option 120 is %s", got)
		}
		if got := hex.EncodeToString(r.Options[43]); got != good43 {
			t.Errorf("option 43 is %s", got)
		}
		if r.MessageType() != dhcpv4.MessageTypeAck || r.to.String() != "10.77.0.100:68" || r.mac != handsetMAC.String() {
			t.Errorf("%s to %s at %s", r.MessageType(), r.to, r.mac)
		}
		if addressOf(r.ClientIPAddr).String() != "10.77.0.100" || !addressOf(r.YourIPAddr).IsUnspecified() {
			t.Errorf("ciaddr %s, yiaddr %s", r.ClientIPAddr, r.YourIPAddr)
		}
		wantOrder(t, w.ask(inform(dhcpoption.ClassUC+"\x00")), 53, 54, 120, 43)
	})
}

// TestInformOfTheResponder holds the algorithm of discovery.md §3.1.
func TestInformOfTheResponder(t *testing.T) {
	with := func(class string, list ...byte) *dhcpv4.DHCPv4 {
		m := inform(class)
		m.Options[55] = list
		return m
	}
	bare := inform(dhcpoption.ClassUC)
	delete(bare.Options, 55)
	classless := inform("")
	delete(classless.Options, 60)
	for _, test := range []struct {
		name    string
		request *dhcpv4.DHCPv4
		order   []uint8 // nil: silence
		why     string
	}{
		{"120 alone", with(dhcpoption.ClassUC, 120), []uint8{53, 54, 120}, ""},
		{"43 first", with(dhcpoption.ClassUC, 43, 120), []uint8{53, 54, 43, 120}, ""},
		{"43 among others", with(dhcpoption.ClassUC, 1, 3, 43), []uint8{53, 54, 43}, ""},
		{"1 and 3", with(dhcpoption.ClassUC, 1, 3), nil, "option 55 is 1,3"},
		{"no option 55", bare, nil, "no option 55"},
		{"no class", classless, nil, "no vendor class"},
		{"class of another case", inform("ms-uc-client"), nil, `vendor class "ms-uc-client"`},
		{"longer class", inform("MS-UC-Client2"), nil, `vendor class "MS-UC-Client2"`},
		{"no ciaddr", ciaddr("0.0.0.0", inform(dhcpoption.ClassUC)), nil, "ciaddr is 0.0.0.0"},
		{"DISCOVER", discover(dhcpoption.ClassUC), nil, "INFORM alone"},
		{"REQUEST", selecting("10.77.0.100"), nil, "INFORM alone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			respond(t, ResponderConfig{Discovery: config().Discovery}, func(w *wire) {
				r := w.ask(test.request)
				if test.order == nil {
					if r != nil || !w.dropped(test.why) {
						t.Errorf("answer %v, last observation %+v, want %q", r, w.seen[len(w.seen)-1], test.why)
					}
					return
				}
				wantOrder(t, r, test.order...)
			})
		})
	}
	respond(t, ResponderConfig{Discovery: Discovery{SIPServers: []string{"lyncpool.contoso.com"}}}, func(w *wire) {
		wantOrder(t, w.ask(inform(dhcpoption.ClassUC)), 53, 54, 120)
	})
}

func TestInformOfTheServer(t *testing.T) {
	for class, want := range map[string][]uint8{
		"":                 {53, 54, 1, 6},
		"ms-uc-client":     {53, 54, 1, 6},
		"CPE-OCPHONE":      {53, 54, 1, 6},
		dhcpoption.ClassUC: {53, 54, 120, 1, 6, 43},
	} {
		serve(t, config(), func(w *wire) {
			m := inform(class)
			m.Options[55] = []byte{120, 1, 6, 43, 58, 51}
			wantOrder(t, w.ask(m), want...)
		})
	}
	cfg := config()
	cfg.Inform = false
	serve(t, cfg, func(w *wire) {
		if r := w.ask(inform(dhcpoption.ClassUC)); r != nil || !w.dropped("does not answer") {
			t.Errorf("answer %v", r)
		}
	})
}

func TestDiscoveryFaults(t *testing.T) {
	two := good120 + "096c796e63706f6f6c3207636f6e746f736f03636f6d00"
	for _, test := range []struct {
		fault, want43, want120 string // "" if the option is left out
		kind43, kind120        string // the strict verdict
	}{
		{"discovery=class-case", "", "", "", ""},
		{"discovery=option43-missing", "", good120, "", ""},
		{"discovery=option43-foreign", "01075369656d656e73", good120, dhcpoption.KindForeign, ""},
		{"discovery=option43-port-binary", strings.Replace(good43, "0403343433", "040201bb", 1), good120, dhcpoption.KindPortBinary, ""},
		{"discovery=option43-truncated", strings.TrimSuffix(good43, "737663"), good120, dhcpoption.KindTruncated, ""},
		{"discovery=option43-hex-text", hex.EncodeToString([]byte(good43)), good120, dhcpoption.KindHexText, ""},
		{"discovery=option43-bad-scheme", strings.Replace(good43, "02056874747073", "0203667470", 1), good120, dhcpoption.KindBadScheme, ""},
		{"discovery=option43-wrong-host", strings.Replace(good43, "03146c796e63706f6f6c2e", "03156d6f7665642d7765622e", 1), good120, "", ""},
		{"discovery=reversed", reversed + "ff", good120, "", ""},
		{"discovery=option120-missing", good43, "", "", ""},
		{"discovery=option120-text", good43, hex.EncodeToString([]byte("lyncpool.contoso.com")), "", dhcpoption.KindSIPText},
		{"discovery=option120-no-type", good43, good120[2:], "", dhcpoption.KindSIPNoType},
		{"discovery=option120-address", good43, "010a4d0001", "", dhcpoption.KindSIPAddress},
		{"discovery=two-pools", good43, two, "", ""},
		{"discovery=compressed", good43, good120 + "096c796e63706f6f6c32c009", "", ""},
	} {
		t.Run(test.fault, func(t *testing.T) {
			both(t, test.fault, func(t *testing.T, w *wire) {
				r := w.ask(inform(dhcpoption.ClassUC))
				if r == nil {
					t.Fatal("no answer")
				}
				for code, want := range map[uint8]string{43: test.want43, 120: test.want120} {
					value, given := r.Options[code]
					if got := hex.EncodeToString(value); got != want || given != (want != "") {
						t.Errorf("option %d is %q, want %q", code, got, want)
					}
				}
				if !slices.ContainsFunc(texts(w), func(s string) bool { return strings.Contains(s, test.fault) }) {
					t.Errorf("the fault is not in the timeline: %q", texts(w))
				}
				if test.want43 != "" {
					_, err := dhcpoption.ParseUC(r.Options[43])
					wantKind(t, err, test.kind43)
				}
				if test.want120 != "" {
					_, err := dhcpoption.ParseSIPServers(r.Options[120])
					wantKind(t, err, test.kind120)
				}
			})
		})
	}
}

const reversed = "05252f4365727450726f762f4365727450726f766973696f6e696e67536572766963652e737663" + "0403343433" +
	"03146c796e63706f6f6c2e636f6e746f736f2e636f6d" + "02056874747073" + "010c4d532d55432d436c69656e74"

func texts(w *wire) []string {
	var list []string
	for _, o := range w.seen {
		list = append(list, o.Text)
	}
	return list
}

func wantKind(t *testing.T, err error, want string) {
	t.Helper()
	problem, _ := errors.AsType[*dhcpoption.Error](err)
	if (err == nil) != (want == "") || problem != nil && problem.Kind != want {
		t.Errorf("verdict %v, want kind %q", err, want)
	}
}

func TestDiscoverySilence(t *testing.T) {
	both(t, "discovery=silent", func(t *testing.T, w *wire) {
		if r := w.ask(inform(dhcpoption.ClassUC)); r != nil || !w.dropped("discovery=silent") {
			t.Errorf("answer %v", r)
		}
	})
	respond(t, ResponderConfig{Discovery: config().Discovery, Faults: set("discovery=responder-off")}, func(w *wire) {
		if r := w.ask(inform(dhcpoption.ClassUC)); r != nil || !w.dropped("discovery=responder-off") {
			t.Errorf("answer %v", r)
		}
	})
	cfg := config()
	cfg.Faults = set("discovery=responder-off")
	serve(t, cfg, func(w *wire) { wantOrder(t, w.ask(inform(dhcpoption.ClassUC)), 53, 54) })
}

func TestFaultCountsOncePerInform(t *testing.T) {
	cfg := config()
	cfg.Faults = faults.NewSet(faults.Fault{Name: "discovery=option120-text", Param: faults.Param{Times: 2}})
	serve(t, cfg, func(w *wire) {
		w.ask(discover("CPE-OCPHONE"))
		var bad int
		for range 4 {
			if _, err := dhcpoption.ParseSIPServers(w.ask(inform(dhcpoption.ClassUC)).Options[120]); err != nil {
				bad++
			}
		}
		if bad != 2 {
			t.Errorf("%d bad answers, want 2", bad)
		}
	})
}

func TestResponderRefusesConfig(t *testing.T) {
	if _, err := StartResponder(ResponderConfig{Station: newWire(t)}); err == nil {
		t.Error("a responder without address started")
	}
	if _, err := StartResponder(ResponderConfig{Station: newWire(t), Server: serverIP, Discovery: Discovery{UC: &dhcpoption.UC{}}}); err == nil {
		t.Error("a responder with an empty option 43 started")
	}
}

func TestObservationNamesTheRequest(t *testing.T) {
	serve(t, config(), func(w *wire) {
		w.ask(inform(dhcpoption.ClassUC))
		got := map[string]string{}
		for _, f := range w.seen[0].Fields {
			got[f.Name] = f.Value
		}
		want := map[string]string{
			"xid": "01020304", "options": "53,55,60", "class": `"MS-UC-Client"`, "requested options": "120,43", "ciaddr": "10.77.0.100",
		}
		if !maps.Equal(got, want) || w.seen[0].Text != "INFORM" || w.seen[0].Peer != handsetMAC.String() {
			t.Errorf("observation %+v, want fields %v", w.seen[0], want)
		}
	})
}
