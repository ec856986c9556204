package rig_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/phone-edition/lpe/emulator/rig"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestWire holds every byte that a handset sends by LLDP, DHCP, HTTP and SIP from power-on to its sign-off, but for
// what is masked. What of it the references fix stands in wireform_test.go besides, where -update does not reach.
func TestWire(t *testing.T) {
	for _, test := range []struct{ name, lab, fault string }{
		{"litware", "litware", ""},
		{"contoso", "contoso", ""},
		{"contoso-link-silent", "contoso", "link=silent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got string
			onTap(t, test.lab, rig.DefaultProfile, func(s *setting) {
				if test.fault != "" {
					s.Faults = []string{test.fault}
				}
			}, func(x *tapped) {
				x.boot()
				x.stay(oneRefresh)
				x.signOff()
				got = masked(x.transcript())
			})
			golden(t, filepath.Join("testdata", "wire", test.name+".txt"), got)
		})
	}
}

// oneRefresh is long enough for a keep-alive, after 300 s, for the renewal of each subscription, 120 s before its 600 s are
// over (sip.md §5.1), and for one refresh of the registration, 30 s before its 600 s are (sip.md §4.5).
const oneRefresh = 590 * time.Second

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got), -update writes it anew:\n%s", name, diff)
	}
}

// transcript is what the handset sent: each LLDPDU once, since they come on a clock of their own, DHCP, then the
// connections with their messages.
func (x *tapped) transcript() string {
	x.t.Helper()
	var out strings.Builder
	announced := map[string]bool{}
	for _, f := range x.tap.framesOf(isLLDP) {
		if text := f.text(); !announced[text] {
			announced[text] = true
			fmt.Fprintf(&out, "== %s\n", text)
		}
	}
	for _, f := range x.tap.framesOf(isDHCP) {
		fmt.Fprintf(&out, "== %s\n", f.text())
	}
	for _, c := range x.tap.connections() {
		fmt.Fprintf(&out, "== %v > %v\n", c.LocalAddr(), c.to)
		if isTLS(c.sent) {
			fmt.Fprintf(&out, "ClientHello: %v\n", readHello(c.sent))
		}
		for _, m := range x.messagesOf(c) {
			fmt.Fprintf(&out, "\n%s", m.text())
		}
		out.WriteString("\n")
	}
	return out.String()
}

func (x *tapped) messagesOf(c *call) []message {
	x.t.Helper()
	clear, err := c.sentInClear(x.keys)
	if err != nil {
		x.t.Fatalf("connection to %v: %v", c.to, err)
	}
	list, err := messages(clear)
	if err != nil {
		x.t.Fatalf("connection to %v: %v", c.to, err)
	}
	return list
}
