package configs

import (
	"net/netip"
	"time"
)

// Lab is a simulated pool's configuration: names, network, trust, users and switches.
type Lab struct {
	Name    string
	Edition string // standard or enterprise

	SIPDomain string // litwareinc.com
	DNSDomain string // option 15
	Pool      string // pool FQDN
	Web       string // FQDN of the web services
	FrontEnds []Host
	Director  *Host // answers 301
	Backup    *Host // FQDN of the backup pool's front end

	Network     Network
	PKI         PKI
	TLSMin      string // "1.0"
	TLSMax      string
	PINForm     string // p1 or p2, the one form that the pool accepts
	Policy      PINPolicy
	WebServices WebServices
	Registrar   Registrar
	Phone       PhonePolicy
	Updates     Updates
	Users       []User
}

// Host is one server of the lab.
type Host struct {
	FQDN    string
	Address netip.Addr
}

// Network is the wire side of a lab.
type Network struct {
	Subnet       netip.Prefix // of the VLAN the servers and phones end up in
	Gateway      netip.Addr
	Server       netip.Addr   // DHCP, DNS and NTP station in Subnet
	NativeSubnet netip.Prefix // leases of untagged phones, when VoiceVLAN is not 0
	NativeServer netip.Addr
	FirstLease   netip.Addr
	Leases       int
	LeaseTime    time.Duration
	VoiceVLAN    uint16 // 0: none
	LLDPPolicy   string // tagged, untagged or none
	Priority     uint8
	DSCP         uint8
	DHCPOptions  string // registrar (the front end answers INFORM) or enterprise (the DHCP server has 43 and 120)
	NTP          string // option42, srv or none
}

// PKI is how the lab's certificates are made.
type PKI struct {
	Signature    string // sha1 or sha256
	Intermediate bool
	KeyBits      int
}

// PINPolicy is the part of Set-CsPinPolicy that a handset can see.
type PINPolicy struct {
	MinPasswordLength    int
	MaximumLogonAttempts int // 0: by length
	PINLifetime          int // days, 0: never expires
	AllowCommonPatterns  bool
}

// WebServices is the part of Set-CsWebServiceConfiguration that a handset can see.
type WebServices struct {
	UsePINAuth              bool
	UseCertificateAuth      bool
	UseWindowsAuth          bool
	EnableCertChainDownload bool
	MinCSRKeySize           int
	MaxCSRKeySize           int
	CertificateHours        int  // validity granted
	VerbosePINFailures      bool // lab only: the reason is told apart
}

// Registrar is the part of Set-CsRegistrarConfiguration that a handset can see.
type Registrar struct {
	EnableDHCPServer          bool
	DefaultEndpointExpiration int // seconds
	MinEndpointExpiration     int
	MaxEndpointExpiration     int
	MaxEndpointsPerUser       int
	Server                    string // Server header: RTC/5.0
}

// PhonePolicy is Set-CsUCPhoneConfiguration.
type PhonePolicy struct {
	CalendarPollInterval time.Duration
	EnforcePhoneLock     bool
	PhoneLockTimeout     time.Duration
	MinPhonePinLength    int
	SIPSecurityMode      string
	VoiceDiffServTag     int
	Voice8021p           int
	LoggingLevel         string
}

// Updates is what the device update service offers.
type Updates struct {
	Enabled bool
	Version string // offered to every model, empty: nothing
}

// User is one account of a lab's directory. PIN and Password are test data that the lab's file shows openly.
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
