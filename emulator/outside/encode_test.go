//go:build peers

package outside

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/dhcpconfig"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// TestEncodeLoads loads what `lpe dhcp encode` writes into each server that it claims to be tested with, and asks it as a
// handset asks.
func TestEncodeLoads(t *testing.T) {
	const pool, web, vlan = "lyncpool.contoso.com", "lyncweb.contoso.com", 200
	for _, format := range dhcpconfig.Formats() {
		if !format.Tested {
			continue
		}
		t.Run(format.Name, func(t *testing.T) {
			client, _ := serve(t, format, pool, web, vlan, func(text string) string { return text })

			client.bind(client.lease("CPE-OCPHONE", vlan))
			client.lease("CPE-OCPhone", vlan)
			client.lease("MSFT 5.0", 0)

			ack := client.inform("MS-UC-Client")
			got := dhcpoption.Judge(dhcpoption.Input{Packet: ack}, false)
			want := dhcpoption.Verdict{Pool: pool, CertURL: "https://" + web + ":443/CertProv/CertProvisioningService.svc", NTP: []string{}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			wantOrder(t, format.Name, options(t, ack)[dhcpoption.OptionVendor])

			if got := dhcpoption.Judge(dhcpoption.Input{Packet: client.inform("MS-UC-Client\x00")}, false); got.Pool != pool || got.Error != "" {
				t.Errorf("with a NUL behind the class: %+v", got)
			}
			for _, class := range []string{"ms-uc-client", "MSFT 5.0"} {
				o := options(t, client.inform(class))
				if o.Has(dhcpv4.GenericOptionCode(dhcpoption.OptionSIPServers)) || o.Has(dhcpv4.OptionVendorSpecificInformation) {
					t.Errorf("class %q is given options 43 and 120 too: %v", class, o)
				}
			}
		})
	}
}

// wantOrder holds the known ways of the servers: dnsmasq writes the sub-options backwards and an end mark behind them
// (discovery.md §2.1). Were it otherwise, the test above would not have shown that a handset can live with that.
func wantOrder(t *testing.T, server string, value []byte) {
	t.Helper()
	subs, ended, err := dhcpoption.ParseSubOptions(value)
	if err != nil {
		t.Fatal(err)
	}
	var codes []uint8
	for _, sub := range subs {
		codes = append(codes, sub.Code)
	}
	want := []uint8{1, 2, 3, 4, 5}
	if server == "dnsmasq" {
		slices.Reverse(want)
	}
	if !slices.Equal(codes, want) || ended != (server == "dnsmasq") {
		t.Errorf("sub-options %v, end mark %v", codes, ended)
	}
}

// TestTwoPools adds a second pool by hand. dnsmasq then compresses option 120, the others do not.
func TestTwoPools(t *testing.T) {
	for _, test := range []struct{ server, one, two string }{
		{"isc", `UCSipServer 0 "lyncpool.contoso.com"`, `UCSipServer 0 "lyncpool.contoso.com", "lyncpool2.contoso.com"`},
		{"dnsmasq", "option:sip-server,lyncpool.contoso.com", "option:sip-server,lyncpool.contoso.com,lyncpool2.contoso.com"},
	} {
		t.Run(test.server, func(t *testing.T) {
			client, _ := serveEdited(t, test.server, test.one, test.two)
			client.bind(client.lease("CPE-OCPHONE", 200))
			value := options(t, client.inform("MS-UC-Client"))[dhcpoption.OptionSIPServers]
			names, err := dhcpoption.ParseSIPServers(value)
			if want := []string{"lyncpool.contoso.com", "lyncpool2.contoso.com"}; err != nil || !slices.Equal(names, want) {
				t.Errorf("%x is read as %v, %v, want %v", value, names, err, want)
			}
			if compressed := bytes.IndexByte(value, 0xc0) >= 0; compressed != (test.server == "dnsmasq") {
				t.Errorf("%x is compressed: %v", value, compressed)
			}
		})
	}
}

// TestEncodeComments: what the comments warn of happens.
func TestEncodeComments(t *testing.T) {
	t.Run("ISC dhcpd that is not authoritative", func(t *testing.T) {
		client, server := serveEdited(t, "isc", "authoritative;", "")
		client.bind(client.lease("CPE-OCPHONE", 200))
		client.send(client.informOf("MS-UC-Client"), client.profile.InformOrder)
		server.says("not authoritative for subnet")
	})
	t.Run("ISC dhcpd with = alone", func(t *testing.T) {
		client, _ := serveEdited(t, "isc", "substring(option vendor-class-identifier, 0, 12) =", "option vendor-class-identifier =")
		client.bind(client.lease("CPE-OCPHONE", 200))
		if o := options(t, client.inform("MS-UC-Client\x00")); o.Has(dhcpv4.OptionVendorSpecificInformation) {
			t.Errorf("a NUL behind the class changes nothing: %v", o)
		}
	})
	t.Run("dnsmasq with a port without quotes", func(t *testing.T) {
		client, _ := serveEdited(t, "dnsmasq", `"443"`, "443")
		client.bind(client.lease("CPE-OCPHONE", 200))
		if got := dhcpoption.Judge(dhcpoption.Input{Packet: client.inform("MS-UC-Client")}, false); !strings.Contains(got.Error, dhcpoption.KindPortBinary) {
			t.Errorf("%+v", got)
		}
	})
	t.Run("dnsmasq with a VLAN without s", func(t *testing.T) {
		client, _ := serveEdited(t, "dnsmasq", "200s", "200")
		offer := client.ask(message(t, dhcpv4.MessageTypeDiscover, "CPE-OCPHONE", client.profile.LeasePRL), client.profile.LeaseOrder)
		if got := options(t, offer)[dhcpoption.OptionVendor]; !bytes.HasPrefix(got, []byte{dhcpoption.SubVLAN, 1, 200}) {
			t.Errorf("option 43 is %x", got)
		}
	})
}

// TestLongNames: options 120 and 43 fit together, or a comment says that they do not and the server leaves one out.
func TestLongNames(t *testing.T) {
	name := func(n int) string { return strings.Repeat("abcdefghi.", 30)[:n-5] + "a.com" }
	for _, test := range []struct {
		server string
		length int
		fits   bool
	}{
		{"isc", 103, true},
		{"kea", 103, true},
		{"dnsmasq", 103, true},
		{"isc", 113, false},
		{"dnsmasq", 113, false},
	} {
		t.Run(fmt.Sprint(test.server, test.length), func(t *testing.T) {
			format, err := dhcpconfig.Find(test.server)
			if err != nil {
				t.Fatal(err)
			}
			warned := false
			client, _ := serve(t, format, name(test.length), name(test.length), 200, func(text string) string {
				warned = strings.Contains(text, "leaves out what does not fit")
				return text
			})
			client.bind(client.lease("CPE-OCPHONE", 200))
			got := dhcpoption.Judge(dhcpoption.Input{Packet: client.inform("MS-UC-Client")}, false)
			if fits := got.Error == "" && got.Pool == name(test.length); fits != test.fits || warned == test.fits {
				t.Errorf("%+v, warned %v", got, warned)
			}
		})
	}
}

// serveEdited starts a server with what encode writes for lyncpool.contoso.com and VLAN 200, after one change.
func serveEdited(t *testing.T, server, was, is string) (*dhcpClient, *daemon) {
	t.Helper()
	format, err := dhcpconfig.Find(server)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, format, "lyncpool.contoso.com", "lyncpool.contoso.com", 200, func(text string) string {
		if !strings.Contains(text, was) {
			t.Fatalf("no %s in\n%s", was, text)
		}
		return strings.ReplaceAll(text, was, is)
	})
}

