//go:build !linux

package ethernet

import "runtime"

func openWire(iface string) (wire, error) {
	return nil, &BridgeError{
		Kind: NotSupported, Interface: iface, Seen: "cannot be joined on " + runtime.GOOS,
		Instead: "use Linux, or the computer's own sockets (--host)",
	}
}
