//go:build outside

package outside

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/importer"
)

// wrapped gives every frame as a function makes it, on a type of link. What it makes nothing of is left out.
func (p *packets) wrapped(link layers.LinkType, wrap func(frame []byte) []byte) {
	p.link = link
	var list []packet
	for _, one := range p.list {
		if one.data = wrap(one.data); one.data != nil {
			list = append(list, one)
		}
	}
	p.list = list
}

// onlyIP is the packet of a frame, behind a header; nil where there is none.
func onlyIP(header ...byte) func([]byte) []byte {
	return func(frame []byte) []byte {
		if frame[12] != 8 || frame[13] != 0 {
			return nil
		}
		return append(slices.Clone(header), frame[14:]...)
	}
}

// outer is Ethernet and IPv4 between two switches, around a protocol of IP.
func outer(protocol byte, payload []byte) []byte {
	frame := []byte("\x02\xbb\x00\x00\x00\x02\x02\xbb\x00\x00\x00\x01\x08\x00\x45\x00\x00\x00\x00\x01\x00\x00\x40\x00\x00\x00\xc0\x00\x02\x01\xc0\x00\x02\x02")
	frame[23] = protocol
	binary.BigEndian.PutUint16(frame[16:], uint16(len(frame)-14+len(payload)))
	return append(frame, payload...)
}

func inUDP(port uint16, payload []byte) []byte {
	header := binary.BigEndian.AppendUint16([]byte{0xc0, 0}, port)
	header = binary.BigEndian.AppendUint16(header, uint16(8+len(payload)))
	return outer(17, slices.Concat(header, []byte{0, 0}, payload))
}

// fragmented cuts the IPv4 packets of DHCP into pieces of 128 bytes.
func (p *packets) fragmented() {
	var list []packet
	for n, one := range p.list {
		d := one.data
		if len(d) < 42 || d[12] != 8 || d[13] != 0 || d[23] != 17 || d[34] != 0 || d[35] != 67 && d[35] != 68 {
			list = append(list, one)
			continue
		}
		end := 14 + int(binary.BigEndian.Uint16(d[16:]))
		for at := 34; at < end; at += 128 {
			piece := slices.Concat(d[:34], d[at:min(at+128, end)])
			offset := uint16(at-34) / 8
			if at+128 < end {
				offset |= 0x2000
			}
			binary.BigEndian.PutUint16(piece[16:], uint16(len(piece)-14))
			binary.BigEndian.PutUint16(piece[18:], uint16(1000+n))
			binary.BigEndian.PutUint16(piece[20:], offset)
			part := one
			part.data, part.info.CaptureLength, part.info.Length = piece, len(piece), len(piece)
			list = append(list, part)
		}
	}
	p.list = list
}

const (
	linkNull     = 0
	linkLoop     = 108
	linkWireless = 105
)

