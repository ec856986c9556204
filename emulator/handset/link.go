package handset

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/ethernet"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/protocol/lldp"
)

// voicePolicy is what the switch told by LLDP-MED, or the DHCP server by sub-option 10.
type voicePolicy struct {
	vlan     uint16
	priority uint8
}

// linkDetect waits for carrier, then asks the switch for a voice policy by LLDP-MED. The handset speaks first: a
// network connectivity device starts its MED TLVs only after it has heard an endpoint (TIA-1057, discovery.md §1.1).
func (h *Handset) linkDetect(ctx context.Context) (devicestate.Event, *Failure) {
	if _, ok := h.computer(); ok {
		h.skipped = true
		return devicestate.PolicyAbsent, nil
	}
	if !h.station.Carrier() {
		if !h.ram.noCarrier {
			h.ram.noCarrier = true
			return devicestate.CarrierMissing, fail(devicestate.StageLink, "no-carrier", "", "the port has no link", nil)
		}
		select {
		case <-ctx.Done():
			return "", nil
		case <-h.station.CarrierChanged():
			return h.linkDetect(ctx)
		}
	}
	h.ram.noCarrier = false
	frames, err := h.station.Frames(lldp.EtherType)
	if err != nil {
		return devicestate.PolicyAbsent, internal("LLDP frames cannot be received", err)
	}
	defer frames.Close()

	h.startAnnouncing()
	waiting, cancel := context.WithTimeout(ctx, h.profile.LLDPWait)
	defer cancel()
	for {
		frame, err := frames.Receive(waiting)
		switch {
		case ctx.Err() != nil:
			return "", nil
		case err != nil:
			h.note("no voice policy by LLDP-MED within %v", h.profile.LLDPWait)
			return devicestate.PolicyAbsent, nil
		}
		if event := h.hearSwitch(frame); event != "" {
			return event, nil
		}
	}
}

// hearSwitch takes the voice policy from an LLDP frame, if it has one that this handset follows.
func (h *Handset) hearSwitch(frame []byte) devicestate.Event {
	mac := net.HardwareAddr(frame[6:12]).String()
	pdu, err := lldp.Parse(frame[ethernetHeader:])
	if err != nil {
		h.dropped("lldp", mac, err.Error())
		return ""
	}
	peer := mac
	if name := pdu.SystemName(); name != "" {
		peer = printable(name)
	}
	for _, problem := range pdu.Ignored {
		h.dropped("lldp", peer, problem.Error())
	}
	if pdu.TTL == 0 {
		h.dropped("lldp", peer, "time to live 0: the sender leaves")
		return ""
	}
	if med, ok := pdu.MED(); ok && med.Class <= lldp.ClassEndpointIII {
		h.dropped("lldp", peer, fmt.Sprintf("LLDP-MED class %d is no switch, class %d: its policy is not ours", med.Class, lldp.ClassConnectivity))
		return ""
	}
	decode := func() exchange.Content { return exchange.LLDP(pdu) }
	policy, ok := pdu.VoicePolicy()
	if !ok {
		h.received("lldp", peer, "LLDPDU without voice policy", decode)
		return ""
	}
	tagged := policy.Tagged && policy.VLAN != 0
	text := "voice policy untagged"
	switch {
	case tagged:
		text = "voice policy tagged"
	case policy.Tagged:
		text = "voice policy with priority tags, VLAN 0: frames stay untagged (inferred)"
	}
	h.received("lldp", peer, text, decode)
	h.station.SetDSCP(policy.DSCP)
	h.announcing.follow(policy)
	if !tagged {
		return devicestate.PolicyUntagged
	}
	h.note("voice VLAN %d, priority %d, DSCP %d", policy.VLAN, policy.Priority, policy.DSCP)
	h.ram.policy = &voicePolicy{policy.VLAN, policy.Priority}
	return devicestate.PolicyTagged
}

// printable is a text from the network as a terminal may show it.
func printable(s string) string {
	if quoted := strconv.Quote(s); quoted != `"`+s+`"` {
		return quoted
	}
	return s
}

func (h *Handset) tagFrames() {
	if p := h.ram.policy; p != nil {
		h.station.SetTag(ethernet.Tag{VLAN: p.vlan, Priority: p.priority})
	}
}

const ethernetHeader = 14

func ethernetFrame(dst, src net.HardwareAddr, etherType uint16, payload []byte) []byte {
	frame := make([]byte, 0, ethernetHeader+len(payload))
	frame = append(append(frame, dst...), src...)
	return append(binary.BigEndian.AppendUint16(frame, etherType), payload...)
}
