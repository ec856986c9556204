package rig

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// cable is the one given, else one of the run's own.
func (o Options) cable(tapped ethernet.Options) (ethernet.Cable, error) {
	switch {
	case o.Cable != nil:
		return o.Cable, nil
	case o.Host:
		return ethernet.NewHost(ethernet.HostOptions{}), nil
	case o.Interface != "":
		bridge, err := ethernet.NewBridge(o.Interface, tapped)
		if err != nil {
			return nil, &ComputerError{err}
		}
		return bridge, nil
	case o.Lab == nil:
		return nil, errors.New("a run needs a lab, an interface or the computer's own sockets")
	}
	return ethernet.NewSegment(tapped), nil
}

const dnsPort = 53

// clientPort is the port that DHCP answers come to (RFC 2131 §4.1).
const clientPort = 68

// checkDiscovery finds out before anything is sent whether a handset on the computer's own sockets can discover.
func (o Options) checkDiscovery(station ethernet.Station) error {
	if _, ok := station.(ethernet.Computer); !ok || o.Target.FQDN != "" {
		return nil
	}
	udp, err := station.RawUDP(clientPort)
	if err != nil {
		return &ComputerError{fmt.Errorf("discovery by DHCPINFORM needs UDP port %d of this computer (%w); name the registrar with --target-fqdn instead", clientPort, err)}
	}
	return udp.Close()
}

// checkRoutes finds out before anything is sent whether the computer has a route to the addresses that the user named.
func (o Options) checkRoutes(station ethernet.Station) error {
	if _, ok := station.(ethernet.Computer); !ok {
		return nil
	}
	for _, to := range []netip.AddrPort{netip.AddrPortFrom(o.Target.Address, o.Target.Port), netip.AddrPortFrom(o.Network.DNS, dnsPort), netip.AddrPortFrom(o.Network.Hosts, dnsPort)} {
		if !to.Addr().IsValid() {
			continue
		}
		conn, err := station.DialUDP(to) // sends nothing
		if err != nil {
			return &ComputerError{fmt.Errorf("this computer cannot reach %v: %w", to.Addr(), err)}
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}
