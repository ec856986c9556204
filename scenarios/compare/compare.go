// Package compare tells in what two boots differ, message by message and field by field, in the terms of the protocols.
package compare

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
)

// What a difference is about.
const (
	MessageMissing = "message missing" // B does not have it
	MessageAdded   = "message added"   // A does not have it
	MessageOrder   = "message order"
	MessageChanged = "message changed"
	FieldMissing   = "field missing"
	FieldAdded     = "field added"
	FieldOrder     = "field order"
	FieldChanged   = "field changed"
	State          = "state"
	Timing         = "timing"
)

// Names of what is compared besides the fields of a message, for masks.
const (
	fieldState  = "state"
	fieldTiming = "timing"
)

// Difference is one thing that is not the same in A and B.
type Difference struct {
	What     string            `json:"what"`
	Protocol string            `json:"protocol"`
	Message  string            `json:"message"`         // what message it is, in A if A has it
	Sent     bool              `json:"sent"`            // by the handset
	State    devicestate.State `json:"state,omitempty"` // of the handset, in A if A has it
	PlaceA   int               `json:"place_a"`         // of the message, from 1, 0: it has none
	PlaceB   int               `json:"place_b"`
	Field    string            `json:"field,omitempty"`
	A        string            `json:"a"`
	B        string            `json:"b"`

	lane lane
}

// lane is one of the orders that messages stand in: what goes on at the same time as the rest has one of its own.
type lane int

const (
	mainLane lane = iota
	lldpLane      // announcements come by a timer of their own, and those of the switch by another
	switchLane
	dnsLane   // questions are asked in parallel: those of one state are a set
	arpLane   // what is asked when a datagram is to leave, and what neighbours ask
	claimLane // probes and announcements, which come by timers
	lanes
)

// item is a message with what the comparison needs to know of it.
type item struct {
	message *exchange.Message
	place   int // from 1
	lane    lane
	visit   int           // how many states were entered before
	prior   int           // place of the last message of the main lane before that state
	last    int           // place of the message from which the gap runs, 0: none
	gap     time.Duration // since then
}

// Compare tells in what b differs from a. Messages are told from one another by direction, protocol and kind, and put side
// by side so that as few as possible stand alone.
func Compare(a, b []exchange.Message, masks Masks) []Difference {
	without := unknown(a, b)
	c := comparison{
		together: map[int]int{}, back: map[int]int{}, visits: map[int]int{}, masks: masks,
		withStates: !slices.Contains(without, exchange.ProtocolState), left: items(a, masks, without), right: items(b, masks, without),
	}
	for _, i := range c.right {
		c.visits[i.place] = i.visit
	}
	for l := range lanes {
		c.lane(inLane(c.left, l), inLane(c.right, l))
	}
	c.timings()
	c.sort()
	return c.out
}

// sort puts the differences in the order of A. What only B has comes before the next message that both have in the order
// of its lane; lanes of their own go on beside the main one, so there it is that one's.
func (c *comparison) sort() {
	var next [lanes]map[int]int // places in B to places in A
	for l := range lanes {
		next[l] = map[int]int{}
	}
	for _, p := range c.matched {
		next[p.b.lane][p.b.place] = p.a.place
	}
	end := 0
	for _, i := range c.left {
		end = max(end, i.place)
	}
	last := 0
	for _, i := range c.right {
		last = max(last, i.place)
	}
	place := func(d Difference) int {
		if d.PlaceA > 0 {
			return d.PlaceA
		}
		lane := d.lane
		if lane == dnsLane {
			lane = mainLane
		}
		for b := d.PlaceB; b <= last; b++ {
			if a, ok := next[lane][b]; ok {
				return a - 1
			}
		}
		return end
	}
	slices.SortStableFunc(c.out, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(place(x), place(y)), -cmp.Compare(min(x.PlaceA, 1), min(y.PlaceA, 1)), cmp.Compare(x.PlaceB, y.PlaceB))
	})
}

// unknown are the protocols that one of the sides, or both, cannot know: states are nothing that a capture holds, and ARP is
// nothing that a pool hears, or that there is on a computer's own sockets.
func unknown(a, b []exchange.Message) []string {
	var out []string
	for _, protocol := range []string{exchange.ProtocolState, exchange.ProtocolARP} {
		if !has(a, protocol) || !has(b, protocol) {
			out = append(out, protocol)
		}
	}
	return out
}

func has(list []exchange.Message, protocol string) bool {
	return slices.ContainsFunc(list, func(m exchange.Message) bool { return m.Protocol == protocol })
}

