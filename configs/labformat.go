package configs

import (
	"fmt"
	"strconv"
	"strings"
)

// Format writes the lab as a lab file, with every key, that [ParseLab] reads as the same lab. Each comment goes before it,
// a line each.
func (l *Lab) Format(comments ...string) []byte {
	w := &labWriter{}
	for _, comment := range comments {
		w.line("# %s", strings.Join(strings.Fields(comment), " "))
	}
	w.names(l)
	w.trust(l)
	w.network(l.Network)
	w.switches(l)
	w.line("users:")
	for _, u := range l.Users {
		w.user(u)
	}
	return []byte(w.b.String())
}

type labWriter struct{ b strings.Builder }

func (w *labWriter) line(format string, args ...any) { fmt.Fprintf(&w.b, format+"\n", args...) }

func (w *labWriter) names(l *Lab) {
	w.line("edition: %s", l.Edition)
	w.line("sip_domain: %s", quoted(l.SIPDomain))
	w.line("dns_domain: %s", quoted(l.DNSDomain))
	w.line("pool: %s", quoted(l.Pool))
	w.line("web: %s", quoted(l.Web))
	w.line("front_ends:")
	for _, host := range l.FrontEnds {
		w.line("  - %s", host.yaml())
	}
	if l.Director != nil {
		w.line("director: %s", l.Director.yaml())
	}
	if l.Backup != nil {
		w.line("backup: %s", l.Backup.yaml())
	}
}

func (h Host) yaml() string { return fmt.Sprintf("{fqdn: %s, address: %s}", quoted(h.FQDN), h.Address) }

func (t TLS) yaml() string {
	text := fmt.Sprintf("{min: %q, max: %q", t.Min, t.Max)
	if len(t.Suites) > 0 {
		text += ", suites: " + list(t.Suites)
	}
	return text + "}"
}

func (w *labWriter) trust(l *Lab) {
	w.line("tls: %s", l.WebTLS().yaml())
	if l.SIPTLS != nil {
		w.line("sip_tls: %s", l.SIPTLS.yaml())
	}
	w.line("pin_form: %s", l.PINForm)
	w.line("pki: {signature: %s, intermediate: %v, key_bits: %d}", l.PKI.Signature, l.PKI.Intermediate, l.PKI.KeyBits)
	if c := l.Certificates; len(c.Web) > 0 || len(c.Registrar) > 0 {
		w.line("certificates: {web: %s, registrar: %s}", list(c.Web), list(c.Registrar))
	}
}

func (w *labWriter) network(n Network) {
	w.line("network:")
	w.line("  subnet: %s", n.Subnet)
	w.line("  gateway: %s", n.Gateway)
	w.line("  server: %s", n.Server)
	if n.VoiceVLAN != 0 {
		w.line("  native_subnet: %s", n.NativeSubnet)
		w.line("  native_server: %s", n.NativeServer)
	}
	w.line("  first_lease: %s", n.FirstLease)
	w.line("  leases: %d", n.Leases)
	w.line("  lease_time: %s", span(n.LeaseTime))
	w.line("  voice_vlan: %d", n.VoiceVLAN)
	w.line("  lldp_policy: %s", n.LLDPPolicy)
	w.line("  priority: %d", n.Priority)
	w.line("  dscp: %d", n.DSCP)
	w.line("  dhcp_options: %s", n.DHCPOptions)
	w.line("  ntp: %s", n.NTP)
}

func (w *labWriter) switches(l *Lab) {
	p, s, r, f := l.Policy, l.WebServices, l.Registrar, l.Phone
	w.line("pin_policy: {min_password_length: %d, maximum_logon_attempts: %d, pin_lifetime: %d, allow_common_patterns: %v}",
		p.MinPasswordLength, p.MaximumLogonAttempts, p.PINLifetime, p.AllowCommonPatterns)
	w.line("web_services:")
	w.line("  use_pin_auth: %v", s.UsePINAuth)
	w.line("  use_certificate_auth: %v", s.UseCertificateAuth)
	w.line(`  windows_auth: "%s"`, s.WindowsAuth)
	w.line("  enable_cert_chain_download: %v", s.EnableCertChainDownload)
	w.line("  metadata: %s", s.Metadata)
	w.line("  min_csr_key_size: %d", s.MinCSRKeySize)
	w.line("  max_csr_key_size: %d", s.MaxCSRKeySize)
	w.line("  certificate_hours: %d", s.CertificateHours)
	w.line("  verbose_pin_failures: %v", s.VerbosePINFailures)
	w.line("registrar:")
	w.line("  enable_dhcp_server: %v", r.EnableDHCPServer)
	w.line("  default_endpoint_expiration: %d", r.DefaultEndpointExpiration)
	w.line("  min_endpoint_expiration: %d", r.MinEndpointExpiration)
	w.line("  max_endpoint_expiration: %d", r.MaxEndpointExpiration)
	w.line("  max_endpoints_per_user: %d", r.MaxEndpointsPerUser)
	if r.Expires != 0 {
		w.line("  expires: %d", r.Expires)
	}
	w.line("  server: %s", r.Server)
	w.line("phone:")
	w.line("  calendar_poll_interval: %s", span(f.CalendarPollInterval))
	w.line("  enforce_phone_lock: %v", f.EnforcePhoneLock)
	w.line("  phone_lock_timeout: %s", span(f.PhoneLockTimeout))
	w.line("  min_phone_pin_length: %d", f.MinPhonePinLength)
	w.line("  sip_security_mode: %s", f.SIPSecurityMode)
	w.line("  voice_diffserv_tag: %d", f.VoiceDiffServTag)
	w.line("  voice_8021p: %d", f.Voice8021p)
	w.line("  logging_level: %q", f.LoggingLevel)
	w.line("updates: {enabled: %v, version: %q}", l.Updates.Enabled, l.Updates.Version)
}

func (w *labWriter) user(u User) {
	w.line("  - name: %s", quoted(u.Name))
	w.line("    sip: %s", quoted(u.SIPAddress))
	for _, key := range []struct{ name, value string }{{"line", u.LineURI}, {"pin", u.PIN}, {"login", u.Login}, {"password", u.Password}} {
		if key.value != "" {
			w.line("    %s: %s", key.name, quoted(key.value))
		}
	}
	w.line("    enabled: %v", u.Enabled)
	w.line("    locked: %v", u.Locked)
}

// quoted is a text in the double quotes of YAML.
func quoted(text string) string { return strconv.Quote(text) }

func list(texts []string) string {
	var out []string
	for _, text := range texts {
		out = append(out, quoted(text))
	}
	return "[" + strings.Join(out, ", ") + "]"
}