// dhcpClient asks as a handset does, from an interface that has no address at first.
type dhcpClient struct {
	t       *testing.T
	in      *namespace
	conn    net.PacketConn
	mac     net.HardwareAddr
	address net.IP
	profile *configs.Profile
	sent    uint32 // messages
}

// serve starts a server with what encode writes, edited, and returns a client on its wire.
func serve(t *testing.T, format dhcpconfig.Format, pool, web string, vlan int, edit func(string) string) (*dhcpClient, *daemon) {
	t.Helper()
	values, err := dhcpconfig.New(pool, web, &vlan)
	if err != nil {
		t.Fatal(err)
	}
	start, ok := dhcpServers[format.Name]
	if !ok {
		t.Fatalf("no test starts %s", format.Server)
	}
	near, far := newWire(t)
	d := start(far, edit(format.Text(values)))
	return newDHCPClient(t, near), d
}

func newDHCPClient(t *testing.T, n *namespace) *dhcpClient {
	t.Helper()
	c := &dhcpClient{t: t, in: n}
	var err error
	if c.profile, err = configs.LoadProfile(rig.DefaultProfile); err != nil {
		t.Fatal(err)
	}
	n.do(func() {
		link, err := net.InterfaceByName("eth0")
		if err != nil {
			t.Fatal(err)
		}
		c.mac = link.HardwareAddr
		listen := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (failed error) {
			if err := raw.Control(func(fd uintptr) { failed = unix.BindToDevice(int(fd), "eth0") }); err != nil {
				return err
			}
			return failed
		}}
		if c.conn, err = listen.ListenPacket(context.Background(), "udp4", "0.0.0.0:68"); err != nil {
			t.Fatal(err)
		}
	})
	t.Cleanup(func() { c.conn.Close() })
	return c
}

