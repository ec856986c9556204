package handset

import (
	"bytes"
	"crypto/tls"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/beevik/ntp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/phone-edition/lpe/emulator/timeline"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
	"github.com/phone-edition/lpe/protocol/httpmessage"
	"github.com/phone-edition/lpe/protocol/lldp"
	"github.com/phone-edition/lpe/protocol/sipmessage"
)

// What of a decoded message is told. Whatever the lists below do not name is masked, so that PIN, password, ticket and
// key never get into an observation, whichever header or element a server puts them in.
const (
	masked       = "***"
	maxFields    = 64  // of one message
	maxFieldText = 300 // bytes of one name or value
)

var shownHeaders = set(
	// HTTP
	"Host", "User-Agent", "Content-Type", "Content-Length", "SOAPAction", "Connection", "Cache-Control", "Date", "Server", "Location",
	"Retry-After", "Transfer-Encoding", "Content-Encoding", "X-MS-Server-Fqdn", "X-Ms-diagnostics", "X-Powered-By",
	"X-AspNet-Version", "X-Content-Type-Options", "Strict-Transport-Security",
	// SIP
	"Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Supported", "Require", "Proxy-Require", "Accept", "Allow", "Event",
	"Expires", "Min-Expires", "Allow-Events", "Subscription-State", "Record-Route", "Route", "P-Asserted-Identity",
	"ms-keep-alive", "ms-subnet", "ms-diagnostics", "ms-diagnostics-public", "ms-piggyback-cseq", "presence-state", "Reason", "Warning",
)

// authHeaders carry proofs, of which only the parameters in shownParams are told.
var (
	authHeaders = set("Authorization", "WWW-Authenticate", "Authentication-Info", "Proxy-Authorization", "Proxy-Authenticate", "Proxy-Authentication-Info")
	shownParams = set("qop", "realm", "targetname", "version", "sts-uri", "cnum", "snum")
)

var shownElements = set(
	// web services
	"Username", "To", "Address", "MessageID", "RelatesTo", "Action", "TokenType", "RequestType", "KeyType", "KeySize", "ComputedKey", "Created",
	"Expires", "Audience", "NameIdentifier", "ConfirmationMethod", "RequestID", "faultcode", "faultstring", "ErrorId", "Value", "Text",
	"Reason", "ErrorCode", "ErrorReason",
	// device updates
	"DeviceType", "MacAddress", "Vendor", "Brand", "Model", "Revision", "Locale", "FileName", "Version", "Uri", "Sha256",
	// in-band provisioning and presence
	"ucEnforcePinLock", "ucMinPinLength", "ucPhoneTimeOut", "ucExchangeMWIPoll", "ucEnableSIPSecurityMode", "ucVoice802_1p", "ucDiffServVoice",
	"ucPC2PCAVEncryption", "loggingLevel", "updatesServerEnabled", "updatesServerInternalURL", "updatesServerExternalURL",
	"absInternalServerUrl", "absExternalServerUrl", "absWebServiceEnabled", "dlxInternalUrl", "dlxExternalUrl", "lisInternalUrl",
	"lisExternalUrl", "voicemailUri", "qosEnabled", "property", "line",
)

// shownAttributes are those that say what an element is about.
var shownAttributes = map[string][]string{
	"port": {"name"}, "address": {"location"}, "provisioningGroup": {"name"}, "provisionGroup": {"name"}, "property": {"name"},
	"category": {"name", "instance", "container", "version"}, "roaming": {"type"}, "categories": {"uri"}, "publication": {"categoryName", "instance", "container", "version"},
	"line": {"lineType"}, "Conditions": {"NotBefore", "NotOnOrAfter"}, "GetAndPublishCert": {"DeviceId", "Entity"},
	"GetAndPublishCertResponse": {"DeviceId", "Entity", "ResponseClass"}, "GetRootCertChainsResponse": {"ResponseClass"},
}

func set(names ...string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, name := range names {
		out[strings.ToLower(name)] = true
	}
	return out
}

