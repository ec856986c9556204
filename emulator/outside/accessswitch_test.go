//go:build peers

package outside

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net"
	"os"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// voiceVLAN is the VLAN of the access switch besides the native one.
const voiceVLAN = 200

// access is a handset's place at an access switch: its port is a trunk, on which the native VLAN is untagged. Behind
// either VLAN is a server with serverAddress, which knows nothing of tags.
type access struct {
	client, native, voice, port *namespace // port is the switch itself

	mu   sync.Mutex
	sent [][]byte // frames that came on the trunk
}

// newAccess needs no 802.1Q devices, which a kernel may lack: the switch reads and writes whole frames.
func newAccess(t *testing.T) *access {
	t.Helper()
	a := &access{
		client: newNamespace(t, "client"), native: newNamespace(t, "native"), voice: newNamespace(t, "voice"), port: newNamespace(t, "switch"),
	}
	a.client.connect("eth0", a.port, "trunk")
	for name, server := range map[string]*namespace{"native": a.native, "voice": a.voice} {
		server.connect("eth0", a.port, name)
		server.ip("address", "add", serverAddress, "dev", "eth0")
	}
	trunk, native, voice := openPort(a.port, "trunk"), openPort(a.port, "native"), openPort(a.port, "voice")
	var forwarding sync.WaitGroup
	t.Cleanup(func() {
		for _, p := range []*switchPort{trunk, native, voice} {
			p.file.Close()
		}
		forwarding.Wait()
	})
	forwarding.Go(func() {
		trunk.forward(func(frame []byte) {
			a.mu.Lock()
			a.sent = append(a.sent, bytes.Clone(frame))
			a.mu.Unlock()
			switch {
			case binary.BigEndian.Uint16(frame[12:]) != 0x8100:
				native.write(frame)
			case binary.BigEndian.Uint16(frame[14:])&0xfff == voiceVLAN:
				voice.write(slices.Concat(frame[:12], frame[16:]))
			}
		})
	})
	forwarding.Go(func() { native.forward(trunk.write) })
	forwarding.Go(func() {
		voice.forward(func(frame []byte) { trunk.write(slices.Concat(frame[:12], []byte{0x81, 0, 0, voiceVLAN}, frame[12:])) })
	})
	return a
}

// fromTrunk returns the ARP and IPv4 frames that came on the trunk so far, by the four bytes of their tag in hexadecimal
// digits, "" for none.
func (a *access) fromTrunk() map[string][][]byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string][][]byte{}
	for _, frame := range a.sent {
		tag := ""
		if binary.BigEndian.Uint16(frame[12:]) == 0x8100 {
			tag = hex.EncodeToString(frame[12:16])
		}
		out[tag] = append(out[tag], frame)
	}
	return out
}

// switchPort is a packet socket on a port of the switch.
type switchPort struct {
	t    *testing.T
	file *os.File
}

func openPort(n *namespace, name string) *switchPort {
	n.t.Helper()
	p := &switchPort{t: n.t}
	n.do(func() {
		link, err := net.InterfaceByName(name)
		if err != nil {
			n.t.Fatal(err)
		}
		everything := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		if err != nil {
			n.t.Fatal(err)
		}
		p.file = os.NewFile(uintptr(fd), name)
		for _, option := range []int{unix.PACKET_AUXDATA, unix.PACKET_IGNORE_OUTGOING} {
			if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1); err != nil {
				n.t.Fatal(err)
			}
		}
		if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: everything, Ifindex: link.Index}); err != nil {
			n.t.Fatal(err)
		}
	})
	return p
}

// forward hands every frame to f with its tag in place, but those to link-local groups, which no bridge forwards
// (IEEE 802.1D, 7.12.6), until the port is closed.
func (p *switchPort) forward(f func(frame []byte)) {
	raw, err := p.file.SyscallConn()
	if err != nil {
		p.t.Error(err)
		return
	}
	for b, control := make([]byte, 1<<17), make([]byte, 256); ; {
		var n, controls int
		var failed error
		if err := raw.Read(func(fd uintptr) bool {
			n, controls, _, _, failed = unix.Recvmsg(int(fd), b, control, 0)
			return !errors.Is(failed, unix.EAGAIN)
		}); err != nil {
			return
		}
		switch {
		case errors.Is(failed, unix.ENETDOWN):
			continue
		case failed != nil:
			p.t.Error(failed)
			return
		}
		if frame := withTag(p.t, b[:n], control[:controls]); n >= 14 && [5]byte(frame[:5]) != [5]byte{0x01, 0x80, 0xc2} {
			f(frame)
		}
	}
}

func (p *switchPort) write(frame []byte) {
	if _, err := p.file.Write(frame); err != nil && !errors.Is(err, os.ErrClosed) && !errors.Is(err, unix.ENETDOWN) {
		p.t.Error(err)
	}
}
