package importer

import (
	"bytes"
	"cmp"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/protocol/certprov"
	"github.com/phone-edition/lpe/protocol/deviceupdate"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/provisioning"
	"github.com/phone-edition/lpe/scenarios/course"
)

// A Fact is one of a profile's that the capture shows.
type Fact struct {
	Name  string
	Value string // in YAML
	Frame int
	Note  string // more than the frame, where the value was not read off it alone
}

// A Draft is a profile with the facts that the capture shows. All others are the base's.
type Draft struct {
	Base  string // profile, see lpe profile list
	Why   string // this base
	Facts []Fact
	Left  []string // what the capture shows and a profile cannot say
}

// facts collects facts, the first of each name counts.
type facts struct {
	boot *Boot
	list []Fact
	left []string
}

func (f *facts) add(name, value string, frame int, note string) {
	if !slices.ContainsFunc(f.list, func(have Fact) bool { return have.Name == name }) {
		f.list = append(f.list, Fact{name, value, frame, note})
	}
}

// text adds a fact that is a text on one line, unless it is empty.
func (f *facts) text(name, value string, frame int) {
	if value = strings.TrimSpace(value); value != "" && !strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == '\uFFFD' }) {
		f.add(name, strconv.Quote(value), frame, "")
	}
}

func (f *facts) number(name string, value, frame int) { f.add(name, strconv.Itoa(value), frame, "") }

func (f *facts) bytes(name string, value []byte, frame int) {
	var out []string
	for _, b := range value {
		out = append(out, strconv.Itoa(int(b)))
	}
	if len(out) > 0 {
		f.add(name, "["+strings.Join(out, ", ")+"]", frame, "")
	}
}

func (f *facts) texts(name string, value []string, frame int) {
	var out []string
	for _, text := range value {
		if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == '\uFFFD' }) {
			return
		}
		out = append(out, strconv.Quote(text))
	}
	if len(out) > 0 {
		f.add(name, "["+strings.Join(out, ", ")+"]", frame, "")
	}
}

// Draft makes a profile of what the capture shows.
func (b *Boot) Draft() *Draft {
	f := &facts{boot: b}
	if mac := b.Handset.MAC; mac != nil && b.Handset.onLink {
		f.add("model.oui", strconv.Quote(strings.ToUpper(mac.String()[:8])), b.Handset.first, "")
	}
	for i := range b.Messages {
		m := &b.Messages[i]
		if !m.Sent {
			continue
		}
		f.ttl(m)
		switch m.Protocol {
		case "lldp":
			f.lldp(m)
		case "dhcp":
			f.dhcp(m)
		case "tls":
			f.tls(m)
		case "http":
			f.http(m)
		case "sip":
			f.sip(m)
		case "dns":
			f.dns(m, i)
		}
	}
	f.arp()
	d := &Draft{Facts: f.list, Left: f.left}
	d.Base, d.Why = nearest(f.list)
	slices.SortStableFunc(d.Facts, func(x, y Fact) int { return cmp.Compare(x.Name, y.Name) })
	return d
}

// ttl takes the IP time to live of what was captured on the handset's own link.
func (f *facts) ttl(m *Message) {
	if m.frame != nil && m.frame.TTL > 0 && f.boot.Handset.onLink {
		f.number("ip.ttl", m.frame.TTL, m.Frame)
	}
}

func (f *facts) lldp(m *Message) {
	p, err := lldp.Parse(m.frame.Payload)
	if err != nil || p.TTL == 0 {
		return
	}
	f.number("lldp.ttl", int(p.TTL), m.Frame)
	if p.ChassisID.Subtype == lldp.ChassisMAC || p.ChassisID.Subtype == lldp.ChassisNetwork {
		f.number("lldp.chassis_subtype", int(p.ChassisID.Subtype), m.Frame)
	}
	i := p.Inventory()
	f.text("model.vendor", i.Manufacturer, m.Frame)
	f.text("model.name", i.Model, m.Frame)
	f.text("firmware.version", i.Firmware, m.Frame)
}

