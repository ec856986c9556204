package exchange

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// MaxFlight bounds the bytes of one flight of a handshake that are looked at.
const MaxFlight = 64 << 10

// Record types (RFC 5246, 6.2.1) and handshake types (RFC 5246, 7.4; RFC 8446, 4).
const (
	recordChange    = 20
	recordAlert     = 21
	recordHandshake = 22

	typeClientHello = 1
	typeServerHello = 2
)

var handshakeNames = map[byte]string{
	0: "HelloRequest", 1: "ClientHello", 2: "ServerHello", 4: "NewSessionTicket", 11: "Certificate", 12: "ServerKeyExchange",
	13: "CertificateRequest", 14: "ServerHelloDone", 15: "CertificateVerify", 16: "ClientKeyExchange", 20: "Finished", 22: "CertificateStatus",
}

// extensionNames are those of IANA's registry that hellos of this kind hold.
var extensionNames = map[uint16]string{
	0: "server_name", 5: "status_request", 10: "supported_groups", 11: "ec_point_formats", 13: "signature_algorithms",
	16: "application_layer_protocol_negotiation", 18: "signed_certificate_timestamp", 23: "extended_master_secret", 35: "session_ticket",
	41: "pre_shared_key", 43: "supported_versions", 44: "cookie", 45: "psk_key_exchange_modes", 50: "signature_algorithms_cert", 51: "key_share",
	0xff01: "renegotiation_info",
}

const (
	extensionServerName = 0
	extensionGroups     = 10
	extensionPoints     = 11
	extensionSignatures = 13
	extensionVersions   = 43
)

// ClientHello tells the first flight of a client.
func ClientHello(flight []byte) Content {
	var f fields
	f.handshake("", flight)
	return Content{"ClientHello", f.list}
}

// ServerHello tells the first flight of a server, and the certificates that it presented: those in the flight, unless they
// are known from elsewhere, because TLS 1.3 encrypts them.
func ServerHello(flight []byte, certificates []*x509.Certificate) Content {
	var f fields
	f.handshake("", flight)
	if certificates == nil {
		certificates = certificatesIn(flight)
	}
	for _, c := range certificates {
		f.certificate(c)
	}
	return Content{"ServerHello", f.list}
}

// typeCertificate is a list of certificates, each behind its length (RFC 5246, 7.4.2).
const typeCertificate = 11

func certificatesIn(flight []byte) (out []*x509.Certificate) {
	messages, _ := readFlight(flight) // what can be read of it
	for _, m := range messages {
		if m.kind != typeCertificate {
			continue
		}
		whole := reader{b: m.body}
		list := reader{b: whole.vector(3)}
		for len(list.b) > 0 && !list.broken {
			if c, err := x509.ParseCertificate(list.vector(3)); err == nil {
				out = append(out, c)
			}
		}
	}
	return out
}

func (f *fields) certificate(c *x509.Certificate) {
	name := c.Subject.CommonName
	if name == "" && len(c.DNSNames) > 0 {
		name = c.DNSNames[0]
	}
	field := f.add("certificate", fmt.Sprintf("%q by %q", name, c.Issuer.CommonName))
	f.add(field+" key", fmt.Sprintf("%v, %v", c.PublicKeyAlgorithm, c.SignatureAlgorithm))
	f.fresh(field+" validity", c.NotBefore.UTC().Format(time.DateOnly)+" to "+c.NotAfter.UTC().Format(time.DateOnly))
	if len(c.DNSNames) > 0 {
		f.add(field+" names", strings.Join(c.DNSNames, " "))
	}
}

// flight adds what the handshake messages of a TLS-DSK flight are. Whatever is none, such as a token of NTLM, adds nothing.
func (f *fields) flight(name, value string) {
	flight, err := base64.StdEncoding.DecodeString(strings.Trim(value, `"`))
	if err != nil || len(flight) == 0 || flight[0] < recordChange || flight[0] > recordHandshake {
		return
	}
	f.handshake(name+" ", flight)
}

// handshake adds the messages of a flight and what the hello in it holds.
func (f *fields) handshake(prefix string, flight []byte) {
	messages, err := readFlight(flight)
	var names []string
	for _, m := range messages {
		names = append(names, m.name)
	}
	f.add(prefix+"flight", strings.Join(names, ", "))
	if err != nil {
		f.add(prefix+"broken", err.Error())
	}
	for _, m := range messages {
		if m.kind == typeClientHello || m.kind == typeServerHello {
			f.hello(prefix, m)
		}
	}
}

type handshakeMessage struct {
	kind byte
	name string
	body []byte
}

