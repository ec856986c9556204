package report

import (
	"fmt"

	"github.com/phone-edition/lpe/devicestate"
)

// Finding is something about a pool that an administrator should know: an obstacle, with the code that a boot would
// end with, or a warning.
type Finding struct {
	Code  string `json:"code"`
	Stops bool   `json:"stops"` // a handset would not sign in
	Where string `json:"where"`
	Seen  string `json:"seen"`
	Means string `json:"means"` // to the phone
	Do    string `json:"do"`
}

// Codes of findings that no boot ends with.
const (
	FindingSHA1           = "inspect.sha1"
	FindingWeakKey        = "inspect.weak-key"
	FindingExpiresSoon    = "inspect.expires-soon"
	FindingUnknownCA      = "inspect.unknown-ca"
	FindingSuites         = "inspect.suites"
	FindingForm           = "inspect.metadata-form"
	FindingNoSTSURI       = "inspect.sts-uri-missing"
	FindingElsewhere      = "inspect.sts-uri-elsewhere"
	FindingClearText      = "inspect.clear-text"
	FindingAddress        = "inspect.address"
	FindingNoRegistrar    = "inspect.no-registrar"
	FindingOtherRegistrar = "inspect.other-registrar"
	FindingPartial        = "inspect.partial"
)

// findings are what warnings mean and what to do about them.
var findings = map[string]struct{ means, do string }{
	FindingSHA1: {
		"A handset of this profile takes SHA-1. Browsers and newer phones refuse such a certificate.",
		"issue the next certificate with SHA-256",
	},
	FindingWeakKey: {
		"A handset of this profile takes RSA keys from 1024 bits. Whoever records the connection may be able to read PINs later.",
		"issue the next certificate with an RSA key of 2048 bits",
	},
	FindingExpiresSoon: {
		"From that day on no phone signs in, and those that are signed in are cut off when they reconnect.",
		"renew it: Get-CsCertificate shows its use, Request-CsCertificate and Set-CsCertificate renew it",
	},
	FindingUnknownCA: {
		"Whether the phone trusts the certificate could not be told: there is no root to check it with.",
		"let the root chain be downloaded on port 80 (Set-CsWebServiceConfiguration -EnableCertChainDownload $true), or give the root with --ca",
	},
	FindingSuites: {
		"It is not proven which of these suites the hardware offers. A phone that offers only the missing ones cannot connect.",
		"allow TLS_RSA_WITH_AES_128_CBC_SHA and TLS_RSA_WITH_3DES_EDE_CBC_SHA in Schannel as long as such phones are in use",
	},
	FindingForm: {
		"Which form the hardware uses is not known. A phone that uses this one finds no web services.",
		"publish /CertProv and /WebTicket with GET and POST, every content type, through proxies and load balancers",
	},
	FindingNoSTSURI: {
		"The phone needs the URL from DHCP option 43. Clients that ask the registrar for it, and --target-fqdn, cannot use this pool.",
		"check the web services of the registrar's pool: Get-CsService -WebServer; DHCPUtil -SipServer shows option 43",
	},
	FindingElsewhere: {
		"The phone takes the URL from DHCP option 43, other clients the one of the registrar: they enrol at different places.",
		"compare Get-CsService -WebServer with option 43 and make them one",
	},
	FindingClearText: {
		"What the phone sends there, PIN or ticket, crosses the network unencrypted.",
		"publish the web services by https: Set-CsWebServer, then Enable-CsComputer",
	},
	FindingAddress: {
		"A phone that gets this address first waits until it gives up, then tries the next.",
		"take the address out of DNS, or bring the server back",
	},
	FindingNoRegistrar: {
		"The registrar was not looked at. An Enterprise pool has it under another name than the web services.",
		"inspect the pool's FQDN",
	},
	FindingOtherRegistrar: {
		"Its certificate is judged by the name that it gives itself, which need not be the one in DHCP option 120 or DNS.",
		"inspect the pool's FQDN as option 120 and DNS give it",
	},
	FindingPartial: {
		"What is missing was not looked at: whether a phone signs in could not be told.",
		"raise --timeout",
	},
}

// FindingCodes are the codes that only an inspection gives.
func FindingCodes() []string {
	var out []string
	for code := range findings {
		out = append(out, code)
	}
	return out
}

// NewFinding explains a code: one of an inspection, else one that boots end with.
func NewFinding(code string, stops bool, where, seen string) Finding {
	f := Finding{Code: code, Stops: stops, Where: where, Seen: Clip(seen)}
	if own, ok := findings[code]; ok {
		f.Means, f.Do = own.means, own.do
		return f
	}
	d, ok := Lookup(devicestate.Code(code))
	f.Means = "The phone signs in all the same."
	if stops {
		f.Means = "The phone does not sign in; its boot ends with this code."
	}
	if ok {
		f.Do = fmt.Sprintf("%s ('lpe explain %s' has the causes)", d.Remedy, code)
	}
	return f
}