func (f *facts) dhcp(m *Message) {
	p, err := dhcpoption.Parse(m.chunk.Bytes)
	if err != nil {
		return
	}
	order, err := dhcpoption.Order(m.chunk.Bytes)
	if err != nil {
		return
	}
	list := p.Options.Get(dhcpv4.OptionParameterRequestList)
	switch p.MessageType() {
	case dhcpv4.MessageTypeDiscover:
		f.text("vlan.class", p.ClassIdentifier(), m.Frame)
		f.bytes("dhcp.discover_order", order, m.Frame)
		f.bytes("dhcp.parameter_request_list", list, m.Frame)
		mac := p.ClientHWAddr
		last := hex.EncodeToString(mac[max(0, len(mac)-3):])
		if name := p.HostName(); len(mac) == 6 && len(name) > len(last) && strings.EqualFold(name[len(name)-len(last):], last) {
			f.text("dhcp.host_name_prefix", name[:len(name)-len(last)], m.Frame)
		}
	case dhcpv4.MessageTypeRequest:
		if p.ClientIPAddr.IsUnspecified() && p.Options.Has(dhcpv4.OptionServerIdentifier) {
			f.bytes("dhcp.request_order", order, m.Frame)
		}
	case dhcpv4.MessageTypeInform:
		f.text("inform.class", p.ClassIdentifier(), m.Frame)
		f.bytes("inform.order", order, m.Frame)
		f.bytes("inform.parameter_request_list", list, m.Frame)
	}
}

// arp measures how long the handset probed for its address before it announced it.
func (f *facts) arp() {
	var first *Message
	for i := range f.boot.Messages {
		m := &f.boot.Messages[i]
		switch {
		case m.arp == nil || !m.Sent:
		case m.arp.Probe() && first == nil:
			first = m
		case m.arp.Announcement() && first != nil && m.arp.Target == first.arp.Target:
			took := (m.At - first.At).Round(100 * time.Millisecond)
			f.add("arp.probe", took.String(), first.Frame, fmt.Sprintf("measured up to the announcement in frame %d", m.Frame))
			return
		}
	}
}

func (f *facts) dns(m *Message, i int) {
	q, _, ok := m.question()
	if !ok || m.State != devicestate.UpdateLookup {
		return
	}
	kind, name, _ := strings.Cut(q.text, " ")
	host, _, _ := strings.Cut(name, ".")
	if kind != "TypeA" || !strings.HasPrefix(strings.ToLower(host), "ucupdates") {
		return
	}
	f.text("update.host", host, m.Frame)
	for _, before := range f.boot.Messages[:i] {
		if q, _, ok := before.question(); ok && before.Sent && strings.HasPrefix(strings.ToLower(q.text), "typesrv _sip") {
			f.add("update.domain_source", "sip-srv", before.Frame, fmt.Sprintf("the domain of the answer is asked for in frame %d", m.Frame))
			return
		}
	}
}

// tls takes what the ClientHello of a connection to a web service or a registrar offers.
func (f *facts) tls(m *Message) {
	hello := helloOf(m.flight)
	if hello == nil || hello[0] != helloClient {
		return
	}
	version, suites, serverName, versions := readHello(hello)
	if len(versions) == 0 {
		versions = []uint16{version}
	}
	newest, names := slices.Max(versions), map[uint16]string{tls.VersionTLS10: "1.0", tls.VersionTLS11: "1.1", tls.VersionTLS12: "1.2"}
	if names[newest] == "" {
		f.leave("TLS up to version %#04x (frame %d)", newest, m.Frame)
	} else {
		f.add("tls.max", strconv.Quote(names[newest]), m.Frame, "")
		if len(versions) > 1 || newest == tls.VersionTLS10 {
			f.add("tls.min", strconv.Quote(names[slices.Min(versions)]), m.Frame, "")
		}
	}
	f.add("tls.server_name", strconv.FormatBool(serverName), m.Frame, "")
	var offered []string
	for _, id := range suites {
		if id == suiteRenegotiation || id == suiteFallback {
			continue
		}
		name := tls.CipherSuiteName(id)
		if strings.HasPrefix(name, "0x") {
			f.leave("the cipher suite %s, and with it the list of suites (frame %d)", name, m.Frame)
			return
		}
		offered = append(offered, name)
	}
	f.texts("tls.suites", offered, m.Frame)
}

