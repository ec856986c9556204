package matrix

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/run"
)

// canonical is what is kept of a run: what masks hide is hidden, and what goes on in parallel stands in one order, so that
// two runs of the same make the same file.
func canonical(r run.Result, masks compare.Masks) []exchange.Message {
	var rest, announcements []exchange.Message
	questions := map[int][]exchange.Message{} // by the place in rest that they stand before
	first, visit := 0, ""
	for _, m := range masks.Apply(r.Exchange) {
		m.At = m.At.Round(time.Millisecond)
		switch m.Protocol {
		case exchange.ProtocolARP: // it is the cable's, the same whatever the firmware
			continue
		case "lldp":
			m.State = "" // announcements come by a timer of their own
			announcements = append(announcements, m)
			continue
		case "dns":
			if len(questions[first]) == 0 || string(m.State) != visit {
				first = len(rest)
			}
			questions[first] = append(questions[first], m)
		default:
			rest = append(rest, m)
			if string(m.State) != visit {
				first = len(rest)
			}
		}
		visit = string(m.State)
	}
	var out []exchange.Message
	for i := range len(rest) + 1 {
		out = append(out, sorted(questions[i])...)
		if i < len(rest) {
			out = append(out, rest[i])
		}
	}
	slices.SortStableFunc(announcements, func(a, b exchange.Message) int {
		return cmp.Or(cmp.Compare(a.At, b.At), strings.Compare(a.Peer, b.Peer)) // the handset's name no peer
	})
	for _, m := range announcements {
		i := slices.IndexFunc(out, func(other exchange.Message) bool {
			return other.At > m.At || other.At == m.At && other.Protocol != "lldp"
		})
		if i < 0 {
			i = len(out)
		}
		out = slices.Insert(out, i, m)
	}
	return append(out, outcome(r, out))
}

func sorted(list []exchange.Message) []exchange.Message {
	slices.SortStableFunc(list, func(a, b exchange.Message) int {
		return cmp.Or(strings.Compare(question(a), question(b)), cmp.Compare(a.At, b.At))
	})
	return list
}

func question(m exchange.Message) string {
	text, _, _ := strings.Cut(strings.TrimPrefix(m.Kind, "answer to "), ": ")
	return text
}

// outcome is what came of a scenario as a message behind all others.
func outcome(r run.Result, list []exchange.Message) exchange.Message {
	m := exchange.Message{Protocol: compare.ProtocolFile, Kind: "outcome", Fields: []exchange.Field{{Name: "passed", Value: map[bool]string{true: "yes", false: "no"}[r.Passed]}}}
	if len(list) > 0 {
		m.At = list[len(list)-1].At
	}
	for _, one := range [][2]string{{"state", r.State}, {"code", r.Code}} {
		if one[1] != "" {
			m.Fields = append(m.Fields, exchange.Field{Name: one[0], Value: one[1]})
		}
	}
	seen := map[string]bool{}
	for _, d := range r.Differences {
		if !seen[d.Path] {
			m.Fields = append(m.Fields, exchange.Field{Name: d.Path, Value: "not as expected"})
		}
		seen[d.Path] = true
	}
	return m
}
