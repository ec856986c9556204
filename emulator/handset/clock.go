package handset

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/beevik/ntp"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	codec "github.com/phone-edition/lpe/protocol/ntp"
)

const ntpPort = "123"

// timeSync asks the profile's time sources in order, one try each, and sets the handset's clock (discovery.md §6). A
// server that refuses is not asked again in this boot (RFC 4330, 8).
func (h *Handset) timeSync(ctx context.Context) (devicestate.Event, *Failure) {
	refused := map[string]bool{}
	for _, source := range h.profile.TimeSources {
		servers, err := h.timeServers(ctx, source)
		if err != nil {
			h.note("time source %s: %v", source, err)
		}
		for _, server := range servers {
			if refused[server] {
				h.note("time server %s of %s is not asked again: it refused", server, source)
				continue
			}
			response, err := h.askTime(ctx, server)
			if ctx.Err() != nil {
				return "", nil
			}
			if errors.Is(err, ntp.ErrKissOfDeath) {
				refused[server] = true
				h.warn(fail(devicestate.StageTime, "refused", server, fmt.Sprintf("the time server refuses: kiss-of-death %q", response.KissCode), nil))
				continue
			}
			if err != nil {
				h.note("time server %s of %s: %v", server, source, err)
				continue
			}
			h.setClock(server, source, response)
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

// ShiftClock puts the handset's clock forward, or back, as a clock does that runs wrong. It must not be called while Run
// runs.
func (h *Handset) ShiftClock(by time.Duration) error {
	h.clockOffset += by
	h.note("the clock jumps by %v to %s", by, h.now().UTC().Format(time.RFC3339))
	if !h.flash.ClockKept {
		return nil
	}
	h.flash.ClockOffset = h.clockOffset
	return h.save()
}

// askTime asks one server. With [ntp.ErrKissOfDeath] it returns the answer, too.
func (h *Handset) askTime(ctx context.Context, server string) (*ntp.Response, error) {
	var conn *timeConn
	dial := func(_, remote string) (_ net.Conn, err error) {
		conn, err = h.dialTime(ctx, remote)
		return conn, err
	}
	response, err := ntp.QueryWithOptions(server, ntp.QueryOptions{Timeout: h.profile.TimeTimeout, Dialer: dial})
	if err != nil {
		return nil, err
	}
	h.received("ntp", server, fmt.Sprintf("stratum %d", response.Stratum), func() exchange.Content { return exchange.NTP(conn.answer) })
	if response.ReferenceTime.Equal(ntpNotSet) {
		response.ReferenceTime = response.Time // no cause to refuse the time itself (RFC 4330, 5)
	}
	return response, response.Validate()
}

// ntpNotSet is what a timestamp of 0, which means "not set", becomes when it is read as a time.
var ntpNotSet = codec.Timestamp(0).Time()

func (h *Handset) setClock(server, source string, response *ntp.Response) {
	h.clockOffset, h.clockSynced = response.ClockOffset, true
	h.note("clock set to %s by %s", h.now().UTC().Format(time.RFC3339), source)
	if h.now().Before(h.profile.ColdDate) {
		h.note("time server %s is behind the firmware's own date, %s", server, h.profile.ColdDate.Format(time.DateOnly))
	}
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

// dialTime returns a connection that ends with ctx.
func (h *Handset) dialTime(ctx context.Context, remote string) (*timeConn, error) {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	to, err := addrPort(host, ntpPort)
	if err != nil {
		return nil, err
	}
	conn, err := h.station.DialUDP(to)
	if err != nil {
		return nil, err
	}
	return &timeConn{Conn: conn, h: h, server: host, unbind: context.AfterFunc(ctx, func() { conn.Close() })}, nil
}

const originAt = 24 // of Origin in a packet (RFC 4330, 4)

// timeConn passes on the answers to its own request and drops the rest, which others may have sent. It ends with a
// context.
type timeConn struct {
	net.Conn
	h      *Handset
	server string
	asked  codec.Timestamp // the request's Transmit as package ntp drew it
	sent   codec.Timestamp // the request's Transmit on the wire, which comes back as Origin
	answer []byte          // the one that was passed on, as it came, if somebody wants its fields
	unbind func() bool
}

// Write sends a request with a Transmit of the handset's own drawing.
func (c *timeConn) Write(b []byte) (int, error) {
	request, err := codec.Parse(b)
	if err != nil {
		return 0, err
	}
	var drawn [8]byte
	c.h.draw(drawn[:])
	c.sent = max(codec.Timestamp(binary.BigEndian.Uint64(drawn[:])), 1) // 0 means "not set"
	c.asked, request.Transmit = request.Transmit, c.sent
	packet, err := request.Append(nil)
	if err != nil {
		return 0, err
	}
	if o := c.h.cfg.outgoing; o != nil {
		packet = o.NTP(packet)
	}
	c.h.sent("ntp", c.server, "client request", func() exchange.Content { return exchange.NTP(packet) })
	if _, err := c.Conn.Write(packet); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (c *timeConn) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil {
			return 0, err
		}
		answer, err := codec.Parse(b[:n])
		switch {
		case err != nil:
			c.h.dropped("ntp", c.server, err.Error())
		case answer.Mode != codec.ModeServer:
			c.h.dropped("ntp", c.server, fmt.Sprintf("mode %d, %d expected", answer.Mode, codec.ModeServer))
		case answer.Origin != c.sent:
			c.h.dropped("ntp", c.server, fmt.Sprintf("an answer to another question: origin %016x, %016x expected", uint64(answer.Origin), uint64(c.sent)))
		default:
			if c.h.cfg.decode {
				c.answer = slices.Clone(b[:n])
			}
			binary.BigEndian.PutUint64(b[originAt:], uint64(c.asked))
			return n, nil
		}
	}
}

func (c *timeConn) Close() error {
	c.unbind()
	return c.Conn.Close()
}
