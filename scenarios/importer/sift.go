package importer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"

	"github.com/phone-edition/lpe/protocol/arp"
)

// maxHandset bounds the bytes of one handset's frames. A boot has some 100,000; a day of registration a few million.
const maxHandset = 64 << 20

// sifted is the part of a capture that tshark has to read: it remembers something of every connection that it sees, and of
// a large capture most are of others. The frames stand in it byte for byte.
type sifted struct {
	file     string
	numbers  []int // of its frames in the capture, in their order
	secrets  []byte
	damage   *damage        // where reading ended, nil: at the end
	unread   map[string]int // frames that are left out because nobody reads them, by why
	tunnels  map[string]int // frames that were in tunnels, by tunnel
	captured int            // frames in the capture

	headers headers // of the frame that is looked at
}

// sieve says whether a frame is kept.
type sieve func(h *headers) bool

// sift writes what a sieve keeps of a capture into a file of its own.
func (r *reader) sift(ctx context.Context, file, name string, most int, keep sieve) (s sifted, err error) {
	s = sifted{file: filepath.Join(r.dir, name), unread: map[string]int{}, tunnels: map[string]int{}}
	in, err := os.Open(file)
	if err != nil {
		return s, err
	}
	defer in.Close()
	pieces, err := openCapture(in)
	if err != nil {
		return s, err
	}
	f, err := os.OpenFile(s.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := bufio.NewWriterSize(f, 1<<20)
	for n, size := 0, 0; ; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return s, ctx.Err()
		}
		one, err := pieces.next()
		if errors.Is(err, io.EOF) || errors.As(err, &s.damage) {
			return s, out.Flush()
		}
		if err != nil {
			return s, err
		}
		if one.counts {
			s.captured++
		}
		switch {
		case len(one.secrets) > 0:
			if s.secrets = append(append(s.secrets, one.secrets...), '\n'); len(s.secrets) > maxSecrets {
				return s, fmt.Errorf("the secrets in the capture have more than %d bytes", maxSecrets)
			}
			continue
		case one.frame != nil && s.keeps(&one, keep):
			if size += len(one.raw); size > most {
				return s, fmt.Errorf("%w: more than %d bytes of it are of this handset; cut the capture to a boot: editcap -A START -B END", ErrNoCapture, most)
			}
			s.numbers = append(s.numbers, s.captured)
		case !one.kept:
			continue
		}
		if _, err := out.Write(one.raw); err != nil {
			return s, err
		}
	}
}

func (s *sifted) keeps(one *piece, keep sieve) bool {
	h := &s.headers
	*h = readHeaders(one.link, one.frame)
	if h.unread != "" {
		s.unread[h.unread]++
		return false
	}
	if !keep(h) {
		return false
	}
	if h.tunnel != "" {
		s.tunnels[h.tunnel]++
	}
	return true
}

// notes tell what of the capture was not read, and what was read where it does not lie open.
func (s *sifted) notes() []string {
	var out []string
	if s.damage != nil {
		last := 0
		if n := len(s.numbers); n > 0 {
			last = s.numbers[n-1]
		}
		out = append(out, fmt.Sprintf("%v Read up to there, frame %d; the last frame of the handset is %d.", s.damage, s.captured, last))
	}
	for _, name := range slices.Sorted(maps.Keys(s.tunnels)) {
		out = append(out, fmt.Sprintf("%d frames were mirrored inside %s: what is told is told of the inner ones.", s.tunnels[name], name))
	}
	return append(out, s.leftOut()...)
}

func (s *sifted) leftOut() []string {
	var out []string
	for _, why := range slices.Sorted(maps.Keys(s.unread)) {
		out = append(out, fmt.Sprintf("%d frames %s: they are not read.", s.unread[why], why))
	}
	return out
}

// fragments remembers the datagrams whose first fragment was kept.
type fragments map[fragmentKey]bool

type fragmentKey struct {
	source, target netip.Addr
	id             uint32
}

// keep adds the datagram of a frame that is kept.
func (f fragments) keep(h *headers) {
	if h.more && !h.fragment && len(f) < maxParties {
		f[fragmentKey{h.source, h.target, h.id}] = true
	}
}

func (f fragments) has(h *headers) bool {
	return h.fragment && f[fragmentKey{h.source, h.target, h.id}]
}

func (h *headers) either(ports ...uint16) bool {
	return h.protocol == protocolUDP && (slices.Contains(ports, h.ports[0]) || slices.Contains(ports, h.ports[1]))
}

// partySieve keeps the frames that tell who is there: LLDP, DHCP, and of each address the first that opens a connection and
// the first that speaks to a registrar.
func partySieve() sieve {
	rest := fragments{}
	opened, registering := map[netip.Addr]bool{}, map[netip.Addr]bool{}
	return func(h *headers) bool {
		switch {
		case h.ether == etherLLDP && h.protocol == 0, rest.has(h):
			return true
		case h.either(portDHCPServer, portDHCPClient):
			rest.keep(h)
			return true
		case h.protocol != protocolTCP || h.fragment:
			return false
		}
		first := opened
		opens := h.flags&(flagSYN|flagACK) == flagSYN
		if h.ports[1] == portSIPTLS || h.ports[1] == portSIP {
			first = registering
			opens = opens || len(h.payload) > 0 && h.ports[1] == portSIPTLS
		}
		if !opens || first[h.source] || len(first) >= maxParties {
			return false
		}
		first[h.source] = true
		return true
	}
}

// sieve keeps the frames of a party, and the LLDP of its link. Where its link was not captured its addresses count. Speech is
// left out.
func (p *Party) sieve() sieve {
	rest := fragments{}
	spoken := fragments{} // which is left out
	return func(h *headers) bool {
		own := p.owns(h)
		switch {
		case h.ether == etherLLDP && h.protocol == 0:
			return true
		case h.ether == etherARP && h.protocol == 0:
			return own || p.resolves(h.payload)
		case rest.has(h):
			return true
		case spoken.has(h):
			return false
		case h.protocol == protocolUDP && !h.fragment && !h.either(portDNS, portDHCPServer, portDHCPClient, portNTP):
			spoken.keep(h)
			return false
		case !own && !(h.either(portDHCPServer, portDHCPClient) && p.leases(h.payload)):
			return false
		}
		rest.keep(h)
		return true
	}
}

func (p *Party) owns(h *headers) bool {
	mac := [6]byte{}
	copy(mac[:], p.MAC)
	if p.MAC != nil && (h.link && p.onLink && !p.cooked && (h.from == mac || h.to == mac) || h.cooked && h.from == mac) {
		return true
	}
	return (!p.onLink || p.cooked) && (slices.Contains(p.Addresses, h.source) || slices.Contains(p.Addresses, h.target))
}

// leases reports whether a DHCP message is about the party.
func (p *Party) leases(message []byte) bool {
	const chaddr = 28
	return p.MAC != nil && len(message) >= chaddr+6 && bytes.Equal(message[chaddr:chaddr+6], p.MAC)
}

// resolves reports whether a packet of ARP is about an address of the party.
func (p *Party) resolves(packet []byte) bool {
	m, err := arp.Parse(packet)
	return err == nil && (slices.Contains(p.Addresses, m.SenderAddr()) || slices.Contains(p.Addresses, m.TargetAddr()))
}
