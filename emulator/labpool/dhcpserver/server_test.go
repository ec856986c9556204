package dhcpserver

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

func TestLease(t *testing.T) {
	serve(t, config(), func(w *wire) {
		offer := w.ask(discover("CPE-OCPHONE"))
		wantOrder(t, offer, 53, 54, 51, 1, 3, 6, 15, 42)
		if offer.MessageType() != dhcpv4.MessageTypeOffer || addressOf(offer.YourIPAddr).String() != "10.77.0.100" {
			t.Errorf("offer %v", offer)
		}
		if offer.to.String() != "10.77.0.100:68" || offer.mac != handsetMAC.String() {
			t.Errorf("offer went to %s at %q", offer.to, offer.mac)
		}
		if len(w.held()) != 0 {
			t.Error("an offer made a neighbor")
		}
		for code, want := range map[uint8]string{1: "ffffff00", 3: "0a4d00fe", 6: "0a4d0001", 15: "636f6e746f736f2e636f6d", 42: "0a4d0001", 51: "00000e10", 54: "0a4d0001"} {
			if got := hex.EncodeToString(offer.Options[code]); got != want {
				t.Errorf("option %d is %s, want %s", code, got, want)
			}
		}
		ack := w.ask(selecting("10.77.0.100"))
		wantOrder(t, ack, 53, 54, 51, 1, 3, 6, 15, 42)
		if ack.MessageType() != dhcpv4.MessageTypeAck || w.held()[ip4("10.77.0.100")] != handsetMAC.String() {
			t.Errorf("ack %v, neighbors %v", ack, w.held())
		}
		second := w.ask(from(otherMAC, discover("CPE-OCPHONE")))
		if addressOf(second.YourIPAddr).String() != "10.77.0.101" {
			t.Errorf("second handset was offered %s", second.YourIPAddr)
		}
	})
}

func TestOptionsAskedFor(t *testing.T) {
	cfg := config()
	offset := -8 * time.Hour
	cfg.TimeOffset = &offset
	serve(t, cfg, func(w *wire) {
		offer := w.ask(message(dhcpv4.MessageTypeDiscover, dhcpv4.Options{55: {119, 2, 58, 59, 1, 120, 43}}))
		wantOrder(t, offer, 53, 54, 51, 119, 2, 58, 59, 1)
		for code, want := range map[uint8]string{
			2: "ffff8f80", 58: "00000708", 59: "00000c4e",
			119: "07636f6e746f736f03636f6d0004636f727007636f6e746f736f03636f6d00",
		} {
			if got := hex.EncodeToString(offer.Options[code]); got != want {
				t.Errorf("option %d is %s, want %s", code, got, want)
			}
		}
		wantOrder(t, w.ask(message(dhcpv4.MessageTypeDiscover, nil)), 53, 54, 51, 1, 2, 3, 6, 15, 42, 58, 59, 119)
		wantOrder(t, w.ask(message(dhcpv4.MessageTypeDiscover, dhcpv4.Options{55: {99}})), 53, 54, 51)
	})
}

