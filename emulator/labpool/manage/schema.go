package manage

import (
	"fmt"
	"time"

	"github.com/phone-edition/lpe/emulator/labpool/history"
	"github.com/phone-edition/lpe/emulator/timeline"
)

// Version is the version of the schema, the first segment of every path.
const Version = "v1"

// Pool is the pool as a whole.
type Pool struct {
	Schema      string   `json:"schema"` // lpe.manage/1
	Lab         string   `json:"lab"`
	Pool        string   `json:"pool"` // FQDN
	CertProvURL string   `json:"certProvUrl"`
	Registrars  []string `json:"registrars"` // host:port
}

// User is a user as Get-CsUser shows one.
type User struct {
	SIPAddress string `json:"SipAddress"`
	LineURI    string `json:"LineUri"`
	Enabled    bool   `json:"Enabled"`
}

// PinInfo is what Get-CsClientPinInfo shows of a user's PIN.
type PinInfo struct {
	IsPinSet          bool       `json:"IsPinSet"`
	IsLockedOut       bool       `json:"IsLockedOut"`
	LastPinChange     *time.Time `json:"LastPinChange"`     // null: never
	PinExpirationTime *time.Time `json:"PinExpirationTime"` // null: never
}

// NewPin gives a user another PIN.
type NewPin struct {
	Pin string `json:"pin"`
}

// Registrar is what Get-CsRegistrarConfiguration shows, as far as a handset can see it. Expirations are in seconds.
type Registrar struct {
	EnableDHCPServer          bool `json:"EnableDHCPServer"`
	DefaultEndpointExpiration int  `json:"DefaultEndpointExpiration"`
	MinEndpointExpiration     int  `json:"MinEndpointExpiration"`
	MaxEndpointExpiration     int  `json:"MaxEndpointExpiration"`
	MaxEndpointsPerUser       int  `json:"MaxEndpointsPerUser"`
}

// WebServices is what Get-CsWebServiceConfiguration shows, as far as a handset can see it.
type WebServices struct {
	UsePinAuth              bool `json:"UsePinAuth"`
	UseCertificateAuth      bool `json:"UseCertificateAuth"`
	UseWindowsAuth          bool `json:"UseWindowsAuth"`
	EnableCertChainDownload bool `json:"EnableCertChainDownload"`
}

// Registration is an endpoint of a user.
type Registration struct {
	SIPAddress string    `json:"sipAddress"`
	EPID       string    `json:"epid"`
	State      string    `json:"state"`     // registered, signed-off, removed or expired
	Registrar  string    `json:"registrar"` // FQDN of the front end
	UserAgent  string    `json:"userAgent"`
	Contact    string    `json:"contact"`
	Since      time.Time `json:"since"` // in that state
	Expires    time.Time `json:"expires"`
}

// Certificate is one that is published for a user's device.
type Certificate struct {
	SIPAddress string    `json:"sipAddress"`
	DeviceID   string    `json:"deviceId"`
	Serial     string    `json:"serial"`     // hexadecimal
	Thumbprint string    `json:"thumbprint"` // SHA-1 of the certificate, hexadecimal
	NotBefore  time.Time `json:"notBefore"`
	NotAfter   time.Time `json:"notAfter"`
}

// Entry is one observation of the pool.
type Entry struct {
	timeline.Observation
	User string `json:"user,omitempty"` // SIP address of whom it is about, if that is known
}

// String is the entry as one line: time, kind, protocol, peer and text, and in brackets whom it is about and how he was
// authenticated.
func (e Entry) String() string {
	line := fmt.Sprintf("%s %-8s %-5s %-21s %s", e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Kind, e.Protocol, e.Peer, e.Text)
	about := e.User
	if auth := history.Value(e.Observation, history.Auth); auth != "" {
		about += ", " + auth
	}
	if about != "" {
		line += " [" + about + "]"
	}
	return line
}

// Fault is a fault that is active.
type Fault struct {
	Fault       string `json:"fault"`          // stage=kind[:parameter], the times that are left
	User        string `json:"user,omitempty"` // whom it strikes, if it strikes one
	Description string `json:"description"`
}

// SetFault makes a fault active.
type SetFault struct {
	Fault string `json:"fault"`          // stage=kind[:parameter]
	User  string `json:"user,omitempty"` // whom a fault of the directory strikes
}

// Deregister ends the registrations of a user.
type Deregister struct {
	Event string `json:"event"` // rejected, unregistered or deactivated
}

// Notify tells the subscribers of an event.
type Notify struct {
	Event       string `json:"event"` // as in SUBSCRIBE
	ContentType string `json:"contentType,omitempty"`
	Body        string `json:"body,omitempty"`
}

// Awaited is a state that was reached.
type Awaited struct {
	State        string        `json:"state"`
	SIPAddress   string        `json:"sipAddress"`
	Registration *Registration `json:"registration,omitempty"`
	Certificate  *Certificate  `json:"certificate,omitempty"`
	Entry        *Entry        `json:"entry,omitempty"`
}

type list[T any] struct {
	List []T `json:"list"`
}
