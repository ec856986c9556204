package ethernet

import (
	"context"
	"net"
	"net/netip"
)

// bridgedStation is a station on a [Bridge]. It says so when it is to reach this very computer, instead of waiting for
// an answer that cannot come.
type bridgedStation struct {
	*station
	on *Bridge
}

func (st bridgedStation) DialTCP(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if err := st.on.reaches(to.Addr()); err != nil {
		return nil, opError("dial", "tcp", nil, tcpAddr(to), err)
	}
	return st.station.DialTCP(ctx, to)
}

func (st bridgedStation) DialUDP(to netip.AddrPort) (net.Conn, error) {
	if err := st.on.reaches(to.Addr()); err != nil {
		return nil, opError("dial", "udp", nil, udpAddr(to), err)
	}
	return st.station.DialUDP(to)
}

func (b *Bridge) reaches(addr netip.Addr) error {
	if !b.IsLocal(addr) {
		return nil
	}
	return &BridgeError{
		Kind: ThisComputer, Interface: b.iface, Seen: "does not lead to " + addr.String() + ", which is this computer itself",
		Instead: "use --host, or run lpe on another computer of the segment",
	}
}
