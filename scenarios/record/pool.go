package record

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/labpool/interpose"
	"github.com/phone-edition/lpe/scenarios/course"
)

// Pool keeps the messages of the handsets of a pool, each one's by itself, and picks one.
type Pool struct {
	mu       sync.Mutex
	began    time.Time
	handsets map[string]*caller // by MAC address, else IP address
	order    []string
	bound    map[string]string // IP addresses to MAC addresses, by DHCP
	place    int               // of the last message
	others   int               // messages of handsets beyond the most that are kept apart
}

type caller struct {
	heard  messages
	about  []course.About // each of what was heard
	opened map[string]int // connections, and the places of their beginnings
	far    int            // how far it has come

	broadcasts []exchange.Message // its last by DHCP
}

// again reports whether another server of the pool has heard the same broadcast.
func (c *caller) again(m exchange.Message) bool {
	const most = 8
	if slices.ContainsFunc(c.broadcasts, func(o exchange.Message) bool { return m.At-o.At < time.Second && slices.Equal(o.Fields, m.Fields) }) {
		return true
	}
	c.broadcasts = append(c.broadcasts, m)
	c.broadcasts = c.broadcasts[max(0, len(c.broadcasts)-most):]
	return false
}

// maxHandsets bounds how many are kept apart.
const maxHandsets = 16

// How far a handset has come, by what it says.
var progress = map[string]int{"lldp": 1, "ntp": 2, "dns": 2, "dhcp": 3, "tls": 4, "http": 5, "sip": 6}

// Hear is an [interpose.Ear].
func (p *Pool) Hear(h interpose.Heard) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.began.IsZero() {
		p.began, p.handsets, p.bound = h.At, map[string]*caller{}, map[string]string{}
	}
	m := exchange.Message{At: h.At.Sub(p.began), Sent: h.Sent, Protocol: h.Protocol, Peer: h.Host, Kind: h.Kind, Fields: h.Fields}
	p.place++
	about := course.About{Place: p.place, Connection: h.Connection, Server: h.Server, Secure: h.Secure}
	if h.Handset == "" { // for all
		for _, name := range p.order {
			p.handsets[name].add(m, about)
		}
		return
	}
	name := h.Handset
	if mac, ok := p.bound[name]; ok {
		name = mac
	}
	if h.Protocol == "dhcp" && !h.Sent {
		p.bind(name, h.Fields)
	}
	c, ok := p.handsets[name]
	if !ok {
		if len(p.order) >= maxHandsets {
			p.others++
			return
		}
		c = &caller{opened: map[string]int{}}
		p.handsets[name], p.order = c, append(p.order, name)
	}
	if h.Sent {
		if h.Protocol == "dhcp" && c.again(m) {
			return
		}
		c.far = max(c.far, progress[h.Protocol])
	}
	c.add(m, about)
}

// add keeps a message, as long as there is room, with what it does not say itself.
func (c *caller) add(m exchange.Message, about course.About) {
	if c.heard.add(m); len(c.heard.list) == len(c.about) {
		return
	}
	if opened, ok := c.opened[about.Connection]; ok {
		about.Opened = opened
	} else if about.Connection != "" {
		about.Opened = about.Place
		c.opened[about.Connection] = about.Place
	}
	c.about = append(c.about, about)
}

// bind remembers the address that a server gives a handset, or knows it by.
func (p *Pool) bind(mac string, fields []exchange.Field) {
	for _, f := range fields {
		if (f.Name == "yiaddr" || f.Name == "ciaddr") && len(p.bound) < 1000 {
			p.bound[f.Value] = mac
		}
	}
}

// Handset is the handset that came the furthest, of several the first, its MAC address if that is known, and its messages
// with the states that they tell of. others counts the handsets that are left out.
func (p *Pool) Handset() (mac string, list []exchange.Message, lost, others int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	best := ""
	for _, name := range p.order {
		if best == "" || p.handsets[name].far > p.handsets[best].far {
			best = name
		}
	}
	if best == "" {
		return "", nil, 0, 0
	}
	if strings.Count(best, ":") == 5 {
		mac = best
	}
	for name, c := range p.handsets {
		if name != best && c.far > progress["lldp"] {
			others++
		}
	}
	c := p.handsets[best]
	list = slices.Clone(c.heard.list)
	course.States(list, c.about, mac != "")
	return mac, list, c.heard.lost, others
}
