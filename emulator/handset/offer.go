package handset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// maxServers bounds the routers, name servers and time servers that are taken of one option: each that is dead costs
// the boot its time.
const maxServers = 4

// readLease reads an OFFER or the ACK to a REQUEST. The error says why it is of no use: no server identifier, no
// address that a host can have, no subnet mask, a lease that is over at once. Oddities are options that are left out.
// RFC 2131 §4.3.1 demands server identifier and lease time; a lease without time is taken all the same (inferred).
func readLease(m *dhcpv4.DHCPv4) (l *lease, oddities []string, err error) {
	server := serverOf(m)
	if !isHost(server) {
		return nil, nil, fmt.Errorf("no server identifier, option 54 is %s", bytesOf(m, dhcpv4.OptionServerIdentifier))
	}
	address, err := leasedAddress(m)
	if err != nil {
		return nil, nil, err
	}
	switch length, ok := seconds(m, dhcpv4.OptionIPAddressLeaseTime); {
	case !ok:
		oddities = append(oddities, fmt.Sprintf("no lease time, option 51 is %s", bytesOf(m, dhcpv4.OptionIPAddressLeaseTime)))
	case length == 0:
		return nil, nil, errors.New("a lease of 0 s, option 51")
	}
	l = &lease{address: address, server: server, term: readTerm(m), vendor: m.GetOneOption(dhcpv4.OptionVendorSpecificInformation)}
	odd := func(format string, args ...any) { oddities = append(oddities, fmt.Sprintf(format, args...)) }
	for _, router := range hosts(m, dhcpv4.OptionRouter, odd) {
		switch {
		case !address.Contains(router):
			odd("option 3: router %v is outside of %v and not used", router, address.Masked())
		case !l.router.IsValid():
			l.router = router
		}
	}
	l.dns = hosts(m, dhcpv4.OptionDomainNameServer, odd)
	l.ntp = hosts(m, dhcpv4.OptionNTPServers, odd)
	l.domain = strings.ToLower(strings.Trim(m.DomainName(), "\x00. "))
	if l.domain != "" && !dhcpoption.IsHostName(l.domain) {
		odd("option 15: %q is no domain and not used", l.domain)
		l.domain = ""
	}
	l.search = searchList(m, odd)
	return l, oddities, nil
}

// maxSearch bounds the domains that are taken of option 119: each makes a look-up that fails longer.
const maxSearch = 4

// searchList reads option 119 (RFC 3397).
func searchList(m *dhcpv4.DHCPv4, odd func(format string, args ...any)) []string {
	if len(m.GetOneOption(dhcpv4.OptionDNSDomainSearchList)) == 0 {
		return nil
	}
	labels := m.DomainSearch()
	if labels == nil {
		odd("option 119 is no list of domains and not used")
		return nil
	}
	var list []string
	for _, domain := range labels.Labels {
		domain = strings.ToLower(domain)
		switch {
		case !dhcpoption.IsHostName(domain):
			odd("option 119: %q is no domain and not used", domain)
		case len(list) == maxSearch:
			odd("option 119: of more than %d domains the others are not used", maxSearch)
			return list
		default:
			list = append(list, domain)
		}
	}
	return list
}

func leasedAddress(m *dhcpv4.DHCPv4) (netip.Prefix, error) {
	address, _ := netip.AddrFromSlice(m.YourIPAddr.To4())
	switch {
	case address.IsUnspecified():
		return netip.Prefix{}, errors.New("no address in yiaddr")
	case !isHost(address):
		return netip.Prefix{}, fmt.Errorf("yiaddr %v is no host's address", address)
	}
	value := m.GetOneOption(dhcpv4.OptionSubnetMask)
	if len(value) != net.IPv4len {
		return netip.Prefix{}, fmt.Errorf("no subnet mask, option 1 is %s", bytesOf(m, dhcpv4.OptionSubnetMask))
	}
	mask := net.IPMask(value)
	bits, size := mask.Size()
	if size != 32 || bits == 0 {
		return netip.Prefix{}, fmt.Errorf("subnet mask %v is none", net.IP(mask))
	}
	prefix := netip.PrefixFrom(address, bits)
	if all := ^uint32(0) >> bits; bits < 31 { // RFC 1122, 3.2.1.3
		b := address.As4()
		if host := binary.BigEndian.Uint32(b[:]) & all; host == 0 || host == all {
			return netip.Prefix{}, fmt.Errorf("yiaddr %v is the network's or its broadcast address", prefix)
		}
	}
	return prefix, nil
}

// isHost reports whether an address can be that of one host: not that of a group, a loopback or of class E (RFC 1122,
// 3.2.1.3).
func isHost(a netip.Addr) bool {
	return a.Is4() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast() && a.As4()[0] < 240 && a.As4()[0] != 0
}

// endless is the lease time that means for ever (RFC 2131 §3.3).
const endless = 0xffffffff * time.Second

// seconds reads options 51, 58 and 59.
func seconds(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode) (time.Duration, bool) {
	value := m.GetOneOption(code)
	if len(value) != 4 {
		return 0, false
	}
	return time.Duration(binary.BigEndian.Uint32(value)) * time.Second, true
}

// hosts reads an option that is a list of addresses.
func hosts(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode, odd func(format string, args ...any)) []netip.Addr {
	var list []netip.Addr
	value := m.GetOneOption(code)
	if len(value)%4 != 0 {
		odd("option %d of %d bytes is no list of addresses and not used", code.Code(), len(value))
		return nil
	}
	for ; len(value) > 0; value = value[4:] {
		address := netip.AddrFrom4([4]byte(value))
		switch {
		case !isHost(address):
			odd("option %d: %v is no host's address and not used", code.Code(), address)
		case len(list) == maxServers:
			odd("option %d: of %d more addresses none is used", code.Code(), len(value)/4)
			return list
		default:
			list = append(list, address)
		}
	}
	return list
}

func serverOf(m *dhcpv4.DHCPv4) netip.Addr {
	server, _ := netip.AddrFromSlice(m.ServerIdentifier().To4())
	return server
}

// bytesOf shows an option's value for an error.
func bytesOf(m *dhcpv4.DHCPv4, code dhcpv4.OptionCode) string {
	value := m.GetOneOption(code)
	if value == nil {
		return "absent"
	}
	return fmt.Sprintf("%x", value[:min(len(value), 16)])
}
