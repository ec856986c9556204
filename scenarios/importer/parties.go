package importer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// A Party is somebody in the capture who may be a handset, and what tells it.
type Party struct {
	MAC       net.HardwareAddr // nil: not seen, as behind a router
	Addresses []netip.Addr     // in the order in which they were seen
	Classes   []string         // DHCP vendor classes that it sent
	Inventory string           // maker, model and firmware by LLDP-MED
	Agents    []string         // User-Agents, where they could be read
	first     int              // frame
	sip       bool             // it speaks to a registrar
	onLink    bool             // its frames were captured on its own link: its MAC address is their source
	cooked    bool             // where frames have no destination
}

// String is the party in a line.
func (p Party) String() string {
	var out []string
	add := func(what string, values ...string) {
		if text := strings.Join(values, ", "); text != "" {
			out = append(out, what+" "+text)
		}
	}
	if p.MAC != nil {
		add("MAC", p.MAC.String())
	}
	var addresses []string
	for _, a := range p.Addresses {
		addresses = append(addresses, a.String())
	}
	add("IP", addresses...)
	add("DHCP vendor class", p.Classes...)
	add("LLDP", p.Inventory)
	add("User-Agent", p.Agents...)
	if p.sip && len(p.Agents) == 0 {
		out = append(out, "speaks to a registrar")
	}
	return strings.Join(append(out, fmt.Sprintf("first in frame %d", p.first)), "; ")
}

// ErrSeveral is wrapped by the error about a capture with several handsets, ErrNobody by that about one without.
var (
	ErrSeveral = errors.New("several handsets are in the capture")
	ErrNobody  = errors.New("no handset is in the capture")
)

// Bounds of what is kept of a capture whose traffic is somebody else's.
const (
	maxParties = 4096
	maxListed  = 16
)

// phoneClasses are vendor classes that Lync Phone Edition handsets and nothing else send (discovery.md §1.2 to §1.4). Their
// case differs from document to document.
var phoneClasses = []string{"CPE-OCPHONE", dhcpoption.ClassUC}

const (
	portDHCPServer = 67
	portDHCPClient = 68
	portDNS        = 53
	portNTP        = 123
	portHTTP       = 80
	portHTTPS      = 443
	portSIP        = 5060
	portSIPTLS     = 5061
)

// census collects the parties of a capture.
type census struct {
	byMAC  map[string]*Party
	byIP   map[netip.Addr]*Party
	opened map[netip.Addr]*Party // who has opened a connection, and shows no more
	left   []string              // what of the capture is not read
}

// maxCensus bounds the bytes of what tells who is there: it grows with DHCP and LLDP alone.
const maxCensus = 512 << 20

