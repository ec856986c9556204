//go:build outside || peers

package outside

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// packet is one frame of a capture.
type packet struct {
	info gopacket.CaptureInfo
	data []byte
}

// packets are a capture that a test changes.
type packets struct {
	list    []packet
	secrets []byte // key log
	link    layers.LinkType
}

func readPackets(t *testing.T, file string) *packets {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &packets{link: layers.LinkTypeEthernet, secrets: secretsIn(b)}
	r, err := pcapgo.NewNgReader(bytes.NewReader(b), pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatal(err)
		}
		info.InterfaceIndex = 0
		p.list = append(p.list, packet{info, data})
	}
}

// secretsIn are the key logs of a pcapng file of this computer's byte order.
func secretsIn(b []byte) []byte {
	var out []byte
	for len(b) >= 12 {
		n := binary.LittleEndian.Uint32(b[4:])
		if binary.LittleEndian.Uint32(b) == 10 {
			size := binary.LittleEndian.Uint32(b[12:])
			out = append(out, b[16:16+size]...)
		}
		b = b[n:]
	}
	return out
}

// write writes the capture as pcapng, its secrets first.
func (p *packets) write(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w, err := pcapgo.NewNgWriterInterface(&out, pcapgo.NgInterface{LinkType: p.link, TimestampResolution: 9}, pcapgo.DefaultNgWriterOptions)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.secrets) > 0 {
		if err := w.WriteDecryptionSecretsBlock(pcapgo.DSB_SECRETS_TYPE_TLS, p.secrets); err != nil {
			t.Fatal(err)
		}
	}
	for _, one := range p.list {
		p.writeOne(t, w.WritePacket, one)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return p.file(t, "changed.pcapng", out.Bytes())
}

// writePcap writes the capture in the old format, which has no room for secrets.
func (p *packets) writePcap(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	w := pcapgo.NewWriterNanos(&out)
	if err := w.WriteFileHeader(1<<16, p.link); err != nil {
		t.Fatal(err)
	}
	for _, one := range p.list {
		p.writeOne(t, w.WritePacket, one)
	}
	return p.file(t, "changed.pcap", out.Bytes())
}

func (p *packets) writeOne(t *testing.T, write func(gopacket.CaptureInfo, []byte) error, one packet) {
	t.Helper()
	if one.info.Length == one.info.CaptureLength {
		one.info.Length = len(one.data)
	}
	one.info.CaptureLength = len(one.data)
	if err := write(one.info, one.data); err != nil {
		t.Fatal(err)
	}
}

func (p *packets) file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (p *packets) keyLog(t *testing.T) string { t.Helper(); return p.file(t, "keys", p.secrets) }
