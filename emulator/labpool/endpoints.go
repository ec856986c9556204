package labpool

import (
	"net"
	"net/netip"
	"slices"
)

// The services that listen, as [Endpoint] names them.
const (
	ServiceHTTP   = "http"
	ServiceHTTPS  = "https"
	ServiceSIPTLS = "sip-tls"
	ServiceSIPTCP = "sip-tcp"
	ServiceDHCP   = "dhcp"
	ServiceDNS    = "dns"
	ServiceNTP    = "ntp"
)

// Endpoint is one port that the lab listens on.
type Endpoint struct {
	Service string
	Host    string         // FQDN of the machine, the station's name if it is none of the pool
	Address netip.AddrPort // as others reach it
}

// Endpoints lists what the lab listens on, for each service the one that handsets are told first.
func (p *Pool) Endpoints() []Endpoint {
	order := []string{ServiceHTTP, ServiceHTTPS, ServiceSIPTLS, ServiceSIPTCP, ServiceDHCP, ServiceDNS, ServiceNTP}
	told := EntryHost(p.cfg.Lab)
	p.changing.Lock()
	list := slices.Clone(p.endpoints)
	p.changing.Unlock()
	slices.SortStableFunc(list, func(a, b Endpoint) int {
		if a.Service != b.Service {
			return slices.Index(order, a.Service) - slices.Index(order, b.Service)
		}
		switch {
		case a.Host == told && b.Host != told:
			return -1
		case b.Host == told && a.Host != told:
			return 1
		}
		return 0
	})
	return list
}

// listens remembers a port that is open; none if it is 0.
func (p *Pool) listens(service, host string, port uint16) {
	one := Endpoint{service, host, netip.AddrPortFrom(p.addresses[host], port)}
	if port != 0 && !slices.Contains(p.endpoints, one) {
		p.endpoints = append(p.endpoints, one)
	}
}

// portOf is the port of a socket's own address.
func portOf(a net.Addr) uint16 {
	switch at := a.(type) {
	case *net.TCPAddr:
		return uint16(at.Port)
	case *net.UDPAddr:
		return uint16(at.Port)
	}
	return 0
}