// takeCensus looks through the whole capture for who is there.
func (r *reader) takeCensus(ctx context.Context, file string) (*census, error) {
	n, err := r.sift(ctx, file, "parties", maxCensus, partySieve())
	if err != nil {
		return nil, err
	}
	c := &census{byMAC: map[string]*Party{}, byIP: map[netip.Addr]*Party{}, opened: map[netip.Addr]*Party{}, left: n.leftOut()}
	complaint, err := r.read(ctx, n.file, withoutTLS, dataFields, []string{"-o", "ip.defragment:TRUE"}, func(line []string) error {
		f, err := parseFrame(line)
		if err != nil {
			return err
		}
		if f.Number < 1 || f.Number > len(n.numbers) {
			return fmt.Errorf("tshark counts a frame %d of %d", f.Number, len(n.numbers))
		}
		f.Number = n.numbers[f.Number-1]
		c.see(f)
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(c.parties()) > 0:
	case n.damage != nil:
		return nil, fmt.Errorf("%w: %w Nobody is in it up to there", ErrNoCapture, n.damage)
	case complaint != "" && len(c.left) == 0:
		return nil, fmt.Errorf("%w: %s", ErrNoCapture, complaint)
	}
	return c, nil
}

func (c *census) see(f frame) {
	switch {
	case f.Ether == etherLLDP:
		c.seeLLDP(f)
	case f.UDP != nil:
		c.seeDHCP(f)
	case f.TCP != nil && (f.Target.Port() == portSIPTLS || f.Target.Port() == portSIP) && !f.TCP.ACK, f.TCP != nil && f.Target.Port() == portSIPTLS && len(f.TCP.Payload) > 0:
		p := c.ofIP(f)
		p.sip = true
	case f.TCP != nil && !f.TCP.ACK && c.opened[f.Source.Addr()] == nil && len(c.opened) < maxParties:
		c.opened[f.Source.Addr()] = unknown(f)
	}
}

func (c *census) ofMAC(mac net.HardwareAddr, number int) *Party {
	p := c.byMAC[mac.String()]
	if p == nil {
		p = &Party{MAC: mac, first: number}
		if len(c.byMAC) < maxParties {
			c.byMAC[mac.String()] = p
		}
	}
	return p
}

// startTTLs are the times to live that systems send IP packets with. Each router on the way takes one off.
var startTTLs = []int{32, 64, 128, 255}

// own is the MAC address of who sent a packet, nil where it is a router's.
func (f *frame) own() net.HardwareAddr {
	if !slices.Contains(startTTLs, f.TTL) {
		return nil
	}
	return f.From
}

func (c *census) ofIP(f frame) *Party {
	addr := f.Source.Addr()
	if p := c.byIP[addr]; p != nil {
		return p
	}
	mac := f.own()
	if p := c.byMAC[mac.String()]; mac != nil && p != nil {
		p.has(addr)
		c.byIP[addr] = p
		return p
	}
	p := unknown(f)
	if len(c.byIP) < maxParties {
		c.byIP[addr] = p
	}
	return p
}

// unknown is the party of whom one packet is all that was seen.
func unknown(f frame) *Party {
	mac := f.own()
	return &Party{MAC: mac, Addresses: []netip.Addr{f.Source.Addr()}, first: f.Number, onLink: mac != nil, cooked: f.Cooked}
}

func (p *Party) has(addr netip.Addr) {
	if addr.IsValid() && !addr.IsUnspecified() && !slices.Contains(p.Addresses, addr) && len(p.Addresses) < maxListed {
		p.Addresses = append(p.Addresses, addr)
	}
}

func (c *census) seeLLDP(f frame) {
	pdu, err := lldp.Parse(f.Payload)
	if err != nil || f.From == nil {
		return
	}
	if med, ok := pdu.MED(); !ok || med.Class != lldp.ClassEndpointIII {
		return
	}
	p := c.ofMAC(f.From, f.Number)
	p.onLink, p.cooked = true, f.Cooked
	i := pdu.Inventory()
	if text := strings.Join(strings.Fields(i.Manufacturer+" "+i.Model+" "+i.Firmware), " "); text != "" {
		p.Inventory = text
	} else if p.Inventory == "" {
		p.Inventory = "endpoint class III"
	}
}

func (c *census) seeDHCP(f frame) {
	m, err := dhcpoption.Parse(f.UDP)
	if err != nil || len(m.ClientHWAddr) != 6 {
		return
	}
	switch m.OpCode {
	case dhcpv4.OpcodeBootRequest:
		p := c.ofMAC(m.ClientHWAddr, f.Number)
		if f.From.String() == m.ClientHWAddr.String() {
			p.onLink, p.cooked = true, f.Cooked
		}
		if class := m.ClassIdentifier(); class != "" && !slices.Contains(p.Classes, class) && len(p.Classes) < maxListed {
			p.Classes = append(p.Classes, class)
		}
		c.leased(p, m.ClientIPAddr)
	case dhcpv4.OpcodeBootReply:
		if m.MessageType() == dhcpv4.MessageTypeAck {
			c.leased(c.ofMAC(m.ClientHWAddr, f.Number), m.YourIPAddr)
		}
	}
}

// leased gives the address to p, and what was seen of it before.
func (c *census) leased(p *Party, ip net.IP) {
	addr, ok := netip.AddrFromSlice(ip.To4())
	if !ok || addr.IsUnspecified() {
		return
	}
	p.has(addr)
	if before := c.byIP[addr]; before != nil && before != p {
		p.sip = p.sip || before.sip
	}
	if len(c.byIP) < maxParties {
		c.byIP[addr] = p
	}
}

// certain reports whether the party shows what handsets alone show.
func (p *Party) certain() bool {
	return p.Inventory != "" || slices.ContainsFunc(p.Classes, func(class string) bool {
		return slices.ContainsFunc(phoneClasses, func(known string) bool { return strings.EqualFold(known, class) })
	})
}

// parties are all that were kept, by their first frame.
func (c *census) parties() []*Party {
	seen := map[*Party]bool{}
	for _, p := range c.byMAC {
		seen[p] = true
	}
	for _, p := range c.byIP {
		seen[p] = true
	}
	return sorted(maps.Keys(seen))
}

// sorted are parties by their first frame.
func sorted(parties iter.Seq[*Party]) []*Party {
	return slices.SortedFunc(parties, func(a, b *Party) int {
		return cmp.Or(cmp.Compare(a.first, b.first), cmp.Compare(a.String(), b.String()))
	})
}

// candidates are the handsets: those that show it, else those that speak to a registrar.
func (c *census) candidates() []*Party {
	all := c.parties()
	for _, is := range []func(*Party) bool{(*Party).certain, func(p *Party) bool { return p.sip }} {
		var out []*Party
		for _, p := range all {
			if is(p) {
				out = append(out, p)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// named finds the party with a MAC or an IP address. Whoever was not seen by either is nobody.
func (c *census) named(text string) (*Party, error) {
	if mac, err := net.ParseMAC(text); err == nil {
		for _, p := range c.parties() {
			if p.MAC.String() == mac.String() {
				return p, nil
			}
		}
		var found *Party
		for _, p := range sorted(maps.Values(c.opened)) {
			switch {
			case p.MAC.String() != mac.String():
			case found == nil:
				found = p
			default:
				found.has(p.Addresses[0])
			}
		}
		if found == nil {
			return nil, c.nobody("none with MAC address " + text)
		}
		return found, nil
	}
	addr, err := netip.ParseAddr(text)
	if err != nil {
		return nil, fmt.Errorf("handset %q: expected a MAC or an IP address", text)
	}
	for _, p := range c.parties() {
		if slices.Contains(p.Addresses, addr) {
			return p, nil
		}
	}
	if p := c.opened[addr]; p != nil {
		return p, nil
	}
	return nil, c.nobody("none with IP address " + text)
}

func (c *census) nobody(why string) error {
	there := ", and nobody who asks for an address or speaks to a registrar"
	if all := c.parties(); len(all) > 0 {
		there = "; there are\n" + list(all)
	}
	if len(c.left) > 0 {
		there += "\n" + strings.Join(c.left, " ") + " Capture on the phone's own wire, or at the pool."
	}
	return fmt.Errorf("%w: %s%s", ErrNobody, why, there)
}

func list(parties []*Party) string {
	var out []string
	for i, p := range parties {
		if i == maxListed {
			out = append(out, fmt.Sprintf("  and %d more", len(parties)-i))
			break
		}
		out = append(out, "  "+p.String())
	}
	return strings.Join(out, "\n")
}
