package ethernet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

const useHost = "use the computer's own sockets (--host)"

// packetWire is a real interface through a packet socket (packet(7)). One socket receives, sends and holds the
// promiscuous membership, which therefore ends with the process. (gopacket/afpacket keeps its socket to itself: no
// membership, no state of checksums, a reader that Close does not wake; and it receives a millisecond late, or in slots
// of memory that would each have to hold 64 KiB.)
type packetWire struct {
	socket *os.File
	raw    syscall.RawConn
	news   *linkNews

	in, control []byte // of receive
	out         []byte // of send, begins with a blank virtioHeader

	mu      sync.Mutex
	dropped uint64
}

const (
	virtioHeader = 10      // struct virtio_net_hdr, which the socket puts before each frame
	buffered     = 8 << 20 // of the kernel, for frames that wait
)

func openWire(name string) (wire, error) {
	iface, err := findInterface(name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0) // protocol 0 receives nothing yet
	if err != nil {
		return nil, noSocket(name, err)
	}
	w := &packetWire{
		socket: os.NewFile(uintptr(fd), "packet:"+name),
		in:     make([]byte, virtioHeader+largestArrival), control: make([]byte, unix.CmsgSpace(auxdataSize)),
		out: make([]byte, virtioHeader, virtioHeader+maxFrame),
	}
	if err := w.open(fd, iface); err != nil {
		_ = w.socket.Close() // the first error says more
		return nil, err
	}
	return w, nil
}

func noSocket(name string, err error) error {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return &BridgeError{
			Kind: NoPermission, Interface: name, Seen: "needs CAP_NET_RAW for frames of one's own", Err: err,
			Instead: "run as root, give the program the capability (setcap cap_net_raw+ep), or " + useHost,
		}
	}
	return &BridgeError{Kind: NotSupported, Interface: name, Seen: "has no packet socket in this kernel", Err: err, Instead: useHost}
}

// findInterface refuses what cannot carry a second station.
func findInterface(name string) (*net.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, &BridgeError{Kind: NotSupported, Interface: name, Seen: "cannot be looked up", Err: err, Instead: useHost}
	}
	var fit []string
	for _, i := range all {
		e := unfit(i, "/sys/class/net")
		switch {
		case i.Name == name && e != nil:
			return nil, e
		case i.Name == name:
			return &i, nil
		case e == nil:
			fit = append(fit, i.Name)
		}
	}
	e := &BridgeError{Kind: NoInterface, Interface: name, Seen: "does not exist", Instead: useHost}
	if len(fit) > 0 {
		e.Instead = "name one of " + strings.Join(fit, ", ") + ", or " + useHost
	}
	return nil, e
}

// unfit says why an interface is none for a Bridge, or nil. sysfs is where the kernel describes interfaces.
func unfit(i net.Interface, sysfs string) *BridgeError {
	e := &BridgeError{Kind: NotEthernet, Interface: i.Name, Instead: "name a wired Ethernet interface or " + useHost}
	switch {
	case i.Flags&net.FlagLoopback != 0:
		e.Seen = "is the loopback, which has no wire"
	case i.Flags&net.FlagPointToPoint != 0:
		e.Seen = "is a tunnel, which carries no Ethernet frames"
	case i.MTU < mtu:
		e.Seen = fmt.Sprintf("has an MTU of %d, %d expected", i.MTU, mtu)
	case wireless(filepath.Join(sysfs, i.Name)):
		e.Kind, e.Seen = Wireless, "is wireless, and an access point carries no second MAC address"
	default:
		return nil
	}
	return e
}

func wireless(dir string) bool {
	for _, name := range []string{"wireless", "phy80211"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// open makes the socket receive from the interface. Its errors are *BridgeError.
func (w *packetWire) open(fd int, iface *net.Interface) error {
	unsupported := func(what string, err error) error {
		return &BridgeError{Kind: NotSupported, Interface: iface.Name, Seen: "cannot be joined: " + what, Err: err, Instead: useHost}
	}
	var err error
	if w.raw, err = w.socket.SyscallConn(); err != nil {
		return unsupported("socket", err)
	}
	if err := w.admit(nil); err != nil {
		return unsupported("filter", err)
	}
	for option, what := range map[int]string{unix.PACKET_AUXDATA: "802.1Q tags", unix.PACKET_VNET_HDR: "checksums"} {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, option, 1); err != nil {
			return unsupported(what, err)
		}
	}
	// Without CAP_NET_ADMIN the computer's bound holds.
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, buffered); err != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, buffered); err != nil {
			return unsupported("buffer", err)
		}
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: bigEndian(unix.ETH_P_ALL), Ifindex: iface.Index}); err != nil {
		return unsupported("bind", err)
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return unsupported("bind", err)
	}
	if a, ok := bound.(*unix.SockaddrLinklayer); !ok || a.Hatype != unix.ARPHRD_ETHER {
		return &BridgeError{
			Kind: NotEthernet, Interface: iface.Name, Seen: "carries no Ethernet frames", Instead: "name a wired Ethernet interface or " + useHost,
		}
	}
	all := &unix.PacketMreq{Ifindex: int32(iface.Index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, all); err != nil {
		return unsupported("promiscuous membership", err)
	}
	if w.news, err = openLinkNews(iface.Name, iface.Index); err != nil {
		return unsupported("watch of the link", err)
	}
	lost, err := w.news.next()
	switch {
	case err != nil:
		err = unsupported("watch of the link", err)
	case lost != nil:
		err = lost
	}
	if err != nil {
		_ = w.news.close() // the first error says more
	}
	return err
}

