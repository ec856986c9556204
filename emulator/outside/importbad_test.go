//go:build outside

package outside

import (
	"bytes"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"

	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/scenarios/importer"
)

// copied is a capture that a test changes without changing it for others.
func (p *packets) copied() *packets {
	c := *p
	c.list = make([]packet, len(p.list))
	for i, one := range p.list {
		c.list[i] = packet{one.info, bytes.Clone(one.data)}
	}
	return &c
}

// tagged puts every frame into a VLAN.
func (p *packets) tagged(vlan uint16) {
	for i, one := range p.list {
		tag := binary.BigEndian.AppendUint16([]byte{0x81, 0x00}, vlan)
		p.list[i].data = slices.Concat(one.data[:12], tag, one.data[12:])
	}
}

// cooked gives every frame the header of Linux's cooked capture, version 1 or 2, as seen from the handset.
func (p *packets) cooked(version int, handset []byte) {
	p.link = layers.LinkTypeLinuxSLL
	if version == 2 {
		p.link = 276
	}
	for i, one := range p.list {
		kind := byte(0) // to us
		switch {
		case bytes.Equal(one.data[6:12], handset):
			kind = 4 // by us
		case one.data[0]&1 != 0:
			kind = 1
		}
		source := slices.Concat(one.data[6:12], []byte{0, 0})
		header := slices.Concat([]byte{0, kind, 0, 1, 0, 6}, source, one.data[12:14])
		if version == 2 {
			header = slices.Concat(one.data[12:14], []byte{0, 0, 0, 0, 0, 2, 0, 1, kind, 6}, source)
		}
		p.list[i].data = append(header, one.data[14:]...)
	}
}

