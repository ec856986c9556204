package ethernet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
)

var (
	errHostUnreachable    error = syscall.EHOSTUNREACH
	errNetworkUnreachable error = syscall.ENETUNREACH
)

// opError gives an error the shape that errors of package net have. io.EOF stays as it is, as readers expect.
func opError(op, network string, local, remote net.Addr, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	var number syscall.Errno
	if errors.As(err, &number) {
		call := op
		if op == "dial" {
			call = "connect"
		}
		err = os.NewSyscallError(call, number)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errDialTimeout
	}
	return &net.OpError{Op: op, Net: network, Source: local, Addr: remote, Err: err}
}

// errDialTimeout is what a connect gives whose context's deadline passed: a timeout for both worlds.
var errDialTimeout = timeout{}

type timeout struct{}

func (timeout) Error() string { return "i/o timeout" }

func (timeout) Timeout() bool { return true }

func (timeout) Is(target error) bool {
	return target == context.DeadlineExceeded || target == os.ErrDeadlineExceeded
}

func tcpAddr(a netip.AddrPort) *net.TCPAddr { return net.TCPAddrFromAddrPort(a) }

func udpAddr(a netip.AddrPort) *net.UDPAddr { return net.UDPAddrFromAddrPort(a) }

// udpTarget reads the address of a WriteTo.
func udpTarget(addr net.Addr) (netip.AddrPort, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok {
		return netip.AddrPort{}, syscall.EAFNOSUPPORT
	}
	to := unmap(u.AddrPort())
	if !to.Addr().Is4() {
		return netip.AddrPort{}, syscall.EAFNOSUPPORT
	}
	return to, nil
}

func anyTCP(port uint16) net.Addr { return tcpAddr(netip.AddrPortFrom(netip.IPv4Unspecified(), port)) }

func anyUDP(port uint16) net.Addr { return udpAddr(netip.AddrPortFrom(netip.IPv4Unspecified(), port)) }
