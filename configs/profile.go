package configs

import (
	"time"

	"github.com/phone-edition/lpe/devicestate"
)

// Provenance grades a fact about the hardware.
type Provenance string

// The grades. A fact without one does not load.
const (
	Sourced  Provenance = "sourced"  // Source names the document
	Inferred Provenance = "inferred" // Source gives the reasoning
	Assumed  Provenance = "assumed"  // Source says why this value was chosen
)

// Fact is one value of a profile with where it comes from.
type Fact struct {
	Name       string     `json:"name"`  // dotted, as in the YAML
	Value      string     `json:"value"` // as text
	Provenance Provenance `json:"provenance"`
	Source     string     `json:"source"`
}

// GlassText is a text on the phone's display. A text that is not sourced is shown with a leading "~".
type GlassText struct {
	Text       string     `json:"text"`
	Provenance Provenance `json:"provenance"`
}

// String is the text as output shows it: with a leading "~" unless it is sourced.
func (g GlassText) String() string {
	if g.Text == "" || g.Provenance == Sourced {
		return g.Text
	}
	return "~" + g.Text
}

// Profile is what one firmware build on one model does on the wire and on its glass. Each field is a fact of the
// YAML under the name in its tag. Durations are written as in Go ("4s"). A oneof tag lists the only values that a
// text, or an entry of a list, may have; a range tag those of a number. A text may be empty only where its tag says so.
type Profile struct {
	Name  string // polycom-cx600-4.0.7577.4463
	Facts []Fact // every fact, sorted by name, those of the bases included

	Family   string    `fact:"model.family" oneof:"aries-information-worker aries-common-area aries-conference tanjay"`
	Vendor   string    `fact:"model.vendor"`                      // as in the inventory: POLYCOM
	Model    string    `fact:"model.name" quoted:"yes"`           // CX600
	Revision string    `fact:"model.revision"`                    // A
	OUI      string    `fact:"model.oui" quoted:"yes" form:"oui"` // 00:04:F2
	Firmware string    `fact:"firmware.version" quoted:"yes"`
	Pairing  string    `fact:"firmware.pairing"`   // that this build runs on this model
	ColdDate time.Time `fact:"firmware.cold_date"` // the clock after power loss, RFC 3339
	PIN      bool      `fact:"signin.pin"`         // PIN sign-in is offered
	Password bool      `fact:"signin.password"`    // user name and password are taken, on the touch screen or through a computer on USB

	LLDPWait       time.Duration `fact:"lldp.wait"`     // how long for a network policy
	LLDPInterval   time.Duration `fact:"lldp.interval"` // between fast-start frames
	LLDPCount      int           `fact:"lldp.fast_start_count" range:"0 10"`
	LLDPTxInterval time.Duration `fact:"lldp.tx_interval"`         // between frames after the fast start
	LLDPTTL        uint16        `fact:"lldp.ttl" range:"1 65535"` // seconds
	LLDPChassis    uint8         `fact:"lldp.chassis_subtype" range:"4 5"`

	VLANClass      string          `fact:"vlan.class"` // option 60 of the VLAN request
	VLANTimeouts   []time.Duration `fact:"vlan.timeouts"`
	LeaseOrder     []uint8         `fact:"dhcp.discover_order"`
	RequestOrder   []uint8         `fact:"dhcp.request_order"`
	LeasePRL       []uint8         `fact:"dhcp.parameter_request_list"`
	LeaseTimeouts  []time.Duration `fact:"dhcp.timeouts"` // the last one repeats
	HostNamePrefix string          `fact:"dhcp.host_name_prefix"`
	IPTTL          uint8           `fact:"ip.ttl" range:"1 255"`
	ARPProbe       time.Duration   `fact:"arp.probe"` // in all

	InformClass    string          `fact:"inform.class"`
	InformOrder    []uint8         `fact:"inform.order"`
	InformPRL      []uint8         `fact:"inform.parameter_request_list"`
	InformTimeouts []time.Duration `fact:"inform.timeouts"`

	DNSTimeout time.Duration `fact:"dns.timeout"`
	DNSTries   int           `fact:"dns.tries" range:"1 10"`
	// DiscoveryOrder is the order of registrar candidates while no SIP domain is known.
	DiscoveryOrder []string `fact:"discovery.order" oneof:"dhcp-tls dhcp-tcp srv-internal-tls srv-internal-tcp srv-external-tls srv-external-tcp a-internal a-sip a-external"`
	// DiscoveryOrderKnown is that order once a user's SIP domain is known.
	DiscoveryOrderKnown []string `fact:"discovery.order_known" oneof:"dhcp-tls dhcp-tcp srv-internal-tls srv-internal-tcp srv-external-tls srv-external-tcp a-internal a-sip a-external"`
	SuffixRetry         bool     `fact:"discovery.suffix_retry"` // a name that is not there is asked for again with the DNS suffix
	StrictNaming        bool     `fact:"discovery.strict_naming"`
	CertProvSources     []string `fact:"certprov.sources" oneof:"option43 sts-uri default-path"`

	UpdateName       string        `fact:"update.host"` // ucupdates-r2
	UpdateDomain     string        `fact:"update.domain_source" oneof:"sip-srv dhcp"`
	UpdateInterval   time.Duration `fact:"update.interval"`
	UpdateDeviceType string        `fact:"update.device_type"` // UCPhone
	UpdateModule     string        `fact:"update.module"`      // file name of the firmware in the query
	Locale           string        `fact:"update.locale"`      // three-letter Windows language code

	TimeSources  []string      `fact:"time.sources" oneof:"option42 srv fallback"`
	TimeFallback string        `fact:"time.fallback_host"`
	TimeTimeout  time.Duration `fact:"time.timeout"`

	TLSMin            string   `fact:"tls.min" oneof:"1.0 1.1 1.2"`
	TLSMax            string   `fact:"tls.max" oneof:"1.0 1.1 1.2"`
	TLSSuites         []string `fact:"tls.suites" form:"suite"` // names as in crypto/tls
	TLSServerName     bool     `fact:"tls.server_name"`         // sends SNI
	RefuseWildcardSIP bool     `fact:"tls.refuse_wildcard_registrar"`
	WarnWildcardWeb   bool     `fact:"tls.warn_wildcard_web"`
	MaxRootBits       int      `fact:"tls.max_root_bits" range:"1024 16384"` // RSA key of a root that is learned

	ConnectTimeout time.Duration `fact:"timeout.connect"`
	TLSTimeout     time.Duration `fact:"timeout.tls"`
	AnswerTimeout  time.Duration `fact:"timeout.answer"`
	RetryAfter     time.Duration `fact:"retry.after"`                 // service trouble: one retry after this
	HTTPUserAgent  string        `fact:"http.user_agent" empty:"yes"` // empty: the header is not sent
	MetadataForm   string        `fact:"metadata.form" oneof:"get transfer"`
	PINForms       []string      `fact:"ticket.pin_forms" oneof:"p1 p2"`
	KeyBits        int           `fact:"certificate.key_bits" range:"1024 16384"`
	CSRSignature   string        `fact:"certificate.csr_signature" oneof:"sha1 sha256"`
	RenewAt        int           `fact:"certificate.renew_at_percent" range:"1 99"`
	RenewRetry     time.Duration `fact:"certificate.renew_retry"` // between attempts to renew it

	ReconnectBase   time.Duration `fact:"reconnect.base"` // before the first registration after a lost connection; doubles with each that fails
	ReconnectMost   time.Duration `fact:"reconnect.most"`
	ReconnectJitter int           `fact:"reconnect.jitter_percent" range:"0 100"` // of these, at most so much is taken off at random

	UserAgent              string        `fact:"sip.user_agent"`
	SecurityMode           string        `fact:"sip.security_mode" oneof:"Low Medium High"`
	Supported              []string      `fact:"sip.supported"` // one header line an entry
	Methods                string        `fact:"sip.methods"`
	KeepAlive              string        `fact:"sip.ms_keep_alive"`
	RefreshBefore          time.Duration `fact:"sip.refresh_before"`
	AssociationLife        time.Duration `fact:"sip.association_life"`         // at most
	AssociationRenewBefore time.Duration `fact:"sip.association_renew_before"` // its end, or that of the certificate
	ResubscribeBefore      time.Duration `fact:"sip.resubscribe_before"`
	ProvisionInterval      time.Duration `fact:"provisioning.interval"`
	ProvisionGroups        []string      `fact:"provisioning.groups"`

	Glass map[string]GlassText // facts glass.<key>, where key is a state, a failure code or a reset
}

// TextFor returns what the glass shows in s, or for the failure code when code is not empty; ok is false when no
// text is known.
func (p *Profile) TextFor(s devicestate.State, code devicestate.Code) (GlassText, bool) {
	if text, ok := p.Glass[string(code)]; ok && code != "" {
		return text, true
	}
	text, ok := p.Glass[string(s)]
	return text, ok
}