func bigEndian(v uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, v))
}

const auxdataSize = 20 // struct tpacket_auxdata

func (w *packetWire) receive() (arrival, error) {
	var n, controls, flags int
	var err error
	waited := w.raw.Read(func(fd uintptr) bool {
		n, controls, flags, _, err = unix.Recvmsg(int(fd), w.in, w.control, 0)
		if errors.Is(err, syscall.ENETDOWN) { // told once, before what came till then; linkNews tells, too
			n, controls, flags, _, err = unix.Recvmsg(int(fd), w.in, w.control, 0)
		}
		return !errors.Is(err, syscall.EAGAIN)
	})
	switch {
	case waited != nil:
		return arrival{}, waited
	case errors.Is(err, syscall.EINVAL): // it was put together in a way that virtio_net_hdr cannot tell
		return arrival{}, errUnreadable
	case err != nil:
		return arrival{}, os.NewSyscallError("recvmsg", err)
	case flags&unix.MSG_TRUNC != 0 || n < virtioHeader:
		return arrival{}, errUnreadable
	}
	a := readVirtio(w.in[:n])
	a.tag = readAuxdata(w.control[:controls])
	return a, nil
}

// readVirtio reads a frame after its struct virtio_net_hdr (linux/virtio_net.h).
func readVirtio(b []byte) arrival {
	h, a := b[:virtioHeader], arrival{frame: b[virtioHeader:]}
	if h[1] != unix.VIRTIO_NET_HDR_GSO_NONE {
		a.segment = int(binary.NativeEndian.Uint16(h[4:]))
	}
	if h[0]&unix.VIRTIO_NET_HDR_F_NEEDS_CSUM != 0 {
		a.sumFrom = int(binary.NativeEndian.Uint16(h[6:]))
		a.sumAt = a.sumFrom + int(binary.NativeEndian.Uint16(h[8:]))
	}
	a.verified = h[0]&unix.VIRTIO_NET_HDR_F_DATA_VALID != 0
	return a
}

// readAuxdata finds the tag in control messages: struct tpacket_auxdata (linux/if_packet.h).
func readAuxdata(controls []byte) tag {
	for len(controls) > 0 {
		header, data, rest, err := unix.ParseOneSocketControlMessage(controls)
		if err != nil {
			return 0
		}
		controls = rest
		if header.Level != unix.SOL_PACKET || header.Type != unix.PACKET_AUXDATA || len(data) < auxdataSize {
			continue
		}
		status := binary.NativeEndian.Uint32(data)
		tci, tpid := binary.NativeEndian.Uint16(data[16:]), binary.NativeEndian.Uint16(data[18:])
		if status&unix.TP_STATUS_VLAN_VALID == 0 {
			return 0
		}
		return tag(tpid)<<16 | tag(tci)
	}
	return 0
}

func (w *packetWire) send(frame []byte) error {
	w.out = append(w.out[:virtioHeader], frame...)
	var err error
	waited := w.raw.Write(func(fd uintptr) bool {
		_, err = unix.Write(int(fd), w.out)
		return true
	})
	return errors.Join(waited, os.NewSyscallError("write", err))
}

func (w *packetWire) overflowed() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	_ = w.raw.Control(func(fd uintptr) { // a closed socket drops nothing
		if s, err := unix.GetsockoptTpacketStats(int(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS); err == nil {
			w.dropped += uint64(s.Drops) // since the last time
		}
	})
	return w.dropped
}

func (w *packetWire) link() (*BridgeError, error) { return w.news.next() }

func (w *packetWire) close() error {
	w.overflowed() // for Counters, later
	return errors.Join(w.socket.Close(), w.news.close())
}
