package ethernet

import (
	"encoding/binary"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// linkNews hears from the kernel (rtnetlink(7)) whether an interface has link. It asks nothing but through its own
// socket, so it stays in the network namespace in which it was opened.
type linkNews struct {
	socket *os.File
	name   string
	index  int
	buffer []byte // of the socket
	unread []byte // messages in buffer
}

func openLinkNews(name string, index int) (*linkNews, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	l := &linkNews{socket: os.NewFile(uintptr(fd), "netlink:"+name), name: name, index: index, buffer: make([]byte, 32<<10)}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		return nil, errors.Join(os.NewSyscallError("bind", err), l.close())
	}
	if err := l.ask(); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

// ask has the kernel tell the present state.
func (l *linkNews) ask() error {
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], unix.RTM_GETLINK)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[unix.SizeofNlMsghdr+4:], uint32(l.index))
	_, err := l.socket.Write(b)
	return err
}

// next waits for news of the interface: nil when it has link.
func (l *linkNews) next() (*BridgeError, error) {
	for {
		for len(l.unread) >= unix.SizeofNlMsghdr {
			size := int(binary.NativeEndian.Uint32(l.unread))
			kind := binary.NativeEndian.Uint16(l.unread[4:])
			body := l.unread[unix.SizeofNlMsghdr:min(max(size, unix.SizeofNlMsghdr), len(l.unread))]
			l.unread = l.unread[min(max((size+3)&^3, unix.SizeofNlMsghdr), len(l.unread)):]
			if lost, ours, err := l.read(kind, body); ours {
				return lost, err
			}
		}
		n, err := l.socket.Read(l.buffer)
		if errors.Is(err, syscall.ENOBUFS) { // news were lost
			err = l.ask()
		}
		if err != nil {
			return nil, err
		}
		l.unread = l.buffer[:n]
	}
}

// read reads a message, of which the attributes may be cut off; ours is false if it is not about the interface.
func (l *linkNews) read(kind uint16, body []byte) (lost *BridgeError, ours bool, err error) {
	gone := &BridgeError{
		Kind: NoInterface, Interface: l.name, Seen: "was removed", Instead: "start again when it is back",
	}
	if kind == unix.NLMSG_ERROR && len(body) >= 4 { // the answer to ask
		if number := syscall.Errno(-int32(binary.NativeEndian.Uint32(body))); number != syscall.ENODEV {
			return nil, true, os.NewSyscallError("rtnetlink", number)
		}
		return gone, true, nil
	}
	if len(body) < unix.SizeofIfInfomsg || body[0] != unix.AF_UNSPEC || int(binary.NativeEndian.Uint32(body[4:])) != l.index {
		return nil, false, nil
	}
	flags := binary.NativeEndian.Uint32(body[8:])
	switch {
	case kind == unix.RTM_DELLINK:
		return gone, true, nil
	case kind != unix.RTM_NEWLINK:
		return nil, false, nil
	case flags&unix.IFF_UP == 0:
		return &BridgeError{
			Kind: NoCarrier, Interface: l.name, Seen: "is down", Instead: "set it up (ip link set " + l.name + " up)",
		}, true, nil
	case flags&unix.IFF_RUNNING == 0:
		return &BridgeError{
			Kind: NoCarrier, Interface: l.name, Seen: "has no link", Instead: "plug in its cable, or look at the other end",
		}, true, nil
	}
	return nil, true, nil
}

func (l *linkNews) close() error { return l.socket.Close() }
