package handset

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/beevik/ntp"

	"github.com/phone-edition/lpe/devicestate"
)

const ntpPort = "123"

// timeSync asks the profile's time sources in order, one try each, and sets the handset's clock (discovery.md §6).
func (h *Handset) timeSync(ctx context.Context) (devicestate.Event, *Failure) {
	for _, source := range h.profile.TimeSources {
		servers, err := h.timeServers(ctx, source)
		if err != nil {
			h.note("time source %s: %v", source, err)
		}
		for _, server := range servers {
			response, err := ntp.QueryWithOptions(server, ntp.QueryOptions{Timeout: h.profile.TimeTimeout, Dialer: h.dialTime(ctx)})
			if err == nil {
				err = response.Validate()
			}
			if ctx.Err() != nil {
				return "", nil
			}
			if err != nil {
				h.note("time server %s of %s: %v", server, source, err)
				continue
			}
			h.received("ntp", server, fmt.Sprintf("stratum %d", response.Stratum))
			h.clockOffset, h.clockSynced = response.ClockOffset, true
			h.note("clock set to %s by %s", h.now().UTC().Format(time.RFC3339), source)
			return devicestate.ClockSet, nil
		}
	}
	if _, ok := h.computer(); ok {
		h.clockOffset, h.clockSynced = 0, true
		h.warn(fail(devicestate.StageTime, "no-answer", "", "no time server answered, the computer's clock is taken", nil))
		return devicestate.ClockSet, nil
	}
	h.warn(fail(devicestate.StageTime, "no-answer", "", "no time server answered, the clock stays at "+h.now().UTC().Format(time.RFC3339), nil))
	return devicestate.ClockUnset, nil
}

func (h *Handset) timeServers(ctx context.Context, source string) ([]string, error) {
	switch source {
	case "option42":
		var out []string
		for _, a := range h.ram.lease.ntp {
			out = append(out, a.String())
		}
		return out, nil
	case "srv":
		if h.ram.lease.domain == "" {
			return nil, nil
		}
		services, err := h.lookupService(ctx, "_ntp._udp."+h.ram.lease.domain)
		if err != nil {
			return nil, err
		}
		return h.firstAddress(ctx, services[0].target)
	case "fallback":
		return h.firstAddress(ctx, h.profile.TimeFallback)
	}
	return nil, fmt.Errorf("profile names an unknown time source")
}

func (h *Handset) firstAddress(ctx context.Context, host string) ([]string, error) {
	addrs, err := h.lookupHost(ctx, host)
	if err != nil {
		return nil, err
	}
	return []string{addrs[0].String()}, nil
}

// dialTime returns a dialer whose connections end with ctx.
func (h *Handset) dialTime(ctx context.Context) func(_, remote string) (net.Conn, error) {
	return func(_, remote string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(remote)
		if err != nil {
			host = remote
		}
		to, err := addrPort(host, ntpPort)
		if err != nil {
			return nil, err
		}
		h.sent("ntp", host, "client request")
		conn, err := h.station.DialUDP(to)
		if err != nil {
			return nil, err
		}
		return boundConn{conn, context.AfterFunc(ctx, func() { conn.Close() })}, nil
	}
}

// boundConn is a connection that something else may close before.
type boundConn struct {
	net.Conn
	unbind func() bool
}

func (c boundConn) Close() error {
	c.unbind()
	return c.Conn.Close()
}
