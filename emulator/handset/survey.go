package handset

import (
	"context"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
)

// DHCPDatagram is a DHCP datagram as the handset sent or received it.
type DHCPDatagram struct {
	At   time.Time
	Sent bool
	ethernet.Datagram
}

func (h *Handset) sawDHCP(sent bool, d ethernet.Datagram) {
	if h.cfg.dhcp != nil {
		h.cfg.dhcp(DHCPDatagram{time.Now(), sent, d})
	}
}

// Arrive does of a boot what brings the handset onto the network, and reports whether it has an address. The handset must
// have been powered on.
func (h *Handset) Arrive(ctx context.Context) (bool, error) {
	_, err := h.Run(ctx, func(m devicestate.Machine) bool { return m.State == devicestate.UpdateLookup })
	return err == nil && h.machine.State == devicestate.UpdateLookup, err
}

// Survey does of a boot what has to do with DHCP: VLAN, lease and INFORM, as the profile does them. Config.DHCP gets
// every datagram; answers to INFORM are collected until the profile's patience with late ones ends. The lease is given
// back. The handset must have been powered on; ctx bounds it all.
func (h *Handset) Survey(ctx context.Context) error {
	arrived, err := h.Arrive(ctx)
	if err != nil || !arrived {
		return err // without a lease the datagrams tell why
	}
	h.openInform().inform(ctx)
	if h.late != nil {
		select {
		case <-h.late.done:
		case <-ctx.Done():
			h.late.end()
		}
	}
	if _, ok := h.computer(); ok || h.ram.lease == nil {
		return nil
	}
	return h.giveBack(dhcpv4.MessageTypeRelease)
}
