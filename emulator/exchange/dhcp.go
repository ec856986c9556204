package exchange

import (
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

// DHCP tells the header and every option of a message in its order, each with its meaning and, in brackets, its bytes.
func DHCP(payload []byte) Content {
	var f fields
	kind := "a message that cannot be read"
	if m, err := dhcpoption.Parse(payload); err == nil {
		kind = m.MessageType().String()
		f.fresh("xid", hex.EncodeToString(m.TransactionID[:]))
		f.add("secs", fmt.Sprint(m.NumSeconds))
		f.add("flags", fmt.Sprintf("%04x", m.Flags))
		for _, address := range []struct {
			name string
			ip   fmt.Stringer
		}{{"ciaddr", m.ClientIPAddr}, {"yiaddr", m.YourIPAddr}, {"siaddr", m.ServerIPAddr}, {"giaddr", m.GatewayIPAddr}} {
			if text := address.ip.String(); text != "0.0.0.0" {
				f.add(address.name, text)
			}
		}
		f.add("chaddr", m.ClientHWAddr.String())
		if m.ServerHostName != "" {
			f.add("sname", m.ServerHostName)
		}
		if m.BootFileName != "" {
			f.add("file", m.BootFileName)
		}
	}
	list, err := dhcpoption.Describe(payload)
	for _, o := range list {
		value := hex.EncodeToString(o.Value)
		if o.Meaning != "" {
			value = o.Meaning + " (" + value + ")"
		}
		f.add(strings.TrimSpace(fmt.Sprintf("option %d %s", o.Code, o.Name)), value)
	}
	if err != nil {
		f.add("broken", err.Error())
	}
	return Content{kind, f.list}
}