func TestReplyPath(t *testing.T) {
	flagged := func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { m.Flags = 0x8000; return m }
	relayed := func(giaddr string, m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 { m.GatewayIPAddr = ip(giaddr); return m }
	for _, test := range []struct {
		name, to, mac string
		request       *dhcpv4.DHCPv4
	}{
		{"unicast", "10.77.0.100:68", handsetMAC.String(), discover("")},
		{"broadcast flag", "255.255.255.255:68", "", flagged(discover(""))},
		{"relay", "10.77.0.250:67", handsetMAC.String(), relayed("10.77.0.250", flagged(discover("")))},
		{"relay of another subnet", "", "", relayed("10.78.0.250", discover(""))},
		{"inform", "10.77.0.100:68", handsetMAC.String(), flagged(inform(dhcpoption.ClassUC))},
		{"relayed inform", "10.77.0.100:68", handsetMAC.String(), relayed("10.77.0.250", inform(dhcpoption.ClassUC))},
		{"inform without ciaddr", "", "", ciaddr("0.0.0.0", inform(dhcpoption.ClassUC))},
	} {
		t.Run(test.name, func(t *testing.T) {
			serve(t, config(), func(w *wire) {
				r := w.ask(test.request)
				if r == nil {
					if test.to != "" {
						t.Error("no answer")
					}
					return
				}
				if r.to.String() != test.to || r.mac != test.mac {
					t.Errorf("answer to %s at %q, want %s at %q", r.to, r.mac, test.to, test.mac)
				}
			})
		})
	}
	serve(t, config(), func(w *wire) {
		payload, err := dhcpoption.Encode(relayed("10.77.0.250", discover("")), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r := w.raw(payload, relayMAC); r.mac != relayMAC.String() {
			t.Errorf("the answer for the relay went to %s", r.mac)
		}
	})
}

func TestRequest(t *testing.T) {
	initReboot := func(address string) *dhcpv4.DHCPv4 {
		return message(dhcpv4.MessageTypeRequest, dhcpv4.Options{50: ip(address)})
	}
	renew := func(address string) *dhcpv4.DHCPv4 {
		return ciaddr(address, message(dhcpv4.MessageTypeRequest, nil))
	}
	elsewhere := selecting("10.77.0.100")
	elsewhere.Options[54] = ip("10.77.0.2")
	for _, test := range []struct {
		name    string
		bound   bool // the handset has 10.77.0.100
		request *dhcpv4.DHCPv4
		want    dhcpv4.MessageType // 0: silence
		to      string
	}{
		{"selecting", false, selecting("10.77.0.100"), dhcpv4.MessageTypeAck, "10.77.0.100:68"},
		{"selecting another address", false, selecting("10.77.0.101"), dhcpv4.MessageTypeNak, "255.255.255.255:68"},
		{"selecting another server", false, elsewhere, 0, ""},
		{"init-reboot", true, initReboot("10.77.0.100"), dhcpv4.MessageTypeAck, "10.77.0.100:68"},
		{"init-reboot, wrong address", true, initReboot("10.77.0.101"), dhcpv4.MessageTypeNak, "255.255.255.255:68"},
		{"init-reboot, wrong network", true, initReboot("192.168.1.1"), dhcpv4.MessageTypeNak, "255.255.255.255:68"},
		{"renewing", true, renew("10.77.0.100"), dhcpv4.MessageTypeAck, "10.77.0.100:68"},
		{"renewing, wrong address", true, renew("10.77.0.101"), dhcpv4.MessageTypeNak, "255.255.255.255:68"},
		{"no address", true, message(dhcpv4.MessageTypeRequest, nil), 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			serve(t, config(), func(w *wire) {
				w.ask(discover("CPE-OCPHONE"))
				if test.bound {
					w.ask(selecting("10.77.0.100"))
				}
				r := w.ask(test.request)
				if r == nil {
					if test.want != 0 || !w.dropped("REQUEST") {
						t.Errorf("no answer, want %s", test.want)
					}
					return
				}
				if r.MessageType() != test.want || r.to.String() != test.to {
					t.Errorf("%s to %s, want %s to %s", r.MessageType(), r.to, test.want, test.to)
				}
				if test.want == dhcpv4.MessageTypeNak {
					wantOrder(t, r, 53, 54)
				}
			})
		})
	}
	serve(t, config(), func(w *wire) {
		if r := w.ask(initReboot("10.77.0.100")); r != nil || !w.dropped("no record") {
			t.Errorf("a server without a record answered %v", r)
		}
	})
}

func TestLeaseEnds(t *testing.T) {
	bind := func(w *wire) {
		w.ask(discover("CPE-OCPHONE"))
		w.ask(selecting("10.77.0.100"))
	}
	server := dhcpv4.Options{54: serverIP.AsSlice()}
	t.Run("release", func(t *testing.T) {
		serve(t, config(), func(w *wire) {
			bind(w)
			if r := w.ask(ciaddr("10.77.0.100", message(dhcpv4.MessageTypeRelease, server))); r != nil || len(w.held()) != 0 {
				t.Errorf("answer %v, neighbors %v", r, w.held())
			}
			if r := w.ask(discover("CPE-OCPHONE")); addressOf(r.YourIPAddr).String() != "10.77.0.100" {
				t.Errorf("after a release another address was offered: %s", r.YourIPAddr)
			}
		})
	})
	t.Run("decline", func(t *testing.T) {
		serve(t, config(), func(w *wire) {
			bind(w)
			w.ask(message(dhcpv4.MessageTypeDecline, dhcpv4.Options{50: ip("10.77.0.100"), 54: serverIP.AsSlice()}))
			wish := discover("CPE-OCPHONE")
			wish.Options[50] = ip("10.77.0.100")
			if r := w.ask(wish); addressOf(r.YourIPAddr).String() != "10.77.0.101" || len(w.held()) != 0 {
				t.Errorf("a declined address was offered: %s, neighbors %v", r.YourIPAddr, w.held())
			}
		})
	})
	t.Run("expiry", func(t *testing.T) {
		serve(t, config(), func(w *wire) {
			bind(w)
			w.pass(59 * time.Minute)
			w.ask(selecting("10.77.0.100"))
			w.pass(59 * time.Minute)
			if len(w.held()) != 1 {
				t.Error("a renewed lease ended")
			}
			w.pass(2 * time.Minute)
			if len(w.held()) != 0 {
				t.Error("a lease did not end")
			}
		})
	})
	t.Run("offer", func(t *testing.T) {
		serve(t, config(), func(w *wire) {
			for i := range 3 {
				w.ask(from([]byte{0, 0, 0, 0, 0, byte(i)}, discover("")))
			}
			if r := w.ask(discover("")); r != nil || !w.dropped("all 3 addresses") {
				t.Errorf("a fourth handset was offered %v", r)
			}
			w.pass(2 * time.Minute)
			if r := w.ask(discover("")); r == nil {
				t.Error("offers did not end")
			}
		})
	})
	for name, m := range map[string]*dhcpv4.DHCPv4{
		"release to another server": ciaddr("10.77.0.100", message(dhcpv4.MessageTypeRelease, dhcpv4.Options{54: ip("10.77.0.2")})),
		"release of another":        ciaddr("10.77.0.101", message(dhcpv4.MessageTypeRelease, server)),
		"release by another":        from(otherMAC, ciaddr("10.77.0.100", message(dhcpv4.MessageTypeRelease, server))),
		"decline of another":        message(dhcpv4.MessageTypeDecline, dhcpv4.Options{50: ip("10.77.0.101"), 54: serverIP.AsSlice()}),
		"decline without server":    message(dhcpv4.MessageTypeDecline, dhcpv4.Options{50: ip("10.77.0.100")}),
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, config(), func(w *wire) {
				bind(w)
				if w.ask(m); len(w.held()) != 1 || !w.dropped(m.MessageType().String()) {
					t.Errorf("it was taken: neighbors %v, last observation %+v", w.held(), w.seen[len(w.seen)-1])
				}
			})
		})
	}
}

