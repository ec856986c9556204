package handset

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/exchange"
	"github.com/phone-edition/lpe/emulator/secret"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/soap"
)

// webSession is one HTTP connection to the web services, kept between requests.
type webSession struct {
	conn   net.Conn
	reader *bufio.Reader
	key    string // scheme://host:port
	peer   string
	cookie []string
}

func (w *webSession) close() { w.conn.Close() }

// setCookie keeps what Set-Cookie says, in place of a cookie of the same name (RFC 6265 §5.3 item 11).
func (w *webSession) setCookie(header string) {
	cookie, _, _ := strings.Cut(header, ";")
	name, _, _ := strings.Cut(cookie, "=")
	for i, held := range w.cookie {
		if before, _, _ := strings.Cut(held, "="); before == name {
			w.cookie[i] = cookie
			return
		}
	}
	w.cookie = append(w.cookie, cookie)
}

// webRequest is one exchange with a web service.
type webRequest struct {
	stage    devicestate.Stage
	doing    string // for messages: "downloading the root chain"
	url      string
	action   string // SOAPAction, empty for GET
	body     []byte // nil for GET
	kind     string // Content-Type, "": that of SOAP 1.1
	trust    *trust // nil: the certificate is not checked
	client   *tls.Certificate
	unshared bool // own connection, closed afterwards

	authorization secret.Value // header value
	on            *webSession  // sent once, on this connection; nil: on any
}

// webAnswer is a response with its status checked by nobody yet.
type webAnswer struct {
	httpmessage.Response
	peer    string
	session *webSession
}

// fault reads the SOAP fault of an answer that is no 200.
func (a webAnswer) fault() (soap.Fault, bool) {
	if a.Status == 200 {
		return soap.Fault{}, false
	}
	doc, err := soap.Parse(a.Body)
	if err != nil {
		return soap.Fault{}, false
	}
	return soap.ParseFault(doc)
}

// exchange sends the request on the kept connection or a new one and reads the answer.
func (h *Handset) exchange(ctx context.Context, r webRequest) (webAnswer, *Failure) {
	target, err := url.Parse(r.url)
	if err != nil || target.Hostname() == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return webAnswer{}, fail(r.stage, "garbage", "", fmt.Sprintf("%q is no http or https URL", r.url), err)
	}
	session, fresh, failure := h.session(ctx, r, target)
	if failure != nil {
		return webAnswer{}, failure
	}
	answer, failure := h.roundTrip(ctx, session, r, target)
	if failure != nil && !fresh && strings.HasSuffix(string(failure.Code), ".reset") && ctx.Err() == nil {
		h.forget(session) // the server had closed the kept connection
		if session, _, failure = h.session(ctx, r, target); failure != nil {
			return webAnswer{}, failure
		}
		answer, failure = h.roundTrip(ctx, session, r, target)
	}
	if failure != nil || r.unshared || strings.EqualFold(answer.Get("Connection"), "close") {
		h.forget(session)
	}
	return answer, failure
}

func (h *Handset) forget(session *webSession) {
	session.close()
	if h.ram.web == session {
		h.ram.web = nil
	}
}

func (h *Handset) session(ctx context.Context, r webRequest, target *url.URL) (s *webSession, fresh bool, failure *Failure) {
	if r.on != nil {
		return r.on, true, nil
	}
	port := target.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[target.Scheme]
	}
	key := target.Scheme + "://" + strings.ToLower(target.Hostname()) + ":" + port
	if r.client != nil {
		key += " with a client certificate"
	}
	if !r.unshared && h.ram.web != nil {
		if h.ram.web.key == key {
			return h.ram.web, false, nil
		}
		h.forget(h.ram.web)
	}
	conn, peer, failure := h.connect(ctx, r.stage, target.Hostname(), port, r.doing)
	if failure != nil {
		return nil, false, failure
	}
	if target.Scheme == "https" {
		secured, failure := h.secure(ctx, r.stage, conn, peer, target.Hostname(), r.trust, r.client)
		if failure != nil {
			return nil, false, failure
		}
		if r.trust != nil {
			h.wildcardWarning(r.stage, peer, target.Hostname(), secured.ConnectionState().PeerCertificates[0])
		}
		conn = secured
	}
	s = &webSession{conn: conn, reader: bufio.NewReader(conn), key: key, peer: peer}
	if !r.unshared {
		h.ram.web = s
	}
	return s, true, nil
}

