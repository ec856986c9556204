//go:build peers

package outside

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/phone-edition/lpe/emulator/ethernet"
)

// TestBridgeSplitsAsTheKernel sends a packet of 3000 or 60000 bytes of TCP whose checksum is not finished. Where the other
// end's interface takes such packets, the bridge cuts them; where it does not, the kernel does: the frames are the same.
func TestBridgeSplitsAsTheKernel(t *testing.T) {
	client, server := newWire(t)
	var tapped frameLog
	b := bridge(t, client, ethernet.Options{Tap: tapped.add})
	st := onBridge(t, b, 1, "")
	heard, err := st.Frames(0x88b5)
	if err != nil {
		t.Fatal(err)
	}
	far := rawSocket(t, server)
	for _, tag := range []string{"", "8100a0c8"} {
		for _, n := range []int{3000, 60000} {
			packet := octets(t, "020000000001"+"0200000000fa"+tag+"0800"+
				"45b80000fffe40004006"+"0000"+"0a4d00010a4d0002"+
				"0050c000fffffa00010203048099ffff"+"00000000"+"0101080a0000000100000002") // CWR, ACK, PSH, FIN; time stamps
			ip := packet[14+len(tag)/2:]
			data := make([]byte, n)
			for i := range data {
				data[i] = byte(i % 251)
			}
			binary.BigEndian.PutUint16(ip[2:], uint16(20+32+n))
			binary.BigEndian.PutUint16(ip[10:], ^folded(ip[:20]))
			binary.BigEndian.PutUint16(ip[36:], folded(append(bytes.Clone(ip[12:20]), 0, 6, byte((32+n)>>8), byte(32+n))))
			packet = append(packet, data...)

			var cut [2][][]byte
			for i, offloads := range []string{"on", "off"} {
				server.run("ethtool", "-K", "eth0", "tx", offloads, "tso", offloads, "gso", offloads)
				before := b.Counters().Split
				tapped.clear()
				far.offload(packet, 14+len(tag)/2+20)
				far.send("020000000001" + "0200000000fa" + "88b5" + "01")
				if _, err := heard.Receive(soon(t)); err != nil {
					t.Fatal(err)
				}
				for _, f := range tapped.given("eth0") {
					if binary.BigEndian.Uint16(f[12:]) != 0x88b5 {
						cut[i] = append(cut[i], f)
					}
				}
				if split := b.Counters().Split - before; split != map[string]uint64{"on": 1, "off": 0}[offloads] {
					t.Errorf("offloads %s: %d packets cut", offloads, split)
				}
			}
			name := fmt.Sprintf("%d bytes with tag %q", n, tag)
			if ours, kernels := len(cut[0]), len(cut[1]); ours != kernels || ours != (n+1399)/1400 {
				t.Fatalf("%s: cut into %d, by the kernel into %d", name, ours, kernels)
			}
			for i := range cut[0] {
				if !bytes.Equal(cut[0][i], cut[1][i]) {
					t.Errorf("%s: segment %d is\n%x, the kernel's\n%x", name, i, cut[0][i][:80], cut[1][i][:80])
				}
			}
		}
	}
}

// folded is the sum of RFC 1071.
func folded(b []byte) uint16 {
	var s uint32
	for i := 0; i < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// offload sends a TCP packet for the interface to cut into segments of 1400 bytes and to finish the checksum, which is
// over the bytes from tcp on: struct virtio_net_hdr (linux/virtio_net.h).
func (r *raw) offload(packet []byte, tcp int) {
	r.t.Helper()
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 1); err != nil {
		r.t.Fatal(err)
	}
	b := []byte{unix.VIRTIO_NET_HDR_F_NEEDS_CSUM, unix.VIRTIO_NET_HDR_GSO_TCPV4 | unix.VIRTIO_NET_HDR_GSO_ECN}
	for _, n := range []int{tcp + 32, 1400, tcp, 16} {
		b = binary.NativeEndian.AppendUint16(b, uint16(n))
	}
	if _, err := unix.Write(r.fd, append(b, packet...)); err != nil {
		r.t.Fatal(err)
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_PACKET, unix.PACKET_VNET_HDR, 0); err != nil {
		r.t.Fatal(err)
	}
}
