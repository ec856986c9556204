// Package hello looks at the first bytes that come to a port and names what does not belong there: a hello in the format
// of SSL 2.0, as old Windows CE stacks can send it (sip.md §6), HTTP or SIP without TLS on a port of TLS, and TLS on a
// port without it.
package hello

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
)

// Kind says what came instead.
type Kind string

// What can come.
const (
	SSLv2  Kind = "SSLv2-format hello"
	TLS    Kind = "TLS hello"
	HTTP   Kind = "plain HTTP"
	SIP    Kind = "plain SIP"
	Binary Kind = "bytes that are no TLS"
)

// Foreign is the error of reading from a connection whose first bytes do not belong to its port.
type Foreign struct {
	Kind   Kind
	Detail string // what of it can be shown
}

func (f *Foreign) Error() string { return string(f.Kind) + ", " + f.Detail }

// Conn is a connection that looks at its first bytes when they are read. After a [Foreign] it only gives that error.
type Conn struct {
	net.Conn
	secure bool // the port is one of TLS
	seen   bool
	head   []byte // read and not given yet
	err    error
}

// OnTLS watches a connection to a port of TLS. An SSLv2-format hello is answered with the TLS alert protocol_version
// before it is an error (RFC 5246 appendix E.2 would have it taken; Go's TLS does not), plain HTTP with 400.
func OnTLS(conn net.Conn) *Conn { return &Conn{Conn: conn, secure: true} }

// OnPlain watches a connection to a port without TLS.
func OnPlain(conn net.Conn) *Conn { return &Conn{Conn: conn} }

// maxHead bounds what is looked at.
const maxHead = 256

// Read implements [net.Conn].
func (c *Conn) Read(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if !c.seen && len(b) > 0 {
		if err := c.look(); err != nil {
			c.err = err
			return 0, err
		}
	}
	if len(c.head) > 0 {
		n := copy(b, c.head)
		if c.head = c.head[n:]; len(c.head) == 0 {
			c.head = nil
		}
		return n, nil
	}
	return c.Conn.Read(b)
}

// look reads until it is clear what the bytes are.
func (c *Conn) look() error {
	head := make([]byte, 0, maxHead)
	for {
		n, err := c.Conn.Read(head[len(head):maxHead])
		head = head[:len(head)+n]
		foreign, clear := c.judge(head, err != nil || len(head) == maxHead)
		switch {
		case foreign != nil:
			c.answer(foreign.Kind)
			return foreign
		case clear:
			c.seen, c.head = true, head
			return nil
		case err != nil:
			return err
		}
	}
}

// judge says what the bytes are, if that is clear; last means that no more will come.
func (c *Conn) judge(head []byte, last bool) (foreign *Foreign, clear bool) {
	switch {
	case len(head) == 0:
		return nil, false
	case head[0] == recordHandshake:
		if c.secure || len(head) > 1 && head[1] != 3 {
			return nil, true
		}
		if len(head) < 2 {
			return nil, last
		}
		return &Foreign{TLS, "on a port without TLS"}, true
	case head[0]&0x80 != 0:
		if len(head) < sslv2Head && !last {
			return nil, false
		}
		if f := sslv2Hello(head); f != nil {
			return f, true
		}
	}
	if !c.secure {
		return nil, true
	}
	if isText(head) {
		if !bytes.ContainsRune(head, '\n') && !last {
			return nil, false
		}
		if f := text(head); f != nil {
			return f, true
		}
	}
	return &Foreign{Binary, fmt.Sprintf("%d bytes that begin % x", len(head), head[:min(len(head), maxShown)])}, true
}

const (
	recordHandshake = 22
	sslv2Head       = 11
	maxShown        = 16
)

// sslv2Hello reads a CLIENT-HELLO of SSL 2.0 (RFC 5246 appendix E.2): two bytes of length with the highest bit set, 1,
// the highest version offered, and the lengths of cipher specs, session id and challenge.
func sslv2Hello(b []byte) *Foreign {
	if len(b) < sslv2Head || b[2] != 1 {
		return nil
	}
	length := int(binary.BigEndian.Uint16(b) & 0x7fff)
	specs, session, challenge := int(binary.BigEndian.Uint16(b[5:])), int(binary.BigEndian.Uint16(b[7:])), int(binary.BigEndian.Uint16(b[9:]))
	if specs%3 != 0 || length != sslv2Head-2+specs+session+challenge {
		return nil
	}
	return &Foreign{SSLv2, fmt.Sprintf("versions up to %s offered, %d cipher specs; only hellos in TLS records are taken", versionName(binary.BigEndian.Uint16(b[3:])), specs/3)}
}

func versionName(v uint16) string {
	switch v {
	case 0x0002:
		return "SSL 2.0"
	case 0x0300:
		return "SSL 3.0"
	}
	return tls.VersionName(v)
}

func isText(b []byte) bool {
	for _, c := range b {
		if c < ' ' && c != '\r' && c != '\n' && c != '\t' || c > '~' {
			return false
		}
	}
	return true
}

// text takes HTTP and SIP apart by the request line. Of it method and target are shown, without a query.
func text(b []byte) *Foreign {
	line, _, _ := strings.Cut(string(b), "\n")
	method, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	target, version, _ := strings.Cut(rest, " ")
	target, _, _ = strings.Cut(target, "?")
	shown := fmt.Sprintf("%.20q to %.80q, on a port of TLS", method, target)
	switch {
	case strings.HasPrefix(version, "SIP/"), strings.HasPrefix(method, "SIP/"), strings.HasPrefix(target, "sip:"), strings.HasPrefix(target, "sips:"):
		return &Foreign{SIP, shown}
	case strings.HasPrefix(version, "HTTP/"), strings.HasPrefix(target, "/") && method != "":
		return &Foreign{HTTP, shown}
	}
	return nil
}

// protocolVersion is the fatal TLS alert 70 in a record of TLS 1.0 (RFC 5246 §7.2).
var protocolVersion = []byte{21, 3, 1, 0, 2, 2, 70}

const badRequest = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

func (c *Conn) answer(kind Kind) {
	switch kind {
	case SSLv2:
		c.Conn.Write(protocolVersion) // fails when the peer is gone
	case HTTP:
		c.Conn.Write([]byte(badRequest))
	}
}
