package exchange

import (
	"fmt"
	"net"

	"github.com/phone-edition/lpe/protocol/arp"
)

// ProtocolARP is the protocol of ARP. Not every side of a comparison can know it: a pool does not hear what the handset asks
// of others.
const ProtocolARP = "arp"

// Kinds of ARP packets that come by a timer of their own.
const (
	Probe        = "probe"
	Announcement = "announcement"
)

var operations = map[uint16]string{arp.Request: "request", arp.Reply: "reply"}

// ARP tells a packet that the handset sent, or one about it that it received. What is asked for and of whom is part of what
// message it is: a boot has several.
func ARP(p arp.Packet, sent bool) Content {
	var f fields
	name := operations[p.Operation]
	if name == "" {
		name = "unknown"
	}
	f.add("operation", fmt.Sprintf("%d %s", p.Operation, name))
	f.add("sender MAC", net.HardwareAddr(p.SenderMAC[:]).String())
	f.add("sender IP", p.SenderAddr().String())
	f.add("target MAC", net.HardwareAddr(p.TargetMAC[:]).String())
	f.add("target IP", p.TargetAddr().String())
	kind, other := "", p.Target
	if !sent {
		other = p.Sender
	}
	address := net.IP(other[:]).String()
	switch {
	case p.Probe():
		kind = Probe
	case p.Announcement():
		kind = Announcement
	case p.Operation == arp.Request && sent:
		kind = "request for " + address
	case p.Operation == arp.Request:
		kind = "request by " + address
	case p.Operation == arp.Reply && sent:
		kind = "answer to " + address
	case p.Operation == arp.Reply:
		kind = "answer of " + address
	default:
		kind = fmt.Sprintf("operation %d", p.Operation)
	}
	return Content{kind, f.list}
}
