package replay

import (
	"encoding/hex"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/phone-edition/lpe/emulator/exchange"
)

// Address is an address of the recording, what it was the address of, and which one that has in the replay.
type Address struct{ Of, Recorded, Replayed string }

var address = regexp.MustCompile(`[0-9]{1,3}(?:\.[0-9]{1,3}){3}`)

// addressRoles are addresses by what they are the addresses of.
func addressRoles(list []exchange.Message) (order []string, roles map[string]string) {
	roles = map[string]string{}
	add := func(of string, text string) {
		for i, found := range address.FindAllString(text, -1) {
			name := of
			if i > 0 {
				name += " " + strconv.Itoa(i+1)
			}
			if _, known := roles[name]; !known {
				order, roles[name] = append(order, name), found
			}
		}
	}
	for i, m := range list {
		switch {
		case m.Protocol == "dhcp" && m.Kind == "ACK":
			if n, ok := requestOf(list[:i], m); ok && list[n].Kind == "INFORM" {
				add("the handset", value(m.Fields, "ciaddr"))
				add("what answers INFORM", optionText(m, 54))
				continue
			}
			add("the handset", value(m.Fields, "yiaddr"))
			add("the network's mask", optionText(m, 1))
			add("the router", optionText(m, 3))
			add("the DNS server", optionText(m, 6))
			add("the NTP server", optionText(m, 42))
			add("the DHCP server", optionText(m, 54))
		case m.Protocol == "dns" && !m.Sent:
			for _, f := range m.Fields {
				if kind, name, ok := strings.Cut(numbered.ReplaceAllString(f.Name, ""), " "); ok && kind == "A" {
					add(strings.ToLower(strings.TrimSuffix(name, ".")), f.Value)
				}
			}
		case m.Protocol == "sip" && m.Sent && strings.HasPrefix(m.Kind, "REGISTER"):
			add("the handset", value(m.Fields, "Via"))
			add("the network", value(m.Fields, "ms-subnet"))
		}
	}
	return order, roles
}

// optionText is an option of DHCP without its bytes.
func optionText(m exchange.Message, code int) string {
	for _, f := range m.Fields {
		if strings.HasPrefix(f.Name, "option "+strconv.Itoa(code)+" ") {
			text, _, _ := strings.Cut(f.Value, " (")
			return text
		}
	}
	return ""
}

// moved are the recorded messages with the addresses that the replay has in their place.
func moved(recorded, replayed []exchange.Message) ([]exchange.Message, []Address) {
	order, there := addressRoles(recorded)
	_, here := addressRoles(replayed)
	to := map[string]string{}
	var told []Address
	for _, of := range order {
		was, is := there[of], here[of]
		if _, known := to[was]; known || is == "" {
			continue
		}
		if to[was] = is; was != is {
			told = append(told, Address{of, was, is})
		}
	}
	if len(told) == 0 {
		return recorded, nil
	}
	var pairs []string
	for was, is := range to {
		if a, b := hexAddress(was), hexAddress(is); a != "" && b != "" {
			pairs = append(pairs, a, b)
		}
	}
	bytesOf := strings.NewReplacer(pairs...)
	out := slices.Clone(recorded)
	for i, m := range out {
		out[i].Peer = replaced(m.Peer, to)
		out[i].Fields = slices.Clone(m.Fields)
		for j, f := range m.Fields {
			f.Value = replaced(f.Value, to)
			if m.Protocol == "dhcp" || m.Protocol == "lldp" {
				f.Value = bytesOf.Replace(f.Value)
			}
			out[i].Fields[j] = f
		}
	}
	return out, told
}

func replaced(text string, to map[string]string) string {
	return address.ReplaceAllStringFunc(text, func(found string) string {
		if is, ok := to[found]; ok {
			return is
		}
		return found
	})
}

func hexAddress(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil || !a.Is4() {
		return ""
	}
	b := a.As4()
	return hex.EncodeToString(b[:])
}