// foreign is traffic that is none of the boot's: spanning tree, IPv6, a connection of others, datagrams, garbage.
func foreign(n int) []byte {
	frames := []string{
		"\x01\x80\xc2\x00\x00\x00\x02\xaa\x00\x00\x00\x01\x00\x26\x42\x42\x03\x00\x00\x00\x00\x00\x80\x00\x02\xaa\x00\x00\x00\x01",
		"\x33\x33\x00\x00\x00\x01\x02\xaa\x00\x00\x00\x02\x86\xdd\x60\x00\x00\x00\x00\x08\x3a\xff" + strings.Repeat("\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 2) + "\x80\x00\x00\x00\x00\x01\x00\x01",
		"\x02\xaa\x00\x00\x00\x04\x02\xaa\x00\x00\x00\x03\x08\x00\x45\x00\x00\x3c\x00\x01\x00\x00\x40\x06\x00\x00\xc0\xa8\x00\x03\xc0\xa8\x00\x04\x9c\x40\x00\x50\x00\x00\x00\x01\x00\x00\x00\x01\x50\x18\x10\x00\x00\x00\x00\x00GET / HTTP/1.0\r\n\r\n\r\n",
		"\x02\xaa\x00\x00\x00\x04\x02\xaa\x00\x00\x00\x03\x08\x00\x45\x00\x00\x20\x00\x01\x00\x00\x40\x11\x00\x00\xc0\xa8\x00\x03\xc0\xa8\x00\x04\x9c\x40\x01\xbb\x00\x0c\x00\x00\x01\x02\x03\x04",
		"\xff\xff\xff\xff\xff\xff\x02\xaa\x00\x00\x00\x05\x88\xb5garbage of an experiment",
		"\xff\xff\xff\xff\xff\xff\x02\xaa\x00\x00\x00\x05\x08\x00\x4f\xff\xff",
	}
	return []byte(frames[n%len(frames)])
}

func (p *packets) insert(i int, data []byte) {
	one := p.list[i]
	one.data, one.info.CaptureLength, one.info.Length = data, len(data), len(data)
	p.list = slices.Insert(p.list, i, one)
}

// isTCP reports whether an untagged frame is a TCP segment from a port, with data.
func isTCP(data []byte, port uint16) bool {
	return len(data) > 66 && data[12] == 8 && data[13] == 0 && data[23] == 6 && binary.BigEndian.Uint16(data[34:]) == port
}

// badCapture is a capture with something in its way, and what is still to be read out of it.
type badCapture struct {
	change func(t *testing.T, p *packets) string // gives the file
	keyLog bool
	same   bool     // all messages are read
	begins int      // so many messages are, from the first
	note   []string // each is in a remark
	check  func(t *testing.T, whole []exchange.Message, b *importer.Boot)
}

var handsetMAC = []byte{0x00, 0x04, 0xf2, 0x08, 0x99, 0x21} // of litware's first user with the default profile

var badCaptures = map[string]badCapture{
	"pcap with a key log": {change: func(t *testing.T, p *packets) string { return p.writePcap(t) }, keyLog: true, same: true},
	"in a VLAN": {change: func(t *testing.T, p *packets) string {
		p.tagged(200)
		return p.write(t)
	}, same: true},
	"cooked": {change: func(t *testing.T, p *packets) string {
		p.cooked(1, handsetMAC)
		return p.write(t)
	}, same: true},
	"cooked, version 2": {change: func(t *testing.T, p *packets) string {
		p.cooked(2, handsetMAC)
		return p.write(t)
	}, same: true},
	"others talk": {change: func(t *testing.T, p *packets) string {
		for i := len(p.list) - 1; i >= 0; i-- {
			p.insert(i, foreign(i))
		}
		return p.write(t)
	}, same: true},
	"every segment twice": {change: func(t *testing.T, p *packets) string {
		for i := len(p.list) - 1; i >= 0; i-- {
			if isTCP(p.list[i].data, 80) || isTCP(p.list[i].data, 443) || isTCP(p.list[i].data, 5061) {
				p.insert(i, p.list[i].data)
			}
		}
		return p.write(t)
	}, same: true},
	"mirrored both ways": {change: func(t *testing.T, p *packets) string {
		for i := len(p.list) - 1; i >= 0; i-- {
			p.insert(i, p.list[i].data)
		}
		return p.write(t)
	}, note: []string{"datagrams are in the capture twice (first copy: frame ", "editcap -d"}},
	"segments out of order": {change: func(t *testing.T, p *packets) string {
		i := p.find(t, 0, "\x16\x03\x01", "\x00\x0b") // somewhere before the answers
		for swapped := 0; i+1 < len(p.list); i++ {
			a, b := p.list[i].data, p.list[i+1].data
			if isTCP(a, 80) && isTCP(b, 80) || isTCP(a, 443) && isTCP(b, 443) && len(a) > 1000 {
				p.list[i].data, p.list[i+1].data = b, a
				i++
				if swapped++; swapped == 3 {
					break
				}
			}
		}
		return p.write(t)
	}, same: true},
	"no secrets": {change: func(t *testing.T, p *packets) string {
		p.secrets = nil
		return p.write(t)
	}, note: []string{"There are no secrets", "--keylog"}, check: func(t *testing.T, whole []exchange.Message, b *importer.Boot) {
		for _, m := range b.Messages {
			if m.Protocol == "sip" {
				t.Errorf("%s was read", m.Kind)
			}
		}
		lacks := lacksOf(b)
		for _, want := range []string{"REGISTER 1: perhaps in the TLS that cannot be read", "the request for a web ticket: perhaps in the TLS"} {
			if !strings.Contains(lacks, want) {
				t.Errorf("%q is not said to be missing:\n%s", want, lacks)
			}
		}
		if strings.Contains(lacks, "ClientHello") || strings.Contains(lacks, "DISCOVER") {
			t.Errorf("missing, though it is there:\n%s", lacks)
		}
	}},
	"cut short": {change: func(t *testing.T, p *packets) string {
		file := p.write(t)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return p.file(t, "short.pcapng", b[:blockAt(b, len(b)/2)+20])
	}, begins: 30, note: []string{"cut short", "Read up to there"}},
	"damaged": {change: func(t *testing.T, p *packets) string {
		file := p.write(t)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		i := bytes.Index(b, []byte("REGISTER sip:"))
		if i < 0 {
			i = len(b) / 2
		}
		at := blockAt(b, i)
		binary.LittleEndian.PutUint32(b[at+4:], 0x7fffffff) // the length of a block
		return p.file(t, "damaged.pcapng", b)
	}, begins: 30, note: []string{"Read up to there"}},
	"cut frames": {change: func(t *testing.T, p *packets) string {
		for i := range p.list {
			p.list[i].info.Length = len(p.list[i].data)
			p.list[i].data = p.list[i].data[:min(96, len(p.list[i].data))]
			p.list[i].info.CaptureLength = len(p.list[i].data) + 1 // as written: not the whole
		}
		return p.write(t)
	}, note: []string{"snap length", "places, first between frames", "their frames are cut"}},
	"begins late": {change: func(t *testing.T, p *packets) string {
		i := slices.IndexFunc(p.list, func(one packet) bool {
			return len(one.data) >= 54 && one.data[23] == 6 && one.data[36] == 0x13 && one.data[37] == 0xc5
		})
		p.list = p.list[i:]
		return p.write(t)
	}, check: func(t *testing.T, whole []exchange.Message, b *importer.Boot) {
		i := slices.IndexFunc(whole, func(m exchange.Message) bool { return m.Kind == "REGISTER 1" }) - 2
		if got := differences(whole[i:], b.Exchange()); len(got) > 0 {
			t.Errorf("differs:\n%s", strings.Join(got, "\n"))
		}
		lacks := lacksOf(b)
		for _, want := range []string{"DISCOVER", "INFORM", "GetAndPublishCert", "NTP request"} {
			if !strings.Contains(lacks, want) {
				t.Errorf("%q is not said to be missing:\n%s", want, lacks)
			}
		}
	}},
	"begins inside the connection": {change: func(t *testing.T, p *packets) string {
		n := 0
		i := slices.IndexFunc(p.list, func(one packet) bool {
			if isTCP(one.data, 5061) {
				n++
			}
			return n == 5
		})
		p.list = p.list[i:]
		return p.write(t)
	}, note: []string{"could not be decrypted"}},
	"a segment is lost": {change: func(t *testing.T, p *packets) string {
		i := p.find(t, 0, "HTTP/1.1 200 OK", "WebTicket") + 1
		for !isTCP(p.list[i].data, 80) {
			i++
		}
		p.list = slices.Delete(p.list, i, i+1)
		return p.write(t)
	}, note: []string{"segments were lost", "cannot be read: the capture holds its beginning alone"}, check: func(t *testing.T, whole []exchange.Message, b *importer.Boot) {
		got := differences(whole, b.Exchange())
		if len(got) != 1 || got[0] != `message missing: http 200 OK : "", ""` {
			t.Errorf("got %q", got)
		}
	}},
	"a segment of TLS is lost": {change: func(t *testing.T, p *packets) string {
		n := 0
		i := slices.IndexFunc(p.list, func(one packet) bool {
			if isTCP(one.data, 5061) {
				n++
			}
			return n == 8
		})
		p.list = slices.Delete(p.list, i, i+1)
		return p.write(t)
	}, begins: 50, note: []string{"segments were lost", "could not be decrypted"}},
}

// blockAt is where the pcapng block that holds byte i begins.
func blockAt(b []byte, i int) int {
	at := 0
	for {
		n := int(binary.LittleEndian.Uint32(b[at+4:]))
		if at+n > i {
			return at
		}
		at += n
	}
}

func lacksOf(b *importer.Boot) string {
	var out []string
	for _, a := range b.Account() {
		for _, lack := range a.Missing {
			out = append(out, string(a.Stage)+": "+lack.What+" ("+lack.Why+")")
		}
	}
	return strings.Join(out, "\n")
}

// TestImportOfBadCaptures reads what is there, says what is not, and makes nothing up.
func TestImportOfBadCaptures(t *testing.T) {
	capture, _ := recordedBoot(t, "litware", rig.DefaultProfile, nil)
	p := readPackets(t, capture)
	whole := imported(t, capture, importer.Options{}).Exchange()
	for name, one := range badCaptures {
		t.Run(name, func(t *testing.T) {
			file := one.change(t, p.copied())
			o := importer.Options{}
			if one.keyLog {
				o.KeyLog = p.keyLog(t)
			}
			b := imported(t, file, o)
			got := b.Exchange()
			if one.same {
				if d := differences(whole, got); len(d) > 0 {
					t.Errorf("differs:\n%s", strings.Join(d, "\n"))
				}
			}
			if one.begins > 0 {
				if len(got) < one.begins {
					t.Fatalf("%d messages", len(got))
				}
				if d := differences(whole[:one.begins], got[:one.begins]); len(d) > 0 {
					t.Errorf("differs:\n%s", strings.Join(d, "\n"))
				}
			}
			remarks := strings.Join(b.Remarks(), "\n")
			for _, note := range one.note {
				if !strings.Contains(remarks, note) {
					t.Errorf("no remark says %q:\n%s", note, remarks)
				}
			}
			if one.check != nil {
				one.check(t, whole, b)
			}
			if _, err := b.Scenario(b.Draft().Base); err != nil {
				t.Error(err)
			}
			if _, err := b.Draft().YAML(file); err != nil {
				t.Error(err)
			}
		})
	}
}