// ask sends m and returns the payload that answers it.
func (c *dhcpClient) ask(m *dhcpv4.DHCPv4, order []uint8) []byte {
	c.t.Helper()
	c.send(m, order)
	if err := c.conn.SetReadDeadline(time.Now().Add(readyWithin)); err != nil {
		c.t.Fatal(err)
	}
	b := make([]byte, 1500)
	for {
		n, _, err := c.conn.ReadFrom(b)
		if err != nil {
			c.t.Fatalf("no answer to %v: %v", m.MessageType(), err)
		}
		if answer, err := dhcpoption.Parse(b[:n]); err != nil {
			c.t.Fatalf("%v is answered by %x: %v", m.MessageType(), b[:n], err)
		} else if answer.OpCode == dhcpv4.OpcodeBootReply && answer.TransactionID == m.TransactionID {
			return bytes.Clone(b[:n])
		}
	}
}

// send fills in what every message has. The kernel gives packets to another address than its own to nobody, so the
// answer has to be broadcast while there is none.
func (c *dhcpClient) send(m *dhcpv4.DHCPv4, order []uint8) {
	c.t.Helper()
	c.sent++
	binary.BigEndian.PutUint32(m.TransactionID[:], c.sent)
	m.ClientHWAddr = c.mac
	if c.address == nil {
		m.SetBroadcast()
	}
	m.UpdateOption(dhcpv4.OptClientIdentifier(append([]byte{1}, c.mac...)))
	m.UpdateOption(dhcpv4.OptHostName("lpe-peers"))
	payload, err := dhcpoption.Encode(m, order)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.conn.WriteTo(payload, &net.UDPAddr{IP: net.IPv4bcast, Port: dhcpv4.ServerPort}); err != nil {
		c.t.Fatal(err)
	}
}

func message(t *testing.T, kind dhcpv4.MessageType, class string, prl []uint8) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpv4.New()
	if err != nil {
		t.Fatal(err)
	}
	m.Options = dhcpv4.Options{}
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	m.UpdateOption(dhcpv4.OptClassIdentifier(class))
	m.UpdateOption(dhcpv4.OptGeneric(dhcpv4.OptionParameterRequestList, prl))
	return m
}

// lease gets an address and wants that VLAN with it, in the offer and in the ACK; 0 means none.
func (c *dhcpClient) lease(class string, vlan uint16) net.IP {
	c.t.Helper()
	offer := c.ask(message(c.t, dhcpv4.MessageTypeDiscover, class, c.profile.LeasePRL), c.profile.LeaseOrder)
	offered := parsed(c.t, offer)
	request := message(c.t, dhcpv4.MessageTypeRequest, class, c.profile.LeasePRL)
	request.UpdateOption(dhcpv4.OptRequestedIPAddress(offered.YourIPAddr))
	request.UpdateOption(dhcpv4.OptServerIdentifier(offered.ServerIdentifier()))
	ack := c.ask(request, c.profile.RequestOrder)
	if kind := parsed(c.t, ack).MessageType(); kind != dhcpv4.MessageTypeAck {
		c.t.Fatalf("REQUEST of class %s is answered by %v", class, kind)
	}
	for _, answer := range [][]byte{offer, ack} {
		value := options(c.t, answer)[dhcpoption.OptionVendor]
		if got, err := dhcpoption.ParseVLAN(value); got != vlan || err != nil {
			c.t.Errorf("class %s: option 43 is %x, VLAN %d, %v, want %d", class, value, got, err, vlan)
		}
	}
	return offered.YourIPAddr
}

func (c *dhcpClient) bind(address net.IP) {
	c.t.Helper()
	c.in.ip("address", "add", address.String()+"/24", "dev", "eth0")
	c.address = address
}

// inform sends the INFORM of a handset with that class and returns the ACK.
func (c *dhcpClient) inform(class string) []byte {
	c.t.Helper()
	ack := c.ask(c.informOf(class), c.profile.InformOrder)
	if kind := parsed(c.t, ack).MessageType(); kind != dhcpv4.MessageTypeAck {
		c.t.Fatalf("INFORM of class %q is answered by %v", class, kind)
	}
	return ack
}

func (c *dhcpClient) informOf(class string) *dhcpv4.DHCPv4 {
	c.t.Helper()
	m := message(c.t, dhcpv4.MessageTypeInform, class, c.profile.InformPRL)
	m.ClientIPAddr = c.address
	return m
}

func parsed(t *testing.T, payload []byte) *dhcpv4.DHCPv4 {
	t.Helper()
	m, err := dhcpoption.Parse(payload)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func options(t *testing.T, payload []byte) dhcpv4.Options {
	t.Helper()
	return parsed(t, payload).Options
}