// Values among the suites that signal something and are none (RFC 5746, RFC 7507).
const (
	suiteRenegotiation = 0x00ff
	suiteFallback      = 0x5600
)

func (f *facts) leave(text string, args ...any) {
	if text = fmt.Sprintf(text, args...); !slices.Contains(f.left, text) {
		f.left = append(f.left, text)
	}
}

// readHello takes version, suites, whether a server is named, and the versions of the extension from a ClientHello.
func readHello(hello []byte) (version uint16, suites []uint16, serverName bool, versions []uint16) {
	b := hello[4:]
	version = binary.BigEndian.Uint16(b)
	b = b[34:]
	take := func(size int) []byte {
		if len(b) < size {
			b = nil
			return nil
		}
		n := 0
		for _, c := range b[:size] {
			n = n<<8 | int(c)
		}
		if len(b) < size+n {
			b = nil
			return nil
		}
		out := b[size : size+n]
		b = b[size+n:]
		return out
	}
	take(1) // session id
	for list := take(2); len(list) >= 2; list = list[2:] {
		suites = append(suites, binary.BigEndian.Uint16(list))
	}
	take(1) // compression
	for b = take(2); len(b) >= 4; {
		kind := binary.BigEndian.Uint16(b)
		b = b[2:]
		data := take(2)
		switch kind {
		case 0:
			serverName = true
		case 43:
			for list := data[min(1, len(data)):]; len(list) >= 2; list = list[2:] {
				if v := binary.BigEndian.Uint16(list); v&0x0f0f != 0x0a0a { // not of RFC 8701
					versions = append(versions, v)
				}
			}
		}
	}
	return version, suites, serverName, versions
}

func (f *facts) http(m *Message) {
	r := m.spoken.Request
	if r == nil {
		return
	}
	f.add("http.user_agent", strconv.Quote(r.Get("User-Agent")), m.Frame, "")
	action := r.Get("SOAPAction")
	switch {
	case strings.HasSuffix(strings.ToLower(r.Target), ".upx"):
		f.update(m)
	case r.Method == "GET" && strings.HasSuffix(strings.ToLower(r.Target), "/mex"):
		f.add("metadata.form", "get", m.Frame, "")
	case strings.HasSuffix(strings.ToLower(r.Target), "/mex"):
		f.add("metadata.form", "transfer", m.Frame, "")
	case strings.Contains(action, "GetAndPublishCert"):
		request, _, err := certprov.ParseRequest(r.Body)
		if err != nil {
			return
		}
		if csr, err := x509.ParseCertificateRequest(request.CSR); err == nil {
			f.csr(csr, m.Frame)
		}
	}
}

func (f *facts) csr(csr *x509.CertificateRequest, frame int) {
	switch csr.SignatureAlgorithm {
	case x509.SHA1WithRSA:
		f.add("certificate.csr_signature", "sha1", frame, "")
	case x509.SHA256WithRSA:
		f.add("certificate.csr_signature", "sha256", frame, "")
	default:
		f.leave("a certificate request signed by %v (frame %d)", csr.SignatureAlgorithm, frame)
	}
	if key, ok := csr.PublicKey.(*rsa.PublicKey); ok {
		f.number("certificate.key_bits", key.N.BitLen(), frame)
	}
}