func items(list []exchange.Message, masks Masks, without []string) []item {
	var out []item
	visit, state, prior, main := 0, devicestate.State(""), 0, 0
	last := map[string]int{}
	for i := range list {
		m := &list[i]
		if slices.Contains(without, m.Protocol) || masks.leavesOut(m) {
			continue
		}
		one := item{message: m, place: i + 1}
		clock := ""
		switch m.Protocol {
		case "lldp":
			one.lane, clock = lldpLane, fmt.Sprint("lldp ", m.Sent)
			if !m.Sent {
				one.lane = switchLane
			}
		case "dns":
			one.lane = dnsLane
		case exchange.ProtocolARP:
			one.lane, clock = arpLane, fmt.Sprint("arp ", m.Sent, m.Kind)
			if m.Kind == exchange.Probe || m.Kind == exchange.Announcement {
				one.lane, clock = claimLane, fmt.Sprint("arp claims ", m.Sent)
			}
		}
		if !one.lane.apart() && m.State != state {
			visit, state, prior = visit+1, m.State, main
		}
		if one.lane == mainLane {
			main = one.place
		}
		one.visit, one.prior = visit, prior
		if one.lane == dnsLane {
			clock = fmt.Sprint("dns ", visit, m.Sent, m.Kind) // a question is asked again by a timer
		}
		if m.Protocol == ProtocolFile {
			clock = m.Kind // which has no time
		}
		if one.last = last[clock]; one.last > 0 {
			one.gap = m.At - list[one.last-1].At
		}
		last[clock] = one.place
		out = append(out, one)
	}
	return out
}

// apart reports whether messages of a lane come by timers of their own, whatever state the handset is in.
func (l lane) apart() bool { return l != mainLane && l != dnsLane }

