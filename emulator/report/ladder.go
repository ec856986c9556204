package report

import (
	"net/netip"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// ladder is the sequence diagram of a boot: the handset's lane and one for each peer, the events by state.
type ladder struct {
	Lanes []string // the handset's first
	Parts []ladderPart
	Lost  int
}

// ladderPart is one stay in a state.
type ladderPart struct {
	State devicestate.State
	Rows  []ladderRow
}

// ladderRow is one event. Messages have an arrow from the handset's lane to the lane To or back.
type ladderRow struct {
	At       time.Time
	After    time.Duration // since power on
	Kind     timeline.Kind
	Protocol string
	Peer     string
	Text     string
	Code     string
	Lane     int // 0: no message
	Fields   []timeline.Field
}

// Lanes of a ladder. What is sent to nobody by name is sent to everybody.
const (
	handsetLane  = "handset"
	everybody    = "everybody"
	others       = "others"
	maxPeerLanes = 6
)

// peers tells lanes: a peer is a name, an address, or both as NAME (ADDRESS:PORT).
type peers struct {
	names map[netip.Addr]string // the first name that an address was met under
	lanes map[string]int
	order []string
}

func newPeers(events []timeline.Observation) *peers {
	p := &peers{names: map[netip.Addr]string{}, lanes: map[string]int{}, order: []string{handsetLane}}
	for _, e := range events {
		if name, address := splitPeer(e.Peer); name != "" && address.IsValid() && (p.names[address] == "" || len(name) < len(p.names[address])) {
			p.names[address] = name // of several names the shortest, an update server's alias is longer
		}
	}
	return p
}

// splitPeer takes name and address of a peer.
func splitPeer(peer string) (name string, address netip.Addr) {
	name, rest, both := strings.Cut(peer, " (")
	if both {
		if ap, err := netip.ParseAddrPort(strings.TrimSuffix(rest, ")")); err == nil {
			return name, ap.Addr()
		}
		return peer, netip.Addr{}
	}
	if a, err := netip.ParseAddr(peer); err == nil {
		return "", a
	}
	return peer, netip.Addr{}
}

// lane is the lane of a message's peer.
func (p *peers) lane(peer string) int {
	name, address := splitPeer(peer)
	switch {
	case peer == "" || address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		name = everybody
	case address.IsValid() && p.names[address] != "":
		name = p.names[address]
	case address.IsValid():
		name = address.String()
	}
	if n, ok := p.lanes[name]; ok {
		return n
	}
	if len(p.order) > maxPeerLanes {
		if len(p.order) == maxPeerLanes+1 {
			p.order = append(p.order, others)
		}
		return maxPeerLanes + 1
	}
	p.lanes[name] = len(p.order)
	p.order = append(p.order, name)
	return p.lanes[name]
}

func newLadder(c *Case) ladder {
	events, lost := c.observed()
	l := ladder{Lost: lost}
	p := newPeers(events)
	var began time.Time
	for _, e := range events {
		if began.IsZero() {
			began = e.At
		}
		if e.Kind == timeline.Transition {
			l.Parts = append(l.Parts, ladderPart{State: devicestate.State(e.Text)})
			continue
		}
		row := ladderRow{
			At: e.At, After: e.At.Sub(began), Kind: e.Kind, Protocol: e.Protocol, Peer: e.Peer, Text: e.Text, Code: e.Code, Fields: e.Fields,
		}
		if e.Kind == timeline.Sent || e.Kind == timeline.Received || e.Kind == timeline.Dropped && e.Peer != "" {
			row.Lane = p.lane(e.Peer)
			if row.Peer == "" {
				row.Peer = everybody
			}
		}
		if len(l.Parts) == 0 {
			l.Parts = append(l.Parts, ladderPart{State: e.State})
		}
		last := &l.Parts[len(l.Parts)-1]
		last.Rows = append(last.Rows, row)
	}
	l.Lanes = p.order
	return l
}

// stay is one row of the table of states.
type stay struct {
	State
	After time.Duration // since power on
	Share float64       // of the whole, 0 to 1
}

// stays computes what part of the time each state took.
func (r Result) stays() (list []stay, whole time.Duration) {
	for _, s := range r.States {
		end := s.Entered.Sub(r.Began()) + time.Duration(s.Duration)
		if s.State != devicestate.Ready && s.State != devicestate.Failed {
			whole = max(whole, end)
		}
	}
	for _, s := range r.States {
		one := stay{State: s, After: s.Entered.Sub(r.Began())}
		if whole > 0 && s.State != devicestate.Ready && s.State != devicestate.Failed {
			one.Share = time.Duration(s.Duration).Seconds() / whole.Seconds()
		}
		list = append(list, one)
	}
	return list, whole
}
