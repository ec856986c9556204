package dhcpserver

import (
	"fmt"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/labpool/faults"
	"github.com/phone-edition/lpe/emulator/labpool/strictness"
	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// ResponderConfig says what a registrar answers to DHCPINFORM.
type ResponderConfig struct {
	Station  ethernet.Station
	Timeline *timeline.Timeline
	Faults   *faults.Set
	Clock    func() time.Time // time.Now if nil

	Server netip.Addr // source of answers and option 54
	Domain string     // DNS domain, for fault discovery=option43-wrong-host
	Discovery
}

// Responder is the DHCP side of a registrar with EnableDHCPServer: it answers DHCPINFORM of class MS-UC-Client that
// asks for 43 or 120, and nothing else ([T4b], [T13]; the exact reply is inferred, discovery.md §3.1).
type Responder struct {
	cfg   ResponderConfig
	given atomic.Pointer[Discovery]
	link  *link
}

// StartResponder serves until Close.
func StartResponder(cfg ResponderConfig) (*Responder, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if !cfg.Server.Is4() {
		return nil, fmt.Errorf("dhcp responder: server address %s, IPv4 expected", text(cfg.Server))
	}
	if err := cfg.Discovery.check(); err != nil {
		return nil, fmt.Errorf("dhcp responder: %w", err)
	}
	link, err := open(cfg.Station, cfg.Timeline, cfg.Clock)
	if err != nil {
		return nil, fmt.Errorf("dhcp responder: %w", err)
	}
	r := &Responder{cfg: cfg, link: link}
	r.given.Store(&cfg.Discovery)
	go link.run(r.handle, nil)
	return r, nil
}

// SetDiscovery changes what is answered from now on.
func (p *Responder) SetDiscovery(d Discovery) error {
	if err := d.check(); err != nil {
		return fmt.Errorf("dhcp responder: %w", err)
	}
	p.given.Store(&d)
	return nil
}

// Port is the UDP port that the responder listens on.
func (p *Responder) Port() uint16 { return p.link.port }

// Close ends the responder.
func (p *Responder) Close() error { return p.link.close() }

func (p *Responder) handle(r *request) {
	if check, reason := unanswered(r); reason != "" {
		p.link.refuse(r, check, "%s", reason)
		return
	}
	for _, name := range []string{"discovery=silent", "discovery=responder-off"} {
		if _, on := p.cfg.Faults.On(name); on {
			p.link.drop(r, "fault %s", name)
			return
		}
	}
	options, err := p.given.Load().options(p.cfg.Faults, p.cfg.Server, p.cfg.Domain, p.link.faultNote(r))
	if err != nil {
		p.link.note(timeline.Note, r.peer(), fmt.Sprintf("%s not answered: %v", r.kind, err))
		return
	}
	m := r.answer(dhcpv4.MessageTypeAck, p.cfg.Server)
	m.ClientIPAddr = r.ClientIPAddr
	order := r.grant(m, options)
	p.link.send(r, m, order, netip.AddrPortFrom(p.cfg.Server, serverPort), netip.AddrPortFrom(r.client, p.link.clientPort(r)), r.from.SrcMAC)
}

// unanswered says why the responder ignores r; the reason is "" if it answers.
func unanswered(r *request) (check strictness.Check, reason string) {
	class, hasClass := r.Options[dhcpoption.OptionClass]
	list, hasList := r.Options[55]
	switch {
	case r.kind != dhcpv4.MessageTypeInform:
		return checkInform, "the registrar answers INFORM alone"
	case !hasClass:
		return checkClassMissing, "no vendor class"
	case r.class != dhcpoption.ClassUC:
		return checkClass, fmt.Sprintf("vendor class %q, %q expected", class, dhcpoption.ClassUC)
	case !hasList:
		return checkListMissing, "no option 55"
	case !r.wants(dhcpoption.OptionVendor) && !r.wants(dhcpoption.OptionSIPServers):
		return checkList, fmt.Sprintf("option 55 is %s, 43 or 120 expected", codes(list))
	case !r.client.IsValid():
		return checkClient, "ciaddr is 0.0.0.0"
	}
	return strictness.Check{}, ""
}