func (f *facts) update(m *Message) {
	q, err := deviceupdate.ParseRequest(m.spoken.Request.Body)
	if err != nil {
		return
	}
	f.text("model.vendor", q.Vendor, m.Frame)
	f.text("model.name", q.Model, m.Frame)
	f.text("model.revision", q.Revision, m.Frame)
	f.text("update.device_type", q.DeviceType, m.Frame)
	f.text("update.locale", q.Locale, m.Frame)
	if len(q.Modules) > 0 {
		f.text("update.module", q.Modules[0].FileName, m.Frame)
		f.text("firmware.version", q.Modules[0].Version, m.Frame)
	}
}

func (f *facts) sip(m *Message) {
	s := m.spoken.SIP
	if s == nil || !s.IsRequest() {
		return
	}
	agent := s.Get("User-Agent")
	f.text("sip.user_agent", agent, m.Frame)
	f.text("firmware.version", course.FirmwareOf(agent), m.Frame)
	switch {
	case s.Method == "REGISTER":
		f.texts("sip.supported", s.Values("Supported"), m.Frame)
		f.text("sip.ms_keep_alive", s.Get("ms-keep-alive"), m.Frame)
		if _, rest, ok := strings.Cut(s.Get("Contact"), `;methods="`); ok {
			methods, _, _ := strings.Cut(rest, `"`)
			f.text("sip.methods", methods, m.Frame)
		}
	case s.Method == "SUBSCRIBE" && s.Get("Event") == course.ProvisioningEvent:
		if r, err := provisioning.ParseGroupRequest(s.Body); err == nil {
			f.texts("provisioning.groups", r.Groups, m.Frame)
		}
	}
}

// nearest is the shipped profile that is most like what the capture shows.
func nearest(list []Fact) (name, why string) {
	value := func(fact string) string {
		for _, f := range list {
			if f.Name == fact {
				text, err := strconv.Unquote(f.Value)
				if err != nil {
					return f.Value
				}
				return text
			}
		}
		return ""
	}
	return course.Nearest(value("model.name"), value("firmware.version"))
}

// YAML is the profile as a file.
func (d *Draft) YAML(capture string) ([]byte, error) {
	base, err := configs.LoadProfile(d.Base)
	if err != nil {
		return nil, err
	}
	file := filepath.Base(capture)
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Draft of what %s shows. Each fact that is not here is the base's: that of %s\n# (%s).\n", printable(file), d.Base, printable(d.Why))
	for _, text := range d.Left {
		fmt.Fprintf(&out, "# The capture shows what no profile can say: %s.\n", printable(text))
	}
	fmt.Fprintf(&out, "base: [%s]\nfacts:\n", strings.Join(bases(base), ", "))
	pairing := slices.IndexFunc(base.Facts, func(f configs.Fact) bool { return f.Name == "firmware.pairing" })
	if p := base.Facts[pairing]; !slices.ContainsFunc(d.Facts, func(f Fact) bool { return f.Name == p.Name }) {
		fmt.Fprintf(&out, "  %s: {value: %q, provenance: %s, source: %q}\n", p.Name, p.Value, p.Provenance, p.Source)
	}
	for _, f := range d.Facts {
		source := fmt.Sprintf("%s frame %d", file, f.Frame)
		if f.Note != "" {
			source += ": " + f.Note
		}
		fmt.Fprintf(&out, "  %s: {value: %s, provenance: %s, source: %q}\n", f.Name, f.Value, configs.Sourced, source)
	}
	return out.Bytes(), checkDraft(out.Bytes())
}

// bases are those that the file of a shipped profile names: its model, and its firmware.
func bases(p *configs.Profile) []string {
	firmware := "-" + p.Firmware
	return []string{strings.TrimSuffix(p.Name, firmware), "firmware" + firmware}
}

// checkDraft loads a profile as it will be loaded from its file.
func checkDraft(profile []byte) (err error) {
	f, err := os.CreateTemp("", "lpe-draft*.yaml")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(f.Name())) }()
	_, err = f.Write(profile)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	_, err = configs.LoadProfileFile(f.Name())
	return err
}