// readFlight puts the handshake messages of a flight together. Behind ChangeCipherSpec they are encrypted.
func readFlight(flight []byte) (out []handshakeMessage, err error) {
	var plain []byte
	encrypted := false
	for len(flight) > 0 {
		if len(flight) < 5 {
			return out, errors.New("the last record is cut off")
		}
		kind, size := flight[0], int(binary.BigEndian.Uint16(flight[3:5]))
		if len(flight) < 5+size {
			return out, errors.New("the last record is cut off")
		}
		payload := flight[5 : 5+size]
		flight = flight[5+size:]
		switch {
		case kind == recordChange:
			out = append(out, handshakeMessage{name: "ChangeCipherSpec"})
			encrypted = true
		case kind == recordAlert && !encrypted && len(payload) == 2:
			out = append(out, handshakeMessage{name: fmt.Sprintf("Alert %d", payload[1])})
		case kind == recordHandshake && size == 0:
			return out, errors.New("an empty handshake record") // forbidden, RFC 5246, 6.2.1
		case kind == recordHandshake && !encrypted:
			plain = append(plain, payload...)
			for len(plain) >= 4 {
				n := int(plain[1])<<16 | int(binary.BigEndian.Uint16(plain[2:4]))
				if len(plain) < 4+n {
					break
				}
				name := handshakeNames[plain[0]]
				if name == "" {
					name = fmt.Sprintf("message %d", plain[0])
				}
				out = append(out, handshakeMessage{plain[0], name, plain[4 : 4+n]})
				plain = plain[4+n:]
			}
		case kind == recordHandshake:
			out = append(out, handshakeMessage{name: "encrypted message"})
		default:
			out = append(out, handshakeMessage{name: fmt.Sprintf("record %d", kind)})
		}
	}
	if len(plain) > 0 {
		return out, errors.New("the last handshake message is cut off")
	}
	return out, nil
}

// hello adds the fields of a ClientHello or ServerHello (RFC 5246, 7.4.1.2 and 7.4.1.3).
func (f *fields) hello(prefix string, m handshakeMessage) {
	r := reader{b: m.body}
	f.add(prefix+"version", tls.VersionName(r.uint16()))
	f.freshSecret(prefix + "random")
	r.take(32)
	if session := r.vector(1); len(session) > 0 {
		f.freshSecret(prefix + "session id")
	}
	if m.kind == typeClientHello {
		f.add(prefix+"suites", list(r.vector(2), tls.CipherSuiteName))
		f.add(prefix+"compression", fmt.Sprintf("%x", r.vector(1)))
	} else {
		f.add(prefix+"suite", tls.CipherSuiteName(r.uint16()))
		f.add(prefix+"compression", fmt.Sprintf("%x", r.take(1)))
	}
	extensions := reader{b: r.vector(2)}
	var names []string
	var told []Field
	for len(extensions.b) > 0 && !extensions.broken {
		kind, data := extensions.uint16(), extensions.vector(2)
		name := extensionNames[kind]
		if name == "" {
			name = fmt.Sprint(kind)
		}
		names = append(names, name)
		if value := extension(m.kind, kind, data); value != "" {
			told = append(told, Field{Name: name, Value: value})
		}
	}
	f.add(prefix+"extensions", strings.Join(names, ", "))
	for _, t := range told {
		f.add(prefix+t.Name, t.Value)
	}
	if r.broken || extensions.broken || len(r.b) > 0 {
		f.add(prefix+"broken", "the hello does not end where its lengths say")
	}
}

// extension is what an extension says, "" where nothing more than that it is there.
func extension(hello byte, kind uint16, data []byte) string {
	r := reader{b: data}
	client := hello == typeClientHello
	switch {
	case kind == extensionServerName && client:
		names := reader{b: r.vector(2)}
		names.take(1) // host_name, the only type
		return printable(string(names.vector(2)))
	case kind == extensionGroups && client:
		return list(r.vector(2), func(id uint16) string { return tls.CurveID(id).String() })
	case kind == extensionPoints:
		return fmt.Sprintf("%x", r.vector(1))
	case kind == extensionSignatures && client:
		return list(r.vector(2), func(id uint16) string { return tls.SignatureScheme(id).String() })
	case kind == extensionVersions && client:
		return list(r.vector(1), tls.VersionName)
	case kind == extensionVersions:
		return tls.VersionName(r.uint16())
	}
	return ""
}

func list(ids []byte, name func(uint16) string) string {
	r := reader{b: ids}
	var out []string
	for len(r.b) > 0 && !r.broken {
		out = append(out, name(r.uint16()))
	}
	return strings.Join(out, ", ")
}

// reader takes numbers and vectors off the front. Behind the end there are zeros, and broken is set.
type reader struct {
	b      []byte
	broken bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.b) {
		r.broken, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number(size int) (n int) {
	for _, b := range r.take(size) {
		n = n<<8 | int(b)
	}
	return n
}

func (r *reader) uint16() uint16 { return uint16(r.number(2)) }

// vector is one with a length of size bytes before it.
func (r *reader) vector(size int) []byte {
	if len(r.b) == 0 {
		return nil // extensions may be absent
	}
	return r.take(r.number(size))
}