// connect resolves host and opens a TCP connection to the first address that answers.
func (h *Handset) connect(ctx context.Context, stage devicestate.Stage, host, port, doing string) (net.Conn, string, *Failure) {
	addrs, err := h.lookupHost(ctx, host)
	if err != nil {
		return nil, "", fail(stage, "unresolved", host, "the name does not resolve", err)
	}
	return h.connectTo(ctx, stage, host, addrs, port, doing)
}

func (h *Handset) connectTo(ctx context.Context, stage devicestate.Stage, host string, addrs []netip.Addr, port, doing string) (net.Conn, string, *Failure) {
	var last *Failure
	for _, addr := range addrs {
		peer := fmt.Sprintf("%s (%s:%s)", host, addr, port)
		to, err := addrPort(addr.String(), port)
		if err != nil {
			return nil, peer, fail(stage, "garbage", peer, "port", err)
		}
		dialCtx, cancel := context.WithTimeout(ctx, h.profile.ConnectTimeout)
		conn, err := h.station.DialTCP(dialCtx, to)
		cancel()
		if err == nil {
			return conn, peer, nil
		}
		last = connectionFailure(stage, peer, "connecting for "+doing, err)
	}
	return nil, "", last
}

func (h *Handset) secure(ctx context.Context, stage devicestate.Stage, conn net.Conn, peer, host string, check *trust, client *tls.Certificate) (*tls.Conn, *Failure) {
	config, err := h.tlsConfig(host, check, client)
	if err != nil {
		conn.Close()
		return nil, fail(stage, "tls-failed", peer, "TLS settings", err)
	}
	hello := func(flight []byte) {
		h.sent("tls", peer, fmt.Sprintf("ClientHello, %s to %s", tls.VersionName(config.MinVersion), tls.VersionName(config.MaxVersion)),
			func() exchange.Content { return exchange.ClientHello(flight) })
	}
	var heard *overheard
	if h.cfg.decode {
		heard = &overheard{Conn: conn, hello: hello}
		conn = heard
	} else {
		hello(nil)
	}
	secured := tls.Client(conn, config)
	ctx, cancel := context.WithTimeout(ctx, h.profile.TLSTimeout)
	defer cancel()
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, tlsFailure(stage, peer, err)
	}
	state := secured.ConnectionState()
	h.received("tls", peer, fmt.Sprintf("%s, %s", tls.VersionName(state.Version), tls.CipherSuiteName(state.CipherSuite)),
		func() exchange.Content { return exchange.ServerHello(heard.answer, state.PeerCertificates) })
	if heard != nil {
		heard.answer, heard.over = nil, true
	}
	return secured, nil
}

func addrPort(host, port string) (netip.AddrPort, error) {
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr, err := netip.ParseAddr(host)
	return netip.AddrPortFrom(addr, uint16(n)), err
}

