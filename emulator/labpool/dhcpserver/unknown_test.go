package dhcpserver

import (
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// unknowns are what was told as unknown.
func (w *wire) unknowns() string {
	var out []string
	for _, o := range w.seen {
		if o.Kind == timeline.Unknown {
			out = append(out, o.Peer+" "+o.Text)
		}
	}
	return strings.Join(out, "\n")
}

// TestUnknown: classes and options that no document gives a handset are told once, with their bytes.
func TestUnknown(t *testing.T) {
	script := func(w *wire) {
		for range 2 {
			w.ask(message(dhcpv4.MessageTypeDiscover, dhcpv4.Options{60: []byte("CPE-NEWPHONE\x00"), 55: leasePRL, 125: {0, 0, 1, 0x37}}))
		}
		w.ask(discover(dhcpoption.ClassVLAN))
		w.ask(discover("cpe-ocphone"))
		w.ask(discover("Microsoft Windows CE"))
		w.ask(inform(dhcpoption.ClassUC))
		w.ask(selecting("10.77.0.100"))
		w.ask(from(otherMAC, message(dhcpv4.MessageTypeInform, dhcpv4.Options{60: []byte("MS-UC-Client"), 12: []byte("phone"), 61: {1}, 81: {0}})))
		const want = "00:04:f2:01:02:03 vendor class \"CPE-NEWPHONE\\x00\": in DISCOVER\n" +
			"00:04:f2:01:02:03 option 125 of DISCOVER: 00000137\n" +
			"00:04:f2:01:02:04 option 81 of INFORM: 00"
		if got := w.unknowns(); got != want {
			t.Errorf("told\n%s\nwant\n%s", got, want)
		}
		w.raw([]byte{1, 2, 3}, handsetMAC)
		if !w.dropped(": 010203") {
			t.Errorf("%+v", w.seen[len(w.seen)-1])
		}
	}
	t.Run("server", func(t *testing.T) { serve(t, config(), script) })
	t.Run("responder", func(t *testing.T) {
		uc := dhcpoption.NewUC("lyncpool.contoso.com")
		respond(t, ResponderConfig{Discovery: Discovery{UC: &uc}}, script)
	})
}
