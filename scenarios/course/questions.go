package course

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
)

// questions gives DNS its states: a question belongs to the connection that it is asked for, any other to what is
// found out at that time.
func (w *walk) questions() {
	asked := map[question]devicestate.State{}
	now := devicestate.State("")
	for i := range w.messages {
		m := &w.messages[i]
		if m.Protocol != "dns" {
			if m.Protocol != "lldp" && m.Protocol != exchange.ProtocolARP {
				now = m.State
			}
			continue
		}
		q, ok := questionOf(m)
		if !ok {
			m.State = now
			continue
		}
		if !m.Sent {
			if m.State, ok = asked[q]; !ok {
				m.State = now
			}
			continue
		}
		m.State = w.purpose(i, q, now)
		asked[q] = m.State
		now = m.State
	}
}

// question is what a DNS message asks or answers: type and name, and the number by which an answer is told.
type question struct{ id, kind, name string }

func questionOf(m *exchange.Message) (q question, ok bool) {
	q.id = value(m, "id")
	q.kind, q.name, ok = strings.Cut(value(m, "question"), " ")
	return q, ok && m.Protocol == "dns" && value(m, "question[2]") == ""
}

// purpose is the state in which a question is asked.
func (w *walk) purpose(i int, q question, now devicestate.State) devicestate.State {
	if q.kind == "A" {
		if state := w.connecting(i, q); state != "" {
			return state
		}
	}
	switch name := strings.ToLower(q.name); {
	case strings.HasPrefix(name, "_ntp._udp."), name == "time.windows.com":
		return devicestate.TimeSync
	case strings.HasPrefix(name, "ucupdates"):
		if slices.Index(order, now) >= slices.Index(order, devicestate.Register) {
			return devicestate.UpdateCheck
		}
		return devicestate.UpdateLookup
	case now == "", now == devicestate.LinkDetect, now == devicestate.VlanDiscover, now == devicestate.AddressAcquire:
		return devicestate.UpdateLookup
	case now == devicestate.TimeSync:
		return devicestate.PoolDiscover
	}
	return now
}

// connecting is the state of the connection that is opened next to an address of the answer, if the name is not asked
// for again before.
func (w *walk) connecting(i int, asked question) devicestate.State {
	var addresses []netip.Addr
	for k := i + 1; k < len(w.messages); k++ {
		m, about := &w.messages[k], &w.about[k]
		later := about.Connection != "" && about.Opened > w.about[i].Place
		switch {
		case m.Protocol == "dns":
			q, ok := questionOf(m)
			switch {
			case ok && m.Sent && q.kind == asked.kind && q.name == asked.name:
				return ""
			case ok && !m.Sent && q == asked:
				addresses = append(addresses, addressesIn(m)...)
			}
		case later && slices.Contains(addresses, about.Server.Addr()),
			m.Protocol == "ntp" && slices.Contains(addresses, about.Server.Addr()):
			return m.State
		case later && m.Sent:
			return ""
		}
	}
	return ""
}

func addressesIn(m *exchange.Message) []netip.Addr {
	var out []netip.Addr
	for _, f := range m.Fields {
		if !strings.HasPrefix(f.Name, "A ") {
			continue
		}
		text, _, _ := strings.Cut(f.Value, ",")
		if addr, err := netip.ParseAddr(text); err == nil {
			out = append(out, addr)
		}
	}
	return out
}