func (h *Handset) roundTrip(ctx context.Context, s *webSession, r webRequest, target *url.URL) (webAnswer, *Failure) {
	request := h.request(s, r, target)
	if o := h.cfg.outgoing; o != nil {
		o.HTTP(&request)
	}
	message, err := request.Append(nil)
	if err != nil {
		return webAnswer{}, fail(r.stage, "garbage", s.peer, "the request cannot be built", err)
	}
	if err := s.conn.SetDeadline(time.Now().Add(h.profile.AnswerTimeout)); err != nil {
		return webAnswer{}, connectionFailure(r.stage, s.peer, r.doing, err)
	}
	stop := context.AfterFunc(ctx, func() { s.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	h.sent("http", s.peer, r.line(target), func() exchange.Content { return exchange.HTTPRequest(written(message)) })
	if _, err := s.conn.Write(message); err != nil {
		return webAnswer{}, connectionFailure(r.stage, s.peer, r.doing, err)
	}
	response, err := httpmessage.ReadResponse(s.reader, soap.MaxSize)
	switch {
	case errors.Is(err, httpmessage.ErrTooLarge), errors.Is(err, httpmessage.ErrMalformed):
		return webAnswer{}, fail(r.stage, "garbage", s.peer, "the answer is not HTTP as expected", err)
	case err != nil:
		return webAnswer{}, connectionFailure(r.stage, s.peer, r.doing, err)
	}
	h.received("http", s.peer, fmt.Sprintf("%d %s, %d bytes", response.Status, response.Reason, len(response.Body)),
		func() exchange.Content { return exchange.HTTPResponse(response) })
	for _, header := range response.Header {
		if strings.EqualFold(header.Name, "Set-Cookie") {
			s.setCookie(header.Value)
		}
	}
	return webAnswer{response, s.peer, s}, nil
}

// written is a request as it goes on the wire, with what Append has added.
func written(message []byte) httpmessage.Request {
	m, err := httpmessage.ReadRequest(bufio.NewReader(bytes.NewReader(message)), int64(len(message)))
	if err != nil {
		return httpmessage.Request{Method: "a request that cannot be read:", Target: err.Error()} // a mistake in the codec
	}
	return m
}

func (r webRequest) line(target *url.URL) string {
	if r.body == nil {
		return "GET " + target.RequestURI()
	}
	if i := strings.LastIndex(r.action, "/"); i >= 0 {
		return "POST " + target.RequestURI() + " " + r.action[i+1:]
	}
	return "POST " + target.RequestURI()
}

func (h *Handset) request(s *webSession, r webRequest, target *url.URL) httpmessage.Request {
	m := httpmessage.Request{Method: "GET", Target: target.RequestURI(), Body: r.body}
	add := func(name, value string) { m.Header = append(m.Header, httpmessage.Header{Name: name, Value: value}) }
	add("Host", target.Host)
	if h.profile.HTTPUserAgent != "" {
		add("User-Agent", h.profile.HTTPUserAgent)
	}
	if r.body != nil {
		m.Method = "POST"
		add("Content-Type", cmp.Or(r.kind, "text/xml; charset=utf-8"))
		if r.action != "" {
			add("SOAPAction", `"`+r.action+`"`)
		}
	}
	if !r.authorization.IsZero() {
		add("Authorization", r.authorization.Reveal())
	}
	if len(s.cookie) > 0 {
		add("Cookie", strings.Join(s.cookie, "; "))
	}
	add("Connection", "Keep-Alive")
	if r.body != nil {
		add("Content-Length", strconv.Itoa(len(r.body)))
	}
	return m
}

// wantStatus classifies an HTTP status that is not 200 and carries nothing better.
func wantStatus(stage devicestate.Stage, a webAnswer, doing string) *Failure {
	if a.Status == 200 {
		return nil
	}
	kind := "http-error"
	seen := fmt.Sprintf("HTTP %d %s while %s", a.Status, a.Reason, doing)
	switch a.Status {
	case 404:
		kind = "http-404"
	case 500:
		kind = "http-500"
	case 301, 302, 303, 307, 308:
		if stage == devicestate.StageChain || stage == devicestate.StageTicket {
			kind = "redirect"
		}
		seen += fmt.Sprintf(", to %.200q", a.Get("Location"))
	}
	if d, ok := soap.ParseDiagnostics(a.Get("X-Ms-diagnostics")); ok {
		seen += fmt.Sprintf(", X-Ms-diagnostics %d %s", d.ErrorID, d.Reason)
	}
	return fail(stage, kind, a.peer, seen, nil)
}

// trouble reports whether a failure is one of the service, worth one retry, and not an answer about the user: a
// refused PIN is never sent again.
func trouble(f *Failure) bool {
	stage, kind, _ := strings.Cut(string(f.Code), ".")
	switch kind {
	case "timeout", "reset", "connection-refused", "http-500", "http-error":
		return true
	case "refused":
		return stage != string(devicestate.StageTicket)
	}
	return false
}

// metadata fetches the WSDL of a service in the profile's form.
func (h *Handset) metadata(ctx context.Context, r webRequest, service string) (soap.Metadata, *Failure) {
	return h.metadataIn(ctx, h.profile.MetadataForm, r, service)
}

// metadataIn fetches it in the form get or transfer (web-services.md §1.3, §1.4; the content type of SOAP 1.2 inferred).
func (h *Handset) metadataIn(ctx context.Context, form string, r webRequest, service string) (soap.Metadata, *Failure) {
	r.url = service + "/mex"
	if form == "transfer" {
		r.body, r.action, r.kind = soap.AppendMetadataRequest(nil, service), soap.ActionTransferGet, "application/soap+xml; charset=utf-8"
	}
	answer, failure := h.exchange(ctx, r)
	if failure != nil {
		return soap.Metadata{}, failure
	}
	if failure := wantStatus(r.stage, answer, r.doing); failure != nil {
		return soap.Metadata{}, failure
	}
	m, err := soap.ParseMetadata(answer.Body)
	if err != nil {
		return m, fail(r.stage, "garbage", answer.peer, "the metadata of "+service+" cannot be read", err)
	}
	return m, nil
}