// encapsulations are ways in which a boot may be captured besides plain Ethernet.
var encapsulations = map[string]struct {
	wrap    func(p *packets)
	onIP    bool     // neither LLDP nor ARP is there
	differs []string // from the boot as it lies open
	note    string   // that a remark has to hold
	error   string   // where nothing can be read
}{
	"two tags of 802.1Q": {wrap: func(p *packets) { p.tagged(200); p.tagged(30) }},
	"a tag of 802.1ad": {wrap: func(p *packets) {
		p.tagged(200)
		p.tagged(30)
		for _, one := range p.list {
			copy(one.data[12:], []byte{0x88, 0xa8})
		}
	}},
	"PPPoE": {onIP: true, differs: []string{ // without LLDP it cannot be told whether a voice VLAN was known
		`state: dhcp DISCOVER : "AddressAcquire", "VlanDiscover"`,
	}, wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte {
			body := onlyIP(0x11, 0, 0, 1, 0, 0, 0, 0x21)(frame)
			if body == nil {
				return nil
			}
			binary.BigEndian.PutUint16(body[4:], uint16(len(body)-6))
			return slices.Concat(frame[:12], []byte{0x88, 0x64}, body)
		})
	}},
	"PPP":                   {onIP: true, wrap: func(p *packets) { p.wrapped(layers.LinkTypePPP, onlyIP(0xff, 3, 0, 0x21)) }},
	"raw IP":                {onIP: true, wrap: func(p *packets) { p.wrapped(layers.LinkTypeRaw, onlyIP()) }},
	"the loopback, BSD":     {onIP: true, wrap: func(p *packets) { p.wrapped(linkNull, onlyIP(2, 0, 0, 0)) }},
	"the loopback, OpenBSD": {onIP: true, wrap: func(p *packets) { p.wrapped(linkLoop, onlyIP(0, 0, 0, 2)) }},
	"GRE": {note: "inside GRE", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte { return outer(47, append([]byte{0, 0, 0x65, 0x58}, frame...)) })
	}},
	"GRE with IP": {onIP: true, note: "inside GRE", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte {
			if body := onlyIP(0x20, 0, 8, 0, 0, 0, 0, 7)(frame); body != nil {
				return outer(47, body)
			}
			return nil
		})
	}},
	"ERSPAN I": {note: "inside ERSPAN", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte { return outer(47, append([]byte{0, 0, 0x88, 0xbe}, frame...)) })
	}},
	"ERSPAN II": {note: "inside ERSPAN", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte {
			return outer(47, append([]byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 0}, frame...))
		})
	}},
	"ERSPAN III": {note: "inside ERSPAN", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte {
			return outer(47, append([]byte{0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, frame...))
		})
	}},
	"ERSPAN II of a tagged wire": {note: "inside ERSPAN", wrap: func(p *packets) {
		p.tagged(200)
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte {
			return outer(47, append([]byte{0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 1, 0, 0, 0, 0}, frame...))
		})
	}},
	"VXLAN in a VLAN": {note: "inside VXLAN", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte { return inUDP(4789, append([]byte{8, 0, 0, 0, 0, 0, 7, 0}, frame...)) })
		p.tagged(99)
	}},
	"CAPWAP": {error: "frames are inside CAPWAP: they are not read", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte { return inUDP(5247, append(make([]byte, 8), frame...)) })
	}},
	"MACsec": {error: "frames are encrypted by MACsec: they are not read", wrap: func(p *packets) {
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte { return slices.Concat(frame[:12], []byte{0x88, 0xe5}, frame[12:]) })
	}},
	"802.11": {error: "frames are of a wireless network (802.11): they are not read", wrap: func(p *packets) {
		p.wrapped(linkWireless, func(frame []byte) []byte { return append(make([]byte, 24), frame...) })
	}},
	"DHCP in fragments": {wrap: (*packets).fragmented},
	"DHCP in fragments, mirrored": {note: "inside VXLAN", wrap: func(p *packets) {
		p.fragmented()
		p.wrapped(layers.LinkTypeEthernet, func(frame []byte) []byte { return inUDP(4789, append([]byte{8, 0, 0, 0, 0, 0, 7, 0}, frame...)) })
	}},
}

// TestImportOfEncapsulations: what is inside is read as if it lay open, or it is said that it is not read, and in what it is.
func TestImportOfEncapsulations(t *testing.T) {
	capture, _ := recordedBoot(t, "litware", rig.DefaultProfile, nil)
	p := readPackets(t, capture)
	keys := p.keyLog(t)
	whole := imported(t, capture, importer.Options{}).Exchange()
	overIP := slices.DeleteFunc(slices.Clone(whole), func(m exchange.Message) bool { return m.Protocol == "lldp" || m.Protocol == "arp" })
	for name, one := range encapsulations {
		t.Run(name, func(t *testing.T) {
			changed := p.copied()
			one.wrap(changed)
			file := changed.write(t)
			c, err := importer.Read(t.Context(), file, importer.Options{KeyLog: keys})
			if one.error != "" {
				if !errors.Is(err, importer.ErrNobody) || !strings.Contains(err.Error(), one.error) {
					t.Fatal(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			b, want := c.Boot(), whole
			if one.onIP {
				want = overIP
			}
			if got := differences(want, b.Exchange()); !slices.Equal(got, one.differs) || len(b.Messages) < len(want) {
				t.Errorf("%d messages of %d:\n%s", len(b.Messages), len(want), strings.Join(got, "\n"))
			}
			if len(b.Unread) > 0 || !strings.Contains(strings.Join(b.Remarks(), "\n"), one.note) || one.note == "" && len(b.Notes) > 0 {
				t.Errorf("unread %v, notes %q", b.Unread, b.Notes)
			}
			if !one.onIP && b.Handset.MAC.String() != "00:04:f2:08:99:21" {
				t.Errorf("the handset is %v", b.Handset)
			}
			if _, err := b.Scenario(b.Draft().Base); err != nil {
				t.Error(err)
			}
		})
	}
}
