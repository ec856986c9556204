package exchange

import (
	"fmt"
	"time"

	"github.com/phone-edition/lpe/protocol/ntp"
)

// NTP tells a packet.
func NTP(packet []byte) Content {
	var f fields
	p, err := ntp.Parse(packet)
	if err != nil {
		f.add("broken", err.Error())
		return Content{"a packet that cannot be read", f.list}
	}
	f.add("leap", fmt.Sprint(p.Leap))
	f.add("version", fmt.Sprint(p.Version))
	f.add("mode", fmt.Sprint(p.Mode))
	f.add("stratum", fmt.Sprint(p.Stratum))
	f.add("poll", fmt.Sprint(p.Poll))
	f.add("precision", fmt.Sprint(p.Precision))
	f.add("root delay", fmt.Sprintf("%08x", p.RootDelay))
	f.add("root dispersion", fmt.Sprintf("%08x", p.RootDispersion))
	f.add("reference id", fmt.Sprintf("%x", p.ReferenceID))
	for _, stamp := range []struct {
		name string
		at   ntp.Timestamp
	}{{"reference", p.Reference}, {"origin", p.Origin}, {"receive", p.Receive}, {"transmit", p.Transmit}} {
		switch {
		case stamp.at == 0:
			f.add(stamp.name, "not set")
		case p.Mode == ntp.ModeClient || stamp.name == "origin":
			f.fresh(stamp.name, fmt.Sprintf("%016x", uint64(stamp.at))) // of the asker's own drawing, no time
		default:
			f.fresh(stamp.name, stamp.at.Time().UTC().Format(time.RFC3339Nano))
		}
	}
	if len(p.Extension) > 0 {
		f.add("extension", fmt.Sprintf("%x", p.Extension))
	}
	switch p.Mode {
	case ntp.ModeClient:
		return Content{"client request", f.list}
	case ntp.ModeServer:
		return Content{"server answer", f.list}
	}
	return Content{fmt.Sprintf("mode %d", p.Mode), f.list}
}
