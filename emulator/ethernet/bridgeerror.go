package ethernet

// BridgeErrorKind says what a computer lacks for a [Bridge].
type BridgeErrorKind uint8

// What a computer may lack.
const (
	NoPermission BridgeErrorKind = iota + 1 // CAP_NET_RAW
	NoInterface                             // there is none of this name, or not any more
	NoCarrier                               // it is down or has no link
	Wireless                                // an access point carries no second MAC address
	NotEthernet                             // loopback, a tunnel, or less than Ethernet's MTU
	ThisComputer                            // a target that is this very computer
	NotSupported                            // by this operating system or its kernel
)

func (k BridgeErrorKind) String() string {
	switch k {
	case NoPermission:
		return "no permission"
	case NoInterface:
		return "no interface"
	case NoCarrier:
		return "no carrier"
	case Wireless:
		return "wireless"
	case NotEthernet:
		return "not Ethernet"
	case ThisComputer:
		return "this computer"
	case NotSupported:
		return "not supported"
	}
	return "unknown"
}

// BridgeError says why a real interface cannot be joined, or cannot be used any more, and what to do instead.
type BridgeError struct {
	Kind      BridgeErrorKind
	Interface string
	Seen      string // what is wrong with it
	Instead   string // what to do
	Err       error  // the cause, if the operating system named one
}

func (e *BridgeError) Error() string {
	text := "interface " + e.Interface + " " + e.Seen
	if e.Err != nil {
		text += " (" + e.Err.Error() + ")"
	}
	return text + ": " + e.Instead
}

func (e *BridgeError) Unwrap() error { return e.Err }