func TestMalformedIsDropped(t *testing.T) {
	reply := discover("")
	reply.OpCode = dhcpv4.OpcodeBootReply
	token := discover("")
	token.HWType = 6
	untyped := discover("")
	delete(untyped.Options, 53)
	wish := discover("")
	wish.Options[50] = []byte{1, 2, 3}
	ack := message(dhcpv4.MessageTypeAck, nil)
	for name, test := range map[string]struct {
		m    *dhcpv4.DHCPv4
		want string
	}{
		"reply":               {reply, "op 2"},
		"token ring":          {token, "hardware type 6"},
		"no type":             {untyped, "option 53"},
		"short address":       {wish, "option 50 of 3 bytes"},
		"message of a server": {ack, "a server does not take"},
	} {
		t.Run(name, func(t *testing.T) {
			serve(t, config(), func(w *wire) {
				if r := w.ask(test.m); r != nil || !w.dropped(test.want) {
					t.Errorf("answer %v, last observation %+v, want %q", r, w.seen[len(w.seen)-1], test.want)
				}
			})
		})
	}
	serve(t, config(), func(w *wire) {
		if r := w.raw([]byte{1, 2, 3}, handsetMAC); r != nil || !w.dropped("message of 3 bytes") {
			t.Errorf("answer %v", r)
		}
	})
}

func TestVLAN(t *testing.T) {
	native, voice := config(), config()
	native.VLAN = 200
	voice.Voice = true
	for _, test := range []struct {
		name, class string
		cfg         Config
		fault       string
		want        string // option 43
	}{
		{"as Lync writes it", "CPE-OCPHONE", native, "", "0a0200c8"},
		{"as OCS wrote it", "CPE-OCPhone", native, "", "0a0200c8"},
		{"with NUL", "CPE-OCPHONE\x00", native, "", "0a0200c8"},
		{"another class", "CPE-OC", native, "", ""},
		{"no VLAN", "CPE-OCPHONE", config(), "", ""},
		{"invalid", "CPE-OCPHONE", native, "vlan=invalid", "0a020fff"},
		{"invalid without a VLAN", "CPE-OCPHONE", config(), "vlan=invalid", "0a020fff"},
		{"invalid, voice VLAN", "CPE-OCPHONE", voice, "vlan=invalid", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.cfg.Faults = set(test.fault)
			serve(t, test.cfg, func(w *wire) {
				if got := hex.EncodeToString(w.ask(discover(test.class)).Options[43]); got != test.want {
					t.Errorf("option 43 is %q, want %q", got, test.want)
				}
			})
		})
	}
}

