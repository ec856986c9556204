package dhcpserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

const discoverTries = 3

// OtherServer listens for a DHCP server on the station's segment, for the given time at most, and sends DHCPDISCOVER
// meanwhile, which every server answers (RFC 2131 §4.3.1). The station has no address and a MAC address that nobody
// else uses: an OFFER stays unanswered. It returns the address of the first server that is heard, the zero Addr if none
// is.
func OtherServer(ctx context.Context, station ethernet.Station, over time.Duration) (netip.Addr, error) {
	toClients, err := station.RawUDP(clientPort)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking for a DHCP server: %w", err)
	}
	defer toClients.Close()
	toServers, err := station.RawUDP(serverPort) // what a server says to a relay
	if err != nil {
		return netip.Addr{}, fmt.Errorf("looking for a DHCP server: %w", err)
	}
	defer toServers.Close()
	wait, cancel := context.WithTimeout(ctx, over)
	defer cancel()
	type result struct {
		server netip.Addr
		err    error
	}
	heard := make(chan result)
	for _, raw := range []ethernet.RawUDP{toClients, toServers} {
		go func() {
			server, err := hearServer(wait, raw)
			cancel() // one has heard something, or the time is over
			heard <- result{server, err}
		}()
	}
	sent := sendDiscovers(wait, toClients, station.MAC(), over/discoverTries)
	first, second := <-heard, <-heard
	errs := errors.Join(<-sent, first.err, second.err)
	switch {
	case first.server.IsValid():
		return first.server, nil
	case second.server.IsValid():
		return second.server, nil
	case ctx.Err() != nil:
		return netip.Addr{}, ctx.Err()
	case errs != nil:
		return netip.Addr{}, fmt.Errorf("looking for a DHCP server: %w", errs)
	}
	return netip.Addr{}, nil
}

// sendDiscovers sends DHCPDISCOVER a few times until ctx ends, beside its caller, and gives the error of sending.
func sendDiscovers(ctx context.Context, raw ethernet.RawUDP, mac net.HardwareAddr, step time.Duration) <-chan error {
	sent := make(chan error, 1)
	go func() {
		discovery, err := newDiscover(mac)
		tick := time.NewTicker(step)
		defer tick.Stop()
		for range discoverTries {
			if err == nil && ctx.Err() == nil {
				err = raw.Send(discovery)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
		sent <- err
	}()
	return sent
}

// hearServer waits for a message of a server until ctx ends, which is no error.
func hearServer(ctx context.Context, raw ethernet.RawUDP) (netip.Addr, error) {
	for {
		d, err := raw.Receive(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return netip.Addr{}, nil
		case err != nil:
			return netip.Addr{}, err
		}
		m, err := dhcpoption.Parse(d.Payload)
		if err != nil || m.OpCode != dhcpv4.OpcodeBootReply {
			continue
		}
		if id := m.Options[54]; len(id) == 4 {
			return netip.AddrFrom4([4]byte(id)), nil
		}
		return d.Src.Addr(), nil
	}
}

// newDiscover is a DHCPDISCOVER whose answers are broadcast, since the station has no address.
func newDiscover(mac net.HardwareAddr) (ethernet.Datagram, error) {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: mac, Flags: 0x8000,
		Options: dhcpv4.Options{53: {byte(dhcpv4.MessageTypeDiscover)}, 61: append([]byte{1}, mac...), 55: {1, 3, 6, 15}},
	}
	rand.Read(m.TransactionID[:]) // never fails, crypto/rand
	payload, err := dhcpoption.Encode(m, []uint8{53, 61, 55})
	return ethernet.Datagram{
		Src: netip.AddrPortFrom(netip.IPv4Unspecified(), clientPort), Dst: netip.AddrPortFrom(broadcast, serverPort), Payload: payload,
	}, err
}
