package history

import (
	"net/netip"
	"slices"

	"github.com/phone-edition/lpe/emulator/timeline"
)

const (
	mostAddresses   = 4096
	mostConnections = 512 // of one address
	mostRuns        = 512 // of one address
)

// address is what is known of the handsets at one IP or MAC address.
type address struct {
	connections map[string]string
	order       []string // of connections, the oldest first
	runs        []run    // the oldest first
	ip          string   // that DHCP gave to a MAC address
}

// run is a stretch of observations that prove one user.
type run struct {
	user        string
	first, last uint64
}

// address returns what is known of an address, and forgets the one silent for the longest if there are too many.
func (r *Record) address(name string) *address {
	a := r.addresses.use(name, func() *address { return &address{} })
	if r.addresses.len() > mostAddresses {
		r.addresses.drop()
	}
	return a
}

// tell notes that an observation proves a user.
func (a *address) tell(seq uint64, peer, user string) {
	if a.connections == nil {
		a.connections = map[string]string{}
	}
	if _, ok := a.connections[peer]; !ok {
		a.order = append(a.order, peer)
		if len(a.order) > mostConnections {
			delete(a.connections, a.order[0])
			a.order = slices.Delete(a.order, 0, 1)
		}
	}
	a.connections[peer] = user
	if n := len(a.runs); n > 0 && a.runs[n-1].user == user {
		a.runs[n-1].last = seq
		return
	}
	if len(a.runs) >= mostRuns {
		a.runs = slices.Delete(a.runs, 0, 1)
	}
	a.runs = append(a.runs, run{user, seq, seq})
}

// link notes the address that DHCP gives or finds in use.
func (a *address) link(o timeline.Observation) {
	if o.Protocol != "dhcp" {
		return
	}
	for _, name := range []string{"yiaddr", "ciaddr"} {
		if ip, err := netip.ParseAddr(Value(o, name)); err == nil && !ip.IsUnspecified() {
			a.ip = ip.String()
		}
	}
}

// at is the user whom the address tells of at that time.
func (a *address) at(seq uint64) string {
	for _, r := range a.runs {
		if seq <= r.last {
			return r.user
		}
	}
	if len(a.runs) == 0 {
		return ""
	}
	return a.runs[len(a.runs)-1].user
}

// alone is the one user of whom the address has told, "" if there were several.
func (a *address) alone() string {
	for _, r := range a.runs {
		if r.user != a.runs[0].user {
			return ""
		}
	}
	return a.at(0)
}

// attribute finds the user of an observation that does not tell one.
func (r *Record) attribute(k kept) string {
	a, ok := r.addresses.get(k.address)
	if !ok {
		return ""
	}
	if user, ok := a.connections[k.Peer]; ok {
		return user
	}
	name := k.address
	if a.ip != "" {
		name = a.ip
		if a, ok = r.addresses.get(name); !ok {
			return ""
		}
	}
	if ip, err := netip.ParseAddr(name); err == nil && ip.IsLoopback() {
		return a.alone()
	}
	return a.at(k.Seq)
}

// addressOf is a peer without its port.
func addressOf(peer string) string {
	if at, err := netip.ParseAddrPort(peer); err == nil {
		return at.Addr().Unmap().String()
	}
	return peer
}
