package probe

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
)

const (
	maxAddresses = 4        // of one name
	maxAnswer    = 64 << 10 // bytes of HTTP
	atOnce       = 5        // handshakes with one port
)

// clockTolerance is how far the handset's clock may be off; Kerberos takes as much.
const clockTolerance = 5 * time.Minute

// plain looks at a port without TLS. It returns the clock of the web server, if that tells it.
func (l *look) plain(ctx context.Context, e endpoint) ([]report.Probe, time.Time) {
	probes, open := l.tcp(ctx, e)
	if !open.IsValid() {
		return probes, time.Time{}
	}
	return probes, l.date(ctx, e, open)
}

// secured looks at a port with TLS, and reports whether a handshake was had.
func (l *look) secured(ctx context.Context, e endpoint) ([]report.Probe, bool) {
	probes, open := l.tcp(ctx, e)
	if !open.IsValid() {
		return probes, false
	}
	probe, chain := l.tls(ctx, e, open)
	probes = append(probes, probe)
	if chain == nil {
		return probes, false
	}
	return append(probes, l.certificate(e, chain)), true
}

// knock connects to the first addresses of the endpoint at once.
func (l place) knock(ctx context.Context, e endpoint) (addresses []netip.Addr, errs []error) {
	addresses = e.addresses[:min(len(e.addresses), maxAddresses)]
	errs = make([]error, len(addresses))
	var wg sync.WaitGroup
	for i, a := range addresses {
		wg.Go(func() { errs[i] = l.connect(ctx, netip.AddrPortFrom(a, e.port)) })
	}
	wg.Wait()
	return addresses, errs
}

// tcp connects to each address of the endpoint and returns one that answers.
func (l *look) tcp(ctx context.Context, e endpoint) (probes []report.Probe, open netip.AddrPort) {
	if len(e.addresses) == 0 {
		return nil, open // there is no more to see than that the name does not resolve
	}
	addresses, errs := l.knock(ctx, e)
	ok, parts := true, []string{}
	for i, err := range errs {
		if err == nil {
			parts = append(parts, addresses[i].String()+" answers")
			if !open.IsValid() {
				open = netip.AddrPortFrom(addresses[i], e.port)
			}
			continue
		}
		ok = false
		parts = append(parts, addresses[i].String()+": "+reason(err))
	}
	return []report.Probe{l.probe("tcp", e.String(), ok, strings.Join(parts, ", "))}, open
}

func (l place) connect(ctx context.Context, to netip.AddrPort) error {
	conn, err := l.dial(ctx, to)
	if err != nil {
		return err
	}
	return conn.Close()
}

// dial opens a connection that ends with the time of the look.
func (l place) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	end, _ := ctx.Deadline()
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	conn, err := l.Dial(ctx, to)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(end); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// silence is the [reason] of who does not answer.
const silence = "no answer"

// reason is why there is no connection.
func reason(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "no such host on the network"
	case errors.Is(err, syscall.ENETUNREACH):
		return "no route"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return silence
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "closed by the server"
	}
	return err.Error()
}

// date is the clock of a web server by its header Date.
func (l *look) date(ctx context.Context, e endpoint, to netip.AddrPort) time.Time {
	conn, err := l.dial(ctx, to)
	if err != nil {
		return time.Time{}
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", e.host); err != nil {
		return time.Time{}
	}
	head := &http.Request{Method: http.MethodHead}
	answer, err := http.ReadResponse(bufio.NewReader(io.LimitReader(conn, maxAnswer)), head)
	if err != nil {
		return time.Time{}
	}
	answer.Body.Close()
	date, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return time.Time{}
	}
	return date
}

