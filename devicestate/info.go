package devicestate

import "strings"

// StateInfo tells what a state is about.
type StateInfo struct {
	Does   string // one sentence, empty for PoweredOff
	Stage  Stage  // empty for PoweredOff, Rebooting and Failed
	Codes  []Code // failure and warning codes that can be met in it
	Timer  string // profile fact that bounds it, such as lldp.wait; empty: it waits for the user or for nothing
	Glass  string // key of its glass text in the profile, empty: the glass is dark
	Source string
}

// Codes that belong to no state.
const (
	CodeInterrupted Code = "boot.interrupted" // the user ended the boot
	CodeTimeout     Code = "boot.timeout"     // the boot's time was over in a state without a stage
	CodeRefused     Code = "lpe.refused"      // something happened that this version does not take, see [Refusal]
	CodeInternal    Code = "lpe.internal"     // a bug of this program
	CodeNotSaved    Code = "lpe.not-saved"    // the computer does not keep what the handset puts into its flash
)

const (
	stream = "timeout reset http-500 http-404 http-error garbage unresolved "
	tls    = "certificate-expired certificate-not-yet-valid clock-not-set certificate-wrong-name untrusted-chain " +
		"wildcard-certificate tls-version tls-failed "
)

var infos = map[State]StateInfo{
	PoweredOff: {Source: ours},
	LinkDetect: {
		Does:   "asks the switch for a voice policy by LLDP-MED, sends first",
		Codes:  codes(StageLink, "no-carrier timeout"),
		Timer:  "lldp.wait",
		Source: "discovery.md §1.1",
	},
	VlanDiscover: {
		Does:   "takes an untagged lease and looks for the VLAN in option 43, sub-option 10",
		Codes:  codes(StageVlan, "invalid no-ack nak garbage timeout"),
		Timer:  "vlan.timeouts",
		Source: "discovery.md §1.2",
	},
	AddressAcquire: {
		Does:   "gets an address by DHCP, probes and announces it by ARP",
		Codes:  codes(StageAddress, "no-offer no-ack nak lease-lost garbage duplicate timeout"),
		Timer:  "dhcp.timeouts",
		Source: "discovery.md §1.3",
	},
	UpdateLookup: {
		Does:   "finds the device update service by DNS and asks it without signing in",
		Codes:  codes(StageUpdate, "refused "+stream+tls),
		Timer:  "timeout.answer",
		Source: bootOrder,
	},
	TimeSync: {
		Does:   "asks the time sources in order and sets the handset's clock",
		Codes:  codes(StageTime, "no-answer refused timeout"),
		Timer:  "time.timeout",
		Source: "discovery.md §6, position inferred",
	},
	PoolDiscover: {
		Does: "finds registrar and certificate URL by DHCPINFORM and DNS at once",
		Codes: codes(StageDiscovery, "no-registrar no-certprov-url inform-unanswered registrar-unresolved timeout srv-domain-mismatch "+
			"option43-foreign option43-port-binary option43-truncated option43-hex-text option43-no-host "+
			"option43-bad-scheme option43-no-path option43-bad-identifier option43-missing "+
			"option120-text option120-no-type option120-address option120-truncated option120-empty option120-missing"),
		Timer:  "inform.timeouts",
		Source: "discovery.md §1.4, §1.5",
	},
	SignIn: {
		Does:   "waits for number and PIN, or user name and password, unless flash holds a certificate that has not been refused",
		Codes:  codes(StageSignIn, "no-credentials timeout"),
		Source: signInOrder,
	},
	RootChain: {
		Does:   "downloads the root chain by anonymous http, unless one is held",
		Codes:  codes(StageChain, "refused off empty too-long unreadable-root redirect "+stream),
		Timer:  "timeout.answer",
		Source: "web-services.md §2",
	},
	WebTicket: {
		Does: "reads the metadata of both services and asks for a web ticket with number and PIN, user name and password, or to renew the certificate with the one held",
		Codes: codes(StageTicket, "connection-refused pin-not-offered windows-off refused password-refused locked expired disabled pin-unset wrong-pin unknown-number not-unique other-user "+
			"held-back certificate-not-offered certificate-refused redirect clear-text "+stream+tls),
		Timer:  "timeout.answer",
		Source: "web-services.md §3",
	},
	Enroll: {
		Does:   "has a certificate issued and published with the ticket's proof key",
		Codes:  codes(StageEnroll, "csr-refused ticket-refused wrong-key refused "+stream+tls),
		Timer:  "timeout.answer",
		Source: "web-services.md §4",
	},
	Register: {
		Does: "tries the registrars in order, four REGISTERs each, and follows redirects; after a lost connection it waits before, the longer the more have failed",
		Codes: codes(StageRegister, "refused timeout reset garbage unresolved "+tls+
			"400 401 403 404 421 480 489 503 504 sip-error bad-rspauth certificate-refused redirect-loop redirect-insecure security-association association-lost"),
		Timer:  "timeout.answer",
		Source: "sip.md §1.1, §4",
	},
	Provision: {
		Does:   "subscribes to provisioning, contacts and self, then publishes device and state",
		Codes:  codes(StageProvision, "403 405 406 sip-error garbage timeout unlock-pin"),
		Timer:  "timeout.answer",
		Source: "sip.md §5.1",
	},
	UpdateCheck: {
		Does:   "asks the update service again, signed in, at the URL of provisioning",
		Codes:  codes(StageUpdate, "refused "+stream+tls),
		Timer:  "timeout.answer",
		Source: "handset.md §3.2",
	},
	Updating: {
		Does:   "downloads and stores the image, keeps the old one",
		Codes:  codes(StageUpdate, "unknown-image refused "+stream+tls),
		Timer:  "timeout.answer",
		Source: "handset.md §3.2 item 4",
	},
	Rebooting: {
		Does:   "starts again, with the new firmware if there is one",
		Source: bootOrder,
	},
	Ready: {
		Does:   "keeps the connection alive, refreshes the registration, renews association and certificate, takes notifications in order",
		Codes:  codes(StageReady, "signed-out connection-lost registration-lost"),
		Timer:  "sip.refresh_before",
		Source: "sip.md §5.4",
	},
	Failed: {
		Does:   "remembers stage, code and the state it came from",
		Source: ours,
	},
}

func codes(stage Stage, kinds string) []Code {
	var out []Code
	for _, kind := range strings.Fields(kinds) {
		out = append(out, NewCode(stage, kind))
	}
	return out
}

// Info tells what s is about; the zero StateInfo for a state that does not exist.
func Info(s State) StateInfo {
	info := infos[s]
	info.Stage = s.Stage()
	info.Codes = append([]Code(nil), info.Codes...)
	if s != PoweredOff && info.Source != "" {
		info.Glass = string(s)
	}
	return info
}
