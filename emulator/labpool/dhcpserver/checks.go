package dhcpserver

import (
	"github.com/phone-edition/lpe/emulator/labpool/strictness"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// What comes back for a wrong message. A registrar never sends a DHCPNAK (discovery.md §3.1).
const (
	dropped     = "dropped, no answer"
	nak         = "DHCPNAK"
	withoutVLAN = "DHCPOFFER without option 43"
	withoutBoth = "DHCPACK without options 43 and 120"
)

// What the DHCP server checks, and what the registrar's responder checks: those are of stage discovery and are the
// algorithm of discovery.md §3.1, in its order.
var (
	checkMessage = newCheck("address", "message", dropped,
		"A datagram that is no request of an Ethernet station with one message type and whole addresses", "RFC 2131 §2, §3")
	checkRelay = newCheck("address", "relay", dropped,
		"A message by a relay of another network", "RFC 2131 §4.3.1, inferred")
	checkKind = newCheck("address", "kind", dropped,
		"A message that only a server sends", "RFC 2131 table 3")
	checkServer = newCheck("address", "server", dropped,
		"REQUEST, DECLINE or RELEASE for another server", "RFC 2131 §4.3.2, §4.3.3, §4.3.4")
	checkNoAddress = newCheck("address", "no-address", dropped,
		"REQUEST without an address in option 50 or ciaddr", "RFC 2131 §4.3.2")
	checkRecord = newCheck("address", "record", dropped,
		"REQUEST after a restart, by a handset that the server does not know", "RFC 2131 §4.3.2")
	checkAddress = newCheck("address", "wrong-address", nak,
		"REQUEST for another address than the one offered or bound, or of another network", "RFC 2131 §4.3.2")
	checkHolder = newCheck("address", "holder", dropped,
		"DECLINE or RELEASE of an address that the handset does not hold", "RFC 2131 §4.3.3, §4.3.4")

	checkVLANClass = newCheck("vlan", "class", withoutVLAN,
		"DISCOVER of another class than "+dhcpoption.ClassVLAN+", in any case", "discovery.md §1.2")

	checkInform = newCheck("discovery", "inform", dropped,
		"Another message than INFORM, at the registrar", "discovery.md §3.1 [T4b]")
	checkClassMissing = newCheck("discovery", "class-missing", dropped,
		"INFORM without option 60, at the registrar", "discovery.md §3.1 [T4b]")
	checkClass = newCheck("discovery", "class", dropped,
		"INFORM whose option 60 is not "+dhcpoption.ClassUC+", case counts, one trailing NUL does not; at the registrar", "discovery.md §3.1 [T4b]; case and NUL inferred")
	checkListMissing = newCheck("discovery", "list-missing", dropped,
		"INFORM without option 55, the parameter request list, at the registrar", "discovery.md §3.1, inferred")
	checkList = newCheck("discovery", "list", dropped,
		"INFORM whose option 55 names neither 43 nor 120, at the registrar", "discovery.md §3.1 [T4b]; either of them inferred")
	checkClient = newCheck("discovery", "ciaddr", dropped,
		"INFORM without the handset's address in ciaddr", "RFC 2131 §4.4.3, discovery.md §3.1")
	checkServerClass = newCheck("discovery", "server-class", withoutBoth,
		"INFORM of another class than "+dhcpoption.ClassUC+", at the DHCP server", "discovery.md §4")
	checkServerInform = newCheck("discovery", "server-inform", dropped,
		"INFORM, at a DHCP server whose options the registrar gives", "discovery.md §3.1, lab")
)

func newCheck(stage, name, refusal, wrong, source string) strictness.Check {
	return strictness.Check{Stage: stage, Name: name, Wrong: wrong, Refusal: refusal, Source: source}
}

// Checks lists what the DHCP server and a registrar's responder verify, for docs/strictness.md.
func Checks() []strictness.Check {
	return []strictness.Check{
		checkMessage, checkRelay, checkKind, checkServer, checkNoAddress, checkRecord, checkAddress, checkHolder,
		checkVLANClass,
		checkInform, checkClassMissing, checkClass, checkListMissing, checkList, checkClient, checkServerClass, checkServerInform,
	}
}