func set(name string) *faults.Set {
	if name == "" {
		return nil
	}
	return faults.NewSet(faults.Fault{Name: name})
}

func TestAddressFaults(t *testing.T) {
	t.Run("vlan=silent", func(t *testing.T) {
		cfg := config()
		cfg.Faults = set("vlan=silent")
		serve(t, cfg, func(w *wire) {
			for range 2 {
				if r := w.ask(discover("CPE-OCPHONE")); r != nil || !w.dropped("vlan=silent") {
					t.Errorf("answer %v", r)
				}
			}
			if w.ask(discover("CPE-OCPHONE")) == nil {
				t.Error("the third DISCOVER, no longer of the VLAN request, was not answered")
			}
			w.ask(selecting("10.77.0.100"))
			if w.ask(discover("CPE-OCPHONE")) != nil {
				t.Error("the VLAN request of the next boot was answered")
			}
		})
	})
	t.Run("vlan=silent in the voice VLAN", func(t *testing.T) {
		cfg := config()
		cfg.Faults, cfg.Voice = set("vlan=silent"), true
		serve(t, cfg, func(w *wire) {
			if w.ask(discover("CPE-OCPHONE")) == nil {
				t.Error("not answered")
			}
		})
	})
	t.Run("address=silent", func(t *testing.T) {
		cfg := config()
		cfg.Faults = set("address=silent")
		serve(t, cfg, func(w *wire) {
			if r := w.ask(discover("")); r != nil || !w.dropped("address=silent") {
				t.Errorf("answer %v", r)
			}
		})
		cfg.VLAN = 200
		serve(t, cfg, func(w *wire) {
			if w.ask(discover("CPE-OCPHONE")) == nil {
				t.Error("the server that tells the VLAN was silent")
			}
		})
	})
	t.Run("address=nak", func(t *testing.T) {
		cfg := config()
		cfg.Faults = faults.NewSet(faults.Fault{Name: "address=nak", Param: faults.Param{Times: 1}})
		serve(t, cfg, func(w *wire) {
			w.ask(discover("CPE-OCPHONE"))
			if r := w.ask(selecting("10.77.0.100")); r.MessageType() != dhcpv4.MessageTypeNak {
				t.Errorf("answer %v", r)
			}
			w.ask(discover("CPE-OCPHONE"))
			if r := w.ask(selecting("10.77.0.100")); r.MessageType() != dhcpv4.MessageTypeAck {
				t.Errorf("answer %v", r)
			}
		})
	})
}

func TestConfigRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"server":     func(c *Config) { c.Server = netip.Addr{} },
		"no leases":  func(c *Config) { c.Leases = 0 },
		"many":       func(c *Config) { c.Leases = 157 },
		"outside":    func(c *Config) { c.First = ip4("10.78.0.1") },
		"lease time": func(c *Config) { c.LeaseTime = 0 },
		"VLAN":       func(c *Config) { c.VLAN = 4095 },
		"option 43":  func(c *Config) { c.UC = &dhcpoption.UC{} },
		"option 120": func(c *Config) { c.SIPServers = []string{"a b"} },
	} {
		cfg := config()
		cfg.Station = newWire(t)
		change(&cfg)
		if _, err := Start(cfg); err == nil || !strings.HasPrefix(err.Error(), "dhcp server: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func ip4(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestManyHandsets(t *testing.T) {
	cfg := config()
	cfg.Subnet, cfg.First, cfg.Leases = netip.MustParsePrefix("10.0.0.0/16"), ip4("10.0.1.0"), 2000
	serve(t, cfg, func(w *wire) {
		seen := map[string]bool{}
		for i := range 2000 {
			m := from([]byte{0, 4, 0xf2, 0, byte(i >> 8), byte(i)}, discover("CPE-OCPHONE"))
			seen[string(w.ask(m).YourIPAddr)] = true
		}
		if len(seen) != 2000 {
			t.Errorf("%d different addresses for 2000 handsets", len(seen))
		}
	})
}

func TestEveryAnswerKeepsTheTransaction(t *testing.T) {
	serve(t, config(), func(w *wire) {
		r := w.ask(discover("CPE-OCPHONE"))
		if r.TransactionID != (dhcpv4.TransactionID{1, 2, 3, 4}) || !bytes.Equal(r.ClientHWAddr, handsetMAC) || r.OpCode != dhcpv4.OpcodeBootReply {
			t.Errorf("answer %v", r)
		}
	})
}