// clock compares the handset's clock with the web server's, else with this computer's.
func (l *look) clock(server time.Time) report.Probe {
	target, right := "web server", server
	if server.IsZero() {
		target, right = "this computer", time.Now()
	}
	now, set := l.Clock()
	seen := fmt.Sprintf("the handset's clock shows %s, that of the %s %s", stamp(now), strings.TrimPrefix(target, "this "), stamp(right))
	if !set {
		seen += "; no time server has ever set it"
	}
	return l.probe("clock", target, now.Sub(right).Abs() <= clockTolerance, seen)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

var versions = []struct {
	name string
	id   uint16
}{
	{"1.0", tls.VersionTLS10}, {"1.1", tls.VersionTLS11}, {"1.2", tls.VersionTLS12}, {"1.3", tls.VersionTLS13},
}

// tls does a handshake in each version and one as the handset does it; nothing is sent over any of them. It returns the
// certificates.
func (l *look) tls(ctx context.Context, e endpoint, to netip.AddrPort) (report.Probe, []*x509.Certificate) {
	own, err := l.TLS(e.host)
	if err != nil {
		return report.Probe{Name: "tls", Target: e.String(), Outcome: report.Unknown, Seen: err.Error()}, nil
	}
	list := l.shakeEach(ctx, to, own)
	var spoken []string
	chain := list[0].state.PeerCertificates
	for i, v := range versions {
		if list[i+1].err == nil {
			spoken = append(spoken, v.name)
			if chain == nil {
				chain = list[i+1].state.PeerCertificates
			}
		}
	}
	mine := versionsOf(l.Profile())
	switch {
	case len(spoken) == 0:
		return l.probe("tls", e.String(), false, "no handshake in any version: "+reason(list[0].err)), chain
	case list[0].err != nil:
		return l.probe("tls", e.String(), false, fmt.Sprintf("the server speaks TLS %s; the handset's handshake, TLS %s, fails: %s", strings.Join(spoken, ", "), mine, reason(list[0].err))), chain
	}
	return l.probe("tls", e.String(), true, "the server speaks TLS "+strings.Join(spoken, ", ")+", the handset "+mine), chain
}

// versionsOf is what a profile speaks, "1.0" or "1.0 to 1.2".
func versionsOf(p *configs.Profile) string {
	if p.TLSMax == p.TLSMin {
		return p.TLSMin
	}
	return p.TLSMin + " to " + p.TLSMax
}

// shake is what came of a handshake.
type shake struct {
	state tls.ConnectionState
	err   error
}

// shakeEach does the handset's own handshake, and then one in each of versions with every suite.
func (l place) shakeEach(ctx context.Context, to netip.AddrPort, own *tls.Config) []shake {
	configs := []*tls.Config{own}
	for _, v := range versions {
		config := own.Clone()
		config.MinVersion, config.MaxVersion, config.CipherSuites = v.id, v.id, everySuite()
		configs = append(configs, config)
	}
	return l.shakeAll(ctx, to, configs)
}

// shakeAll does the handshakes, some at once.
func (l place) shakeAll(ctx context.Context, to netip.AddrPort, configs []*tls.Config) []shake {
	list := make([]shake, len(configs))
	turn := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i, config := range configs {
		turn <- struct{}{}
		wg.Go(func() {
			defer func() { <-turn }()
			list[i].state, list[i].err = l.handshake(ctx, to, config)
		})
	}
	wg.Wait()
	return list
}

// everySuite is what any server may take; they are asked which they take, and used for nothing.
func everySuite() []uint16 {
	var out []uint16
	for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		out = append(out, s.ID)
	}
	return out
}

func (l place) handshake(ctx context.Context, to netip.AddrPort, config *tls.Config) (tls.ConnectionState, error) {
	conn, err := l.dial(ctx, to)
	if err != nil {
		return tls.ConnectionState{}, err
	}
	defer conn.Close()
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		return tls.ConnectionState{}, err
	}
	return secured.ConnectionState(), nil
}

// certificate judges the certificate in the handset's eyes, and its dates by this computer's clock as well.
func (l *look) certificate(e endpoint, chain []*x509.Certificate) report.Probe {
	problems := l.Judge(e.host, chain)
	leaf := chain[0]
	parts := []string{fmt.Sprintf("of %s, valid %s to %s, issued by %q", strings.Join(leaf.DNSNames, ", "), leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly), leaf.Issuer.CommonName)}
	for _, problem := range problems {
		parts = append(parts, problem.Error())
	}
	if now := time.Now(); now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		parts = append(parts, "not valid by this computer's clock either")
	}
	if l.Roots() == 0 {
		parts = append(parts, "the chain is not checked: the handset holds no root")
	}
	return l.probe("certificate", e.String(), len(problems) == 0, strings.Join(parts, "; "))
}