// decoded collects the fields of one message.
type decoded []timeline.Field

func (d *decoded) add(name, value string) {
	switch n := len(*d); {
	case n > maxFields:
		return
	case n == maxFields:
		name, value = "…", "further fields are not told"
	}
	*d = append(*d, timeline.Field{Name: printable(cut(name)), Value: cut(value)})
}

// cut makes one line of a text and bounds it.
func cut(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "\uFFFD")), " ")
	if len(text) <= maxFieldText {
		return text
	}
	end := maxFieldText
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

func (d *decoded) header(name, value string) {
	switch key := strings.ToLower(name); {
	case shownHeaders[key]:
		d.add(name, value)
	case authHeaders[key]:
		d.add(name, maskParams(value))
	default:
		d.add(name, masked)
	}
}

// maskParams masks an authentication header but for its scheme and the parameters that are no proof.
func maskParams(value string) string {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(value), " ")
	if strings.Contains(scheme, "=") {
		return masked
	}
	var out []string
	for _, part := range strings.Split(rest, ",") {
		part = strings.TrimSpace(part)
		name, _, _ := strings.Cut(part, "=")
		switch {
		case shownParams[strings.ToLower(name)]:
			out = append(out, part)
		case part != "" && (len(out) == 0 || out[len(out)-1] != masked):
			out = append(out, masked)
		}
	}
	return strings.TrimSpace(scheme + " " + strings.Join(out, ", "))
}

func decodeSIP(m *sipmessage.Message) []timeline.Field {
	var d decoded
	if m.IsRequest() {
		d.add("request", m.Method+" "+m.RequestURI)
	} else {
		d.add("response", fmt.Sprintf("%d %s", m.Status, m.Reason))
	}
	for _, h := range m.Headers {
		d.header(h.Name, h.Value)
	}
	d.body(m.Body)
	return d
}

func decodeRequest(m httpmessage.Request) []timeline.Field {
	var d decoded
	d.add("request", m.Method+" "+m.Target)
	for _, h := range m.Header {
		d.header(h.Name, h.Value)
	}
	d.body(m.Body)
	return d
}

func decodeResponse(m httpmessage.Response) []timeline.Field {
	var d decoded
	d.add("response", fmt.Sprintf("%d %s", m.Status, m.Reason))
	for _, h := range m.Header {
		d.header(h.Name, h.Value)
	}
	d.body(m.Body)
	return d
}

// body tells the elements of an XML document that have a text or a telling attribute, each with the one that it is in.
func (d *decoded) body(text []byte) {
	if len(text) == 0 {
		return
	}
	type element struct {
		name, text string
	}
	var path []element
	decoder := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := decoder.Token()
		if err != nil {
			if len(path) > 0 || decoder.InputOffset() == 0 {
				d.add("body", fmt.Sprintf("%d bytes that are no XML document", len(text)))
			}
			return
		}
		switch t := token.(type) {
		case xml.StartElement:
			path = append(path, element{name: t.Name.Local})
			for _, name := range shownAttributes[t.Name.Local] {
				for _, attribute := range t.Attr {
					if attribute.Name.Local == name {
						d.add(t.Name.Local+" "+name, attribute.Value)
					}
				}
			}
		case xml.CharData:
			if n := len(path); n > 0 && len(path[n-1].text) <= maxFieldText {
				path[n-1].text += string(t[:min(len(t), maxFieldText+1)])
			}
		case xml.EndElement:
			last := path[len(path)-1]
			path = path[:len(path)-1]
			if strings.TrimSpace(last.text) == "" {
				continue
			}
			name, value := last.name, masked
			if shownElements[strings.ToLower(last.name)] {
				value = last.text
			}
			if len(path) > 0 {
				name = path[len(path)-1].name + "/" + name
			}
			d.add(name, value)
		}
	}
}

