package dhcpserver

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

func seeds(f *testing.F) {
	f.Helper()
	relayed := discover("CPE-OCPHONE")
	relayed.GatewayIPAddr = ip("10.77.0.250")
	renewing := ciaddr("10.77.0.100", message(dhcpv4.MessageTypeRequest, nil))
	for _, m := range []*dhcpv4.DHCPv4{
		discover("CPE-OCPHONE"), selecting("10.77.0.100"), inform(dhcpoption.ClassUC), relayed, renewing,
		message(dhcpv4.MessageTypeDecline, dhcpv4.Options{50: ip("10.77.0.100"), 54: serverIP.AsSlice()}),
		ciaddr("10.77.0.100", message(dhcpv4.MessageTypeRelease, dhcpv4.Options{54: serverIP.AsSlice()})),
	} {
		payload, err := dhcpoption.Encode(m, []uint8{53})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(payload, []byte(nil))
		f.Add(payload, payload)
	}
}

// arrives gives a datagram to the server and checks its answer, if there is one: it parses, and belongs to the question.
func (w *wire) arrives(payload []byte) {
	w.t.Helper()
	w.sent = nil
	w.arrive <- ethernet.Datagram{SrcMAC: otherMAC, Src: netip.MustParseAddrPort("10.77.0.66:68"), Payload: payload}
	synctest.Wait()
	if len(w.sent) == 0 {
		return
	}
	asked, err := dhcpoption.Parse(payload)
	if err != nil {
		w.t.Fatalf("an answer to what is no message: %v", err)
	}
	if len(w.sent) > 1 {
		w.t.Fatalf("%d answers to one request", len(w.sent))
	}
	m, err := dhcpoption.Parse(w.sent[0].Payload)
	if err != nil {
		w.t.Fatalf("answer %x: %v", w.sent[0].Payload, err)
	}
	if m.OpCode != dhcpv4.OpcodeBootReply || m.TransactionID != asked.TransactionID || !bytes.Equal(m.ClientHWAddr, asked.ClientHWAddr) ||
		!bytes.Equal(m.Options[54], serverIP.AsSlice()) {
		w.t.Errorf("answer %v to %v", m, asked)
	}
	switch kind := m.MessageType(); kind {
	case dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeAck, dhcpv4.MessageTypeNak:
	default:
		w.t.Errorf("answer of type %v", kind)
	}
}

// FuzzServer gives the server two datagrams: what it answers is right, what it holds is bounded by its addresses, and
// when everything has expired a handset gets an address.
func FuzzServer(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		cfg := config()
		synctest.Test(t, func(t *testing.T) {
			w := newWire(t)
			cfg.Station, cfg.Timeline = w, w.timeline
			s, err := Start(cfg)
			if err != nil {
				t.Fatal(err)
			}
			for _, payload := range [][]byte{first, second} {
				w.arrives(payload)
			}
			if held := len(w.held()); held > cfg.Leases {
				t.Errorf("%d neighbors; there are %d addresses", held, cfg.Leases)
			}
			for _, o := range w.seen {
				if len(o.Text) > 2000 {
					t.Errorf("observation of %d bytes", len(o.Text))
				}
			}
			w.pass(max(cfg.LeaseTime, declinedFor) + time.Minute)
			if offer := w.ask(discover("CPE-OCPHONE")); offer == nil || offer.MessageType() != dhcpv4.MessageTypeOffer {
				t.Errorf("a handset afterwards was offered %v", offer)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if len(s.leases.byMAC) > cfg.Leases || len(s.leases.byAddress) > cfg.Leases {
				t.Errorf("%d and %d leases; there are %d addresses", len(s.leases.byMAC), len(s.leases.byAddress), cfg.Leases)
			}
		})
	})
}

// FuzzResponder: the registrar answers INFORM of its class alone, with an ACK that gives no address.
func FuzzResponder(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, first, second []byte) {
		respond(t, ResponderConfig{Discovery: config().Discovery}, func(w *wire) {
			for _, payload := range [][]byte{first, second} {
				if w.arrives(payload); len(w.sent) == 0 {
					continue
				}
				asked, _ := dhcpoption.Parse(payload) // it parses
				m, err := dhcpoption.Parse(w.sent[0].Payload)
				if err != nil || asked.MessageType() != dhcpv4.MessageTypeInform || m.MessageType() != dhcpv4.MessageTypeAck ||
					!m.YourIPAddr.Equal(net.IPv4zero) || len(m.Options[51]) > 0 || string(asked.Options[60]) != dhcpoption.ClassUC {
					t.Errorf("%v to %v", m, asked)
				}
			}
			if answer := w.ask(inform(dhcpoption.ClassUC)); answer == nil {
				t.Error("a handset gets no answer afterwards")
			}
		})
	})
}
