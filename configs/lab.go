package configs

import (
	"fmt"
	"net/netip"
	"time"
)

// Lab is a simulated pool's configuration: names, network, trust, users and switches.
type Lab struct {
	Name    string `json:"name"`
	Edition string `json:"edition"` // standard or enterprise

	SIPDomain string `json:"sip_domain"` // litwareinc.com
	DNSDomain string `json:"dns_domain"` // option 15
	Pool      string `json:"pool"`       // pool FQDN
	Web       string `json:"web"`        // FQDN of the web services
	FrontEnds []Host `json:"front_ends"`
	Director  *Host  `json:"director,omitempty"` // answers 301
	Backup    *Host  `json:"backup,omitempty"`   // FQDN of the backup pool's front end

	Network      Network          `json:"network"`
	PKI          PKI              `json:"pki"`
	TLSMin       string           `json:"tls_min"` // "1.0"
	TLSMax       string           `json:"tls_max"`
	TLSSuites    []string         `json:"tls_suites,omitempty"` // up to TLS 1.2, none: those of DefaultSuites
	SIPTLS       *TLS             `json:"sip_tls,omitempty"`    // of the registrars, nil: as the web services
	Certificates CertificateNames `json:"certificates,omitzero"`
	PINForm      string           `json:"pin_form"` // p1 or p2, the one form that the pool accepts, or any of them
	Policy       PINPolicy        `json:"pin_policy"`
	WebServices  WebServices      `json:"web_services"`
	Registrar    Registrar        `json:"registrar"`
	Phone        PhonePolicy      `json:"phone"`
	Updates      Updates          `json:"updates"`
	Users        []User           `json:"users"`
}

// Host is one server of the lab.
type Host struct {
	FQDN    string     `json:"fqdn"`
	Address netip.Addr `json:"address"`
}

// Network is the wire side of a lab.
type Network struct {
	Subnet       netip.Prefix  `json:"subnet"` // of the VLAN the servers and phones end up in
	Gateway      netip.Addr    `json:"gateway"`
	Server       netip.Addr    `json:"server"`                 // DHCP, DNS and NTP station in Subnet
	NativeSubnet netip.Prefix  `json:"native_subnet,omitzero"` // leases of untagged phones, when VoiceVLAN is not 0
	NativeServer netip.Addr    `json:"native_server,omitzero"`
	FirstLease   netip.Addr    `json:"first_lease"`
	Leases       int           `json:"leases"`
	LeaseTime    time.Duration `json:"-"`
	VoiceVLAN    uint16        `json:"voice_vlan"`  // 0: none
	LLDPPolicy   string        `json:"lldp_policy"` // tagged, untagged or none
	Priority     uint8         `json:"priority"`
	DSCP         uint8         `json:"dscp"`
	DHCPOptions  string        `json:"dhcp_options"` // registrar (the front end answers INFORM) or enterprise (the DHCP server has 43 and 120)
	NTP          string        `json:"ntp"`          // option42, srv or none
}

// PKI is how the lab's certificates are made.
type PKI struct {
	Signature    string `json:"signature"` // sha1 or sha256
	Intermediate bool   `json:"intermediate"`
	KeyBits      int    `json:"key_bits"`
}

// PINPolicy is the part of Set-CsPinPolicy that a handset can see.
type PINPolicy struct {
	MinPasswordLength    int  `json:"min_password_length"`
	MaximumLogonAttempts int  `json:"maximum_logon_attempts"` // 0: by length
	PINLifetime          int  `json:"pin_lifetime"`           // days, 0: never expires
	AllowCommonPatterns  bool `json:"allow_common_patterns"`
}