// decodeDHCP tells what a message grants and its options, byte and meaning.
func decodeDHCP(payload []byte) []timeline.Field {
	var d decoded
	if m, err := dhcpoption.Parse(payload); err == nil {
		d.add("transaction", fmt.Sprintf("%x, %d s", m.TransactionID[:], m.NumSeconds))
		for _, address := range []struct {
			name string
			ip   fmt.Stringer
		}{{"ciaddr", m.ClientIPAddr}, {"yiaddr", m.YourIPAddr}, {"siaddr", m.ServerIPAddr}, {"giaddr", m.GatewayIPAddr}} {
			if text := address.ip.String(); text != "0.0.0.0" {
				d.add(address.name, text)
			}
		}
	}
	list, err := dhcpoption.Describe(payload)
	for _, o := range list {
		name := strings.TrimSpace(fmt.Sprintf("option %d %s", o.Code, o.Name))
		value := hex.EncodeToString(o.Value)
		if o.Meaning != "" {
			value = o.Meaning + " (" + value + ")"
		}
		d.add(name, value)
	}
	if err != nil {
		d.add("broken", err.Error())
	}
	return d
}

func decodeDNS(code dnsmessage.RCode, answers []dnsmessage.Resource) []timeline.Field {
	var d decoded
	d.add("code", codeName(code))
	for _, a := range answers {
		value := ""
		switch body := a.Body.(type) {
		case *dnsmessage.AResource:
			value = fmt.Sprintf("%d.%d.%d.%d", body.A[0], body.A[1], body.A[2], body.A[3])
		case *dnsmessage.SRVResource:
			value = fmt.Sprintf("priority %d, weight %d, port %d, %v", body.Priority, body.Weight, body.Port, body.Target)
		case *dnsmessage.CNAMEResource:
			value = body.CNAME.String()
		}
		d.add(kindName(a.Header.Type)+" "+a.Header.Name.String(), fmt.Sprintf("%s, TTL %d s", value, a.Header.TTL))
	}
	return d
}

func decodeLLDP(p lldp.PDU) []timeline.Field {
	var d decoded
	d.add("chassis", fmt.Sprintf("subtype %d, %x", p.ChassisID.Subtype, p.ChassisID.Value))
	d.add("port", fmt.Sprintf("subtype %d, %x", p.PortID.Subtype, p.PortID.Value))
	d.add("time to live", fmt.Sprintf("%d s", p.TTL))
	if name := p.SystemName(); name != "" {
		d.add("system name", name)
	}
	if med, ok := p.MED(); ok {
		d.add("LLDP-MED", fmt.Sprintf("class %d, capabilities %#x", med.Class, med.Capabilities))
	}
	for _, policy := range p.Policies() {
		d.add("network policy", fmt.Sprintf("application %d, unknown %v, tagged %v, VLAN %d, priority %d, DSCP %d",
			policy.Application, policy.Unknown, policy.Tagged, policy.VLAN, policy.Priority, policy.DSCP))
	}
	i := p.Inventory()
	for _, text := range [][2]string{{"manufacturer", i.Manufacturer}, {"model", i.Model}, {"firmware", i.Firmware}, {"software", i.Software}, {"serial", i.Serial}} {
		if text[1] != "" {
			d.add(text[0], text[1])
		}
	}
	return d
}

func decodeNTP(r *ntp.Response) []timeline.Field {
	var d decoded
	d.add("stratum", fmt.Sprint(r.Stratum))
	d.add("time", r.Time.UTC().Format(time.RFC3339Nano))
	d.add("round trip", r.RTT.String())
	return d
}

// decodeTLS tells the certificates that the server sent. They are public.
func decodeTLS(s tls.ConnectionState) []timeline.Field {
	var d decoded
	for _, c := range s.PeerCertificates {
		d.add("certificate", fmt.Sprintf("%q by %q, %s, valid %s to %s", name(c), c.Issuer.CommonName, c.SignatureAlgorithm, day(c.NotBefore), day(c.NotAfter)))
		if len(c.DNSNames) > 0 {
			d.add("names", strings.Join(c.DNSNames, " "))
		}
	}
	return d
}
