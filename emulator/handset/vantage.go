package handset

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// Vantage is a handset's place in the network, for a look around after its boot: its station, its resolver, its roots
// and its clock. It sends nothing of the user's. It must not be used while Run runs.
type Vantage struct{ h *Handset }

// Vantage returns the handset's place in the network.
func (h *Handset) Vantage() Vantage { return Vantage{h} }

// Profile is the firmware that runs.
func (v Vantage) Profile() *configs.Profile { return v.h.profile }

// HasAddress reports whether there is an address to look from.
func (v Vantage) HasAddress() bool { return v.h.ram.lease != nil && v.h.ram.lease.address.IsValid() }

// Domain is the SIP domain as far as it is known, else the one of the lease.
func (v Vantage) Domain() string { return v.h.sipDomain() }

// Registrar is the first one that was to be tried, "" if there was none.
func (v Vantage) Registrar() (host string, port uint16) {
	if list := v.h.ram.candidates; len(list) > 0 {
		return list[0].Host, list[0].Port
	}
	return v.h.flash.Registrar, v.h.flash.RegistrarPort
}

// Resolve returns the addresses of a name.
func (v Vantage) Resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	return v.h.lookupHost(ctx, name)
}

// Service is one SRV record.
type Service struct {
	Target string
	Port   uint16
}

// Services resolves an SRV name, in the order of use.
func (v Vantage) Services(ctx context.Context, name string) ([]Service, error) {
	list, err := v.h.lookupService(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []Service
	for _, s := range list {
		out = append(out, Service{s.target, s.port})
	}
	return out, nil
}

// Dial opens a TCP connection.
func (v Vantage) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return v.h.station.DialTCP(ctx, to)
}

// TLS is the handset's own TLS towards host, without a check of the certificate.
func (v Vantage) TLS(host string) (*tls.Config, error) { return v.h.tlsConfig(host, nil, nil) }

// Clock is what the handset's clock shows, and whether a time server ever set it.
func (v Vantage) Clock() (now time.Time, set bool) { return v.h.now(), v.h.clockSynced }

// Roots counts the root certificates that the handset holds.
func (v Vantage) Roots() int {
	n := 0
	for _, c := range v.h.anchors() {
		if selfSigned(c) {
			n++
		}
	}
	return n
}

// Judge says all that is wrong with the certificates of a server, in the handset's eyes: the name, a wildcard among
// them, the dates, and the chain if a root is held.
func (v Vantage) Judge(host string, chain []*x509.Certificate) []error {
	if len(chain) == 0 {
		return []error{&CertificateError{"tls-failed", "the server sent no certificate"}}
	}
	var out []error
	leaf, t := chain[0], v.h.trustNow(true)
	if err := t.matchName(host, leaf); err != nil {
		out = append(out, err)
	}
	if err := t.checkOne(leaf); err != nil {
		out = append(out, err)
	}
	if v.Roots() == 0 || len(chain) > maxChainLength {
		return out
	}
	t.now = leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2)
	if err := t.walk(leaf, append(chain[1:len(chain):len(chain)], t.anchors...)); err != nil {
		out = append(out, err)
	}
	return out
}

// STSURI asks a registrar for the certificate provisioning URL, "" if it tells none.
func (v Vantage) STSURI(ctx context.Context, host string, port uint16, addresses []netip.Addr) string {
	return v.h.askSTSURI(ctx, candidate{Source: "target", Host: host, Port: port, Transport: "tls", addresses: addresses})
}

// Informed is the answer of one DHCP server to INFORM.
type Informed struct {
	Server    netip.Addr
	Registrar string  // option 120, "" if there is none
	URL       string  // option 43, "" if there is none
	Problems  []error // of the two options
}

// moreAnswers is how long answers of further DHCP servers are waited for.
const moreAnswers = 500 * time.Millisecond

// Inform sends one INFORM, waits for an answer and a little for more. The error is that nothing could be sent.
func (v Vantage) Inform(ctx context.Context, wait time.Duration) ([]Informed, error) {
	h := v.h
	x, err := h.openDHCP()
	if err != nil {
		return nil, err
	}
	defer x.udp.Close()
	m := x.asking(dhcpv4.MessageTypeInform, h.profile.InformClass, h.profile.InformPRL)
	m.ClientIPAddr = h.ram.lease.address.Addr().AsSlice()
	if err := x.send(m, netip.Addr{}, nil); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var out []Informed
	for len(out) < maxLate {
		ack, from, err := x.receive(ctx)
		if err != nil {
			break
		}
		if ack.MessageType() != dhcpv4.MessageTypeAck {
			continue
		}
		h.received("dhcp", from.String(), "ACK", x.decode)
		if len(out) == 0 {
			time.AfterFunc(moreAnswers, cancel)
		}
		out = append(out, informed(ack, senderOf(ack, from)))
	}
	return out, nil
}

func informed(ack *dhcpv4.DHCPv4, server netip.Addr) Informed {
	answer := Informed{Server: server}
	if value, ok := ack.Options[dhcpoption.OptionSIPServers]; ok {
		names, err := dhcpoption.ParseSIPServers(value)
		if err != nil {
			answer.Problems = append(answer.Problems, err)
		} else {
			answer.Registrar = names[0]
		}
	}
	if value, ok := ack.Options[dhcpoption.OptionVendor]; ok {
		uc, err := dhcpoption.ParseUC(value)
		if err == nil {
			answer.URL, err = uc.URL()
		}
		if err != nil {
			answer.Problems = append(answer.Problems, err)
		}
	}
	return answer
}
