package configs

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// FactTable is the profile as text, a line a fact, sorted by name. With provenance a second line says where the fact
// comes from, and the first line of all counts the grades. A glass text that is not sourced has a leading "~".
func (p *Profile) FactTable(provenance bool) string {
	width := 0
	count := map[Provenance]int{}
	for _, fact := range p.Facts {
		width = max(width, len(fact.Name))
		count[fact.Provenance]++
	}
	var b strings.Builder
	if provenance {
		fmt.Fprintf(&b, "%s: %d facts, %d sourced, %d inferred, %d assumed\n",
			p.Name, len(p.Facts), count[Sourced], count[Inferred], count[Assumed])
	}
	for _, fact := range p.Facts {
		value := fact.Value
		if strings.HasPrefix(fact.Name, "glass.") {
			value = GlassText{Text: fact.Value, Provenance: fact.Provenance}.String()
		}
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s  %s", width, fact.Name, value), " ") + "\n")
		if provenance {
			fmt.Fprintf(&b, "%-*s  %s: %s\n", width, "", fact.Provenance, fact.Source)
		}
	}
	return b.String()
}

// table is text in two columns.
type table struct{ b strings.Builder }

func (t *table) row(label string, format string, args ...any) {
	value := fmt.Sprintf(format, args...)
	t.b.WriteString(strings.TrimRight(fmt.Sprintf("%-22s  %s", label, value), " ") + "\n")
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// Text is the lab as text. PINs and passwords are shown as "***".
func (l *Lab) Text() string {
	t := &table{}
	t.row("lab", "%s", l.Name)
	t.row("edition", "%s", l.Edition)
	t.row("SIP domain", "%s", l.SIPDomain)
	t.row("DNS domain", "%s", l.DNSDomain)
	t.row("pool", "%s", l.Pool)
	t.row("web services", "%s", l.Web)
	for _, host := range l.FrontEnds {
		t.row("front end", "%s %s", host.FQDN, host.Address)
	}
	if l.Director != nil {
		t.row("director", "%s %s", l.Director.FQDN, l.Director.Address)
	}
	if l.Backup != nil {
		t.row("backup front end", "%s %s", l.Backup.FQDN, l.Backup.Address)
	}
	l.networkText(t)
	l.switchText(t)
	for _, u := range l.Users {
		state := ""
		if !u.Enabled {
			state += ", disabled"
		}
		if u.Locked {
			state += ", locked"
		}
		t.row("user", "%s %s %s, PIN %s, login %s, password %s%s", u.Name, u.SIPAddress, u.LineURI,
			orNone(masked(u.PIN)), orNone(u.Login), orNone(masked(u.Password)), state)
	}
	return t.b.String()
}

func (l *Lab) networkText(t *table) {
	n := l.Network
	t.row("subnet", "%s, gateway %s, server %s", n.Subnet, n.Gateway, n.Server)
	t.row("leases", "%d from %s, for %s", n.Leases, n.FirstLease, span(n.LeaseTime))
	if n.VoiceVLAN != 0 {
		t.row("voice VLAN", "%d", n.VoiceVLAN)
		t.row("native subnet", "%s, server %s", n.NativeSubnet, n.NativeServer)
	}
	t.row("LLDP-MED policy", "%s, priority %d, DSCP %d", n.LLDPPolicy, n.Priority, n.DSCP)
	t.row("DHCP options 43, 120", "by the %s server", n.DHCPOptions)
	t.row("time server by", "%s", n.NTP)
}

func (l *Lab) switchText(t *table) {
	intermediate := "without intermediate"
	if l.PKI.Intermediate {
		intermediate = "with an intermediate"
	}
	t.row("certificates", "%s, RSA %d, %s", l.PKI.Signature, l.PKI.KeyBits, intermediate)
	t.tls("TLS", l.WebTLS())
	if l.SIPTLS != nil {
		t.tls("TLS of registrars", *l.SIPTLS)
	}
	for _, names := range []struct {
		label string
		list  []string
	}{{"names, web services", l.Certificates.Web}, {"names, registrars", l.Certificates.Registrar}} {
		if len(names.list) > 0 {
			t.row(names.label, "%s", strings.Join(names.list, ", "))
		}
	}
	t.row("PIN form", "%s", l.PINForm)
	t.row("PIN policy", "%d digits at least, %s logon attempts, %s, common patterns %v", l.Policy.MinPasswordLength,
		zeroAs("default", l.Policy.MaximumLogonAttempts, ""), zeroAs("never expires", l.Policy.PINLifetime, " days"), l.Policy.AllowCommonPatterns)
	w := l.WebServices
	t.row("web service switches", "PIN %v, certificate %v, Windows %s, chain download %v, verbose PIN failures %v",
		w.UsePINAuth, w.UseCertificateAuth, w.WindowsAuth, w.EnableCertChainDownload, w.VerbosePINFailures)
	if w.Metadata != "both" {
		t.row("metadata", "form %s alone", w.Metadata)
	}
	t.row("client certificates", "CSR of RSA %d to %d, valid for %d h", w.MinCSRKeySize, w.MaxCSRKeySize, w.CertificateHours)
	r := l.Registrar
	t.row("registrar", "%s, DHCP server %v, expires %d s (%d to %d), %d endpoints a user", r.Server, r.EnableDHCPServer,
		r.DefaultEndpointExpiration, r.MinEndpointExpiration, r.MaxEndpointExpiration, r.MaxEndpointsPerUser)
	if r.Expires != 0 {
		t.row("registrations", "of %d s, whatever was asked", r.Expires)
	}
	p := l.Phone
	t.row("phone policy", "lock %v after %s, PIN of %d, SIP security %s, DSCP %d, 802.1p %d, calendar poll %s, logging %s", p.EnforcePhoneLock,
		span(p.PhoneLockTimeout), p.MinPhonePinLength, p.SIPSecurityMode, p.VoiceDiffServTag, p.Voice8021p, span(p.CalendarPollInterval), p.LoggingLevel)
	t.row("device updates", "enabled %v, offered %s", l.Updates.Enabled, orNone(l.Updates.Version))
}

func (t *table) tls(label string, r TLS) {
	suites := ""
	if len(r.Suites) > 0 {
		suites = ", " + strings.Join(r.Suites, ", ")
	}
	t.row(label, "%s to %s%s", r.Min, r.Max, suites)
}

func zeroAs(word string, n int, unit string) string {
	if n == 0 {
		return word
	}
	return fmt.Sprintf("%d%s", n, unit)
}

// span is a duration that is shown as in the lab file: 8h, not 8h0m0s.
type span time.Duration

func (s span) String() string {
	text := time.Duration(s).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (s span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON writes the lease time as text, "8h".
func (n Network) MarshalJSON() ([]byte, error) {
	type network Network
	return json.Marshal(struct {
		network
		LeaseTime span `json:"lease_time"`
	}{network(n), span(n.LeaseTime)})
}

// MarshalJSON writes the durations as text, "10m".
func (p PhonePolicy) MarshalJSON() ([]byte, error) {
	type policy PhonePolicy
	return json.Marshal(struct {
		policy
		CalendarPollInterval span `json:"calendar_poll_interval"`
		PhoneLockTimeout     span `json:"phone_lock_timeout"`
	}{policy(p), span(p.CalendarPollInterval), span(p.PhoneLockTimeout)})
}