// WebServices is the part of Set-CsWebServiceConfiguration that a handset can see.
type WebServices struct {
	UsePINAuth              bool   `json:"use_pin_auth"`
	UseCertificateAuth      bool   `json:"use_certificate_auth"`
	WindowsAuth             string `json:"windows_auth"` // UseWindowsAuth: ntlm, basic (lab only) or off
	EnableCertChainDownload bool   `json:"enable_cert_chain_download"`
	Metadata                string `json:"metadata"` // the forms that are answered: both, get or transfer
	MinCSRKeySize           int    `json:"min_csr_key_size"`
	MaxCSRKeySize           int    `json:"max_csr_key_size"`
	CertificateHours        int    `json:"certificate_hours"`    // validity granted
	VerbosePINFailures      bool   `json:"verbose_pin_failures"` // lab only: the reason is told apart
}

// Registrar is the part of Set-CsRegistrarConfiguration that a handset can see.
type Registrar struct {
	EnableDHCPServer          bool   `json:"enable_dhcp_server"`
	DefaultEndpointExpiration int    `json:"default_endpoint_expiration"` // seconds
	MinEndpointExpiration     int    `json:"min_endpoint_expiration"`
	MaxEndpointExpiration     int    `json:"max_endpoint_expiration"`
	MaxEndpointsPerUser       int    `json:"max_endpoints_per_user"`
	Expires                   int    `json:"expires,omitempty"` // lab only: seconds granted to every registration, whatever the range above; 0: the range counts
	Server                    string `json:"server"`            // Server header: RTC/5.0
}

// Bounds of a registrar's configuration.
const (
	leastExpiration = 60    // seconds
	leastExpires    = 31    // seconds: handsets refresh 30 s before
	mostExpiration  = 86400 // seconds
	mostEndpoints   = 64    // of one user
)

// Check holds a configuration that did not come from a lab file to the bounds of one. The names in its errors are
// those of Set-CsRegistrarConfiguration.
func (r Registrar) Check() error {
	for _, v := range []struct {
		name        string
		value       int
		least, most int
	}{
		{"DefaultEndpointExpiration", r.DefaultEndpointExpiration, leastExpiration, mostExpiration},
		{"MinEndpointExpiration", r.MinEndpointExpiration, leastExpiration, mostExpiration},
		{"MaxEndpointExpiration", r.MaxEndpointExpiration, leastExpiration, mostExpiration},
		{"MaxEndpointsPerUser", r.MaxEndpointsPerUser, 1, mostEndpoints},
	} {
		if v.value < v.least || v.value > v.most {
			return fmt.Errorf("%s: %d is not in the range %d to %d", v.name, v.value, v.least, v.most)
		}
	}
	if r.MinEndpointExpiration > r.DefaultEndpointExpiration || r.DefaultEndpointExpiration > r.MaxEndpointExpiration {
		return fmt.Errorf("DefaultEndpointExpiration: %d s is not between MinEndpointExpiration, %d s, and MaxEndpointExpiration, %d s",
			r.DefaultEndpointExpiration, r.MinEndpointExpiration, r.MaxEndpointExpiration)
	}
	return nil
}

// PhonePolicy is Set-CsUCPhoneConfiguration.
type PhonePolicy struct {
	CalendarPollInterval time.Duration `json:"-"`
	EnforcePhoneLock     bool          `json:"enforce_phone_lock"`
	PhoneLockTimeout     time.Duration `json:"-"`
	MinPhonePinLength    int           `json:"min_phone_pin_length"`
	SIPSecurityMode      string        `json:"sip_security_mode"`
	VoiceDiffServTag     int           `json:"voice_diffserv_tag"`
	Voice8021p           int           `json:"voice_8021p"`
	LoggingLevel         string        `json:"logging_level"`
}

// Updates is what the device update service offers.
type Updates struct {
	Enabled bool   `json:"enabled"`
	Version string `json:"version"` // offered to every model, empty: nothing
}

// User is one account of a lab's directory. PIN and Password are test data, yet no output shows them: String and
// MarshalJSON write "***".
type User struct {
	Name       string
	SIPAddress string // sip:kenmyer@litwareinc.com
	LineURI    string // tel:+12065551219;ext=1219
	PIN        string
	Login      string // LITWARE\kenmyer
	Password   string
	Enabled    bool
	Locked     bool
}
