package dhcpserver

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/phone-edition/lpe/emulator/labpool/unknown"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// describedOptions are those that a message of a handset, or its relay, is described to have (discovery.md §1.3, §1.4,
// §2.3; RFC 2131 table 5): host name, requested address, lease time, message type, server, list, longest message,
// classes, client id, relay agent information.
var describedOptions = map[uint8]bool{12: true, 50: true, 51: true, 53: true, 54: true, 55: true, 57: true, 60: true, 61: true, 82: true}

// describedClasses are the vendor classes of discovery.md §1.2 to §1.4, in lower case.
var describedClasses = map[string]bool{
	strings.ToLower(dhcpoption.ClassUC): true, strings.ToLower(dhcpoption.ClassVLAN): true, "microsoft windows ce": true,
}

// tellUnknown names what of a request no document describes.
func (l *link) tellUnknown(r *request) {
	if class, ok := r.Options[dhcpoption.OptionClass]; ok && !describedClasses[strings.ToLower(r.class)] {
		l.unknown.Tell(r.peer(), r.peer(), "vendor class "+unknown.Name(string(class)), func() string { return "in " + r.kind.String() })
	}
	for _, code := range r.order {
		if !describedOptions[code] {
			l.unknown.Tell(r.peer(), r.peer(), fmt.Sprintf("option %s of %s", strconv.Itoa(int(code)), r.kind), func() string { return unknown.Bytes(r.Options[code]) })
		}
	}
}
