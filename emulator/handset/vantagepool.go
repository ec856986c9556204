package handset

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"strconv"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/soap"
	"github.com/phone-edition/lpe/protocol/tlsdsk"
)

// SetClock makes the handset's clock show the computer's time, as a time server would.
func (v Vantage) SetClock() { v.h.clockOffset, v.h.clockSynced = 0, true }

// AnyTLS lets the handset speak every TLS version with every suite, or its own again: to read what it could not.
func (v Vantage) AnyTLS(on bool) { v.h.anyTLS = on }

// Metadata reads the metadata of a service in the form get or transfer, over TLS that is not verified. Forms are
// those of web-services.md §1.3 and §1.4.
func (v Vantage) Metadata(ctx context.Context, form, service string) (soap.Metadata, *Failure) {
	return v.h.metadataIn(ctx, form, webRequest{stage: devicestate.StageTicket, doing: "reading the metadata"}, service)
}

// RootChain downloads the root chain as a boot does, from the host of the certificate provisioning URL by http at
// the given port, and holds it unless authorities were given.
func (v Vantage) RootChain(ctx context.Context, certURL string, port uint16) ([]*x509.Certificate, *Failure) {
	service, err := anonymousURL(certURL)
	if err != nil {
		return nil, fail(devicestate.StageChain, "garbage", "", "the certificate provisioning URL is no URL", err)
	}
	if u, err := url.Parse(service); err == nil && port != 80 {
		u.Host = net.JoinHostPort(u.Hostname(), strconv.Itoa(int(port)))
		service = u.String()
	}
	if failure := v.h.downloadChainFrom(ctx, service); failure != nil {
		return nil, failure
	}
	chain := v.h.ram.chain
	if err := v.h.storeChain(); err != nil {
		return nil, internal("keeping the root chain", err)
	}
	return chain, nil
}

// Challenge is a registrar's answer to a REGISTER without Authorization.
type Challenge struct {
	Peer    string
	Status  int
	Reason  string
	Server  string // header, "" if there is none
	Schemes []Scheme
}

// Scheme is one way to authenticate that a challenge offers.
type Scheme struct {
	Name string
	tlsdsk.Params
	Err error // the parameters cannot be read
}

// Challenge sends a registrar one REGISTER without Authorization, its own name in From and To. The failure is what a boot
// would end with; there may be an answer all the same.
func (v Vantage) Challenge(ctx context.Context, host string, port uint16, addresses []netip.Addr) (*Challenge, *Failure) {
	m, peer, failure := v.h.askChallenge(ctx, devicestate.StageRegister,
		candidate{Source: "target", Host: host, Port: port, Transport: "tls", addresses: addresses})
	if failure != nil {
		return nil, failure
	}
	answer := &Challenge{Peer: peer, Status: m.Status, Reason: m.Reason, Server: m.Get("Server")}
	for _, value := range m.Values("WWW-Authenticate") {
		name, p, err := tlsdsk.ParseParams(value)
		answer.Schemes = append(answer.Schemes, Scheme{name, p, err})
	}
	_, failure = challenged(peer, m)
	return answer, failure
}