func inLane(list []item, l lane) []item {
	var out []item
	for _, i := range list {
		if i.lane == l {
			out = append(out, i)
		}
	}
	if l == dnsLane {
		slices.SortStableFunc(out, func(x, y item) int {
			if x.visit != y.visit {
				return x.visit - y.visit
			}
			if c := strings.Compare(question(x), question(y)); c != 0 {
				return c
			}
			return boolean(y.message.Sent) - boolean(x.message.Sent)
		})
	}
	return out
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// question is what a DNS message asks, or answers.
func question(i item) string {
	text := strings.TrimPrefix(i.message.Kind, "answer to ")
	if i.message.Sent {
		return text
	}
	text, _, _ = strings.Cut(text, ": ")
	return text
}

// comparison is one under way.
type comparison struct {
	masks       Masks
	withStates  bool
	left, right []item
	out         []Difference
	together    map[int]int   // places in A to places in B
	back        map[int]int   // and from there
	visits      map[int]int   // of places in B, see item
	matched     []matchedPair // in the order of their lanes
	states      [2]devicestate.State
}

type matchedPair struct{ a, b item }

func (c *comparison) lane(left, right []item) {
	same := func(a, b int) bool { return c.same(left[a], right[b]) }
	pairs, ok := align(len(left), len(right), same)
	if !ok {
		c.out = append(c.out, Difference{
			What: MessageChanged, Protocol: left[0].message.Protocol, Message: "the boots as a whole",
			A: fmt.Sprintf("%d messages", len(left)), B: fmt.Sprintf("%d messages, more than %d of either stand alone", len(right), maxEdits),
		})
		return
	}
	moved := moves(pairs, same)
	var onlyA, onlyB []item // of the gap between two pairs
	settle := func() {
		c.settle(onlyA, onlyB)
		onlyA, onlyB = nil, nil
	}
	for n, p := range pairs {
		switch other := moved[n]; {
		case p.a >= 0 && p.b >= 0:
			settle()
			c.pair(left[p.a], right[p.b])
		case p.a >= 0 && other > 0:
			b := pairs[other-1].b
			c.add(MessageOrder, left[p.a], right[b], "", neighbour(left, p.a), neighbour(right, b))
			c.pair(left[p.a], right[b])
		case p.b >= 0 && other > 0:
		case p.a >= 0:
			onlyA = append(onlyA, left[p.a])
		default:
			onlyB = append(onlyB, right[p.b])
		}
	}
	settle()
}

// same reports whether two messages are one and the same by direction, protocol and kind. Questions are the same only in the
// same stay in a state.
func (c *comparison) same(a, b item) bool {
	if a.message.Sent != b.message.Sent || a.message.Protocol != b.message.Protocol || a.message.Kind != b.message.Kind {
		return false
	}
	if a.lane != dnsLane {
		return true
	}
	inB, matchedA := c.together[a.prior]
	_, matchedB := c.back[b.prior]
	behind := inB == b.prior || !matchedA || !matchedB || c.visits[inB] == c.visits[b.prior] // of the last two one may have overtaken the other
	return behind && (a.message.State == b.message.State || a.message.State == "" || b.message.State == "")
}

// moves finds messages that stand alone on both sides: for each such pair the number of its other, counted from 1.
func moves(pairs []pair, same func(a, b int) bool) map[int]int {
	out := map[int]int{}
	for n, p := range pairs {
		if p.b >= 0 || p.a < 0 {
			continue
		}
		for k, q := range pairs {
			if q.a < 0 && out[k] == 0 && same(p.a, q.b) {
				out[n], out[k] = k+1, n+1
				break
			}
		}
	}
	return out
}

// neighbour says where a message stands.
func neighbour(list []item, i int) string {
	if i == 0 {
		return "the first"
	}
	return "after " + name(list[i-1].message)
}

// settle pairs what is left over between two pairs of messages: with the same direction and protocol it is a message that
// has become another.
func (c *comparison) settle(onlyA, onlyB []item) {
	for _, a := range onlyA {
		i := slices.IndexFunc(onlyB, func(b item) bool {
			return a.message.Sent == b.message.Sent && a.message.Protocol == b.message.Protocol && a.message.Protocol != exchange.ProtocolState
		})
		if i < 0 {
			c.add(MessageMissing, a, item{}, "", "", "")
			continue
		}
		c.add(MessageChanged, a, onlyB[i], "", a.message.Kind, onlyB[i].message.Kind)
		c.pair(a, onlyB[i])
		onlyB = slices.Delete(slices.Clone(onlyB), i, i+1)
	}
	for _, b := range onlyB {
		c.add(MessageAdded, item{}, b, "", "", "")
	}
}

// pair compares two messages that belong together.
func (c *comparison) pair(a, b item) {
	c.together[a.place], c.back[b.place] = b.place, a.place
	c.matched = append(c.matched, matchedPair{a, b})
	states := [2]devicestate.State{a.message.State, b.message.State}
	if states[0] != states[1] && states[0] != "" && states[1] != "" && states != c.states && !c.withStates && !a.lane.apart() {
		if c.masks.value(a.message, fieldState, "x") != hidden {
			c.add(State, a, b, "", string(states[0]), string(states[1]))
		}
		c.states = states
	}
	c.fields(a, b)
}

// timings compares the gaps before messages that belong together, where those before them do, too.
func (c *comparison) timings() {
	for _, p := range c.matched {
		if p.a.last == 0 || p.b.last == 0 || c.together[p.a.last] != p.b.last || sameClass(p.a.gap, p.b.gap) {
			continue
		}
		if c.masks.value(p.a.message, fieldTiming, "x") != hidden {
			c.add(Timing, p.a, p.b, "", class(p.a.gap), class(p.b.gap))
		}
	}
}

// both reports whether both sides have such a message, so that one that stands alone comes once more than on the other side.
func (c *comparison) both(one item) bool {
	for _, side := range [][]item{c.left, c.right} {
		if !slices.ContainsFunc(side, func(i item) bool {
			return i.message.Sent == one.message.Sent && i.message.Protocol == one.message.Protocol && i.message.Kind == one.message.Kind
		}) {
			return false
		}
	}
	return true
}

func (c *comparison) add(what string, a, b item, field, valueA, valueB string) {
	one := a
	if a.message == nil {
		one = b
	}
	if (what == MessageMissing || what == MessageAdded || what == FieldMissing || what == FieldAdded) && c.masks.optional(one.message, field, c.both(one)) {
		return
	}
	c.out = append(c.out, Difference{
		What: what, Protocol: one.message.Protocol, Message: one.message.Kind, Sent: one.message.Sent, State: one.message.State,
		PlaceA: a.place, PlaceB: b.place, Field: field, A: valueA, B: valueB, lane: one.lane,
	})
}

// name is a message in a sentence.
func name(m *exchange.Message) string {
	if m.Protocol == exchange.ProtocolState {
		return "state " + m.Kind
	}
	way := "received"
	if m.Sent {
		way = "sent"
	}
	return fmt.Sprintf("%s %s %s", m.Protocol, way, m.Kind)
}
