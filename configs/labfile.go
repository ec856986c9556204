package configs

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Labs lists the labs that this program brings, sorted by name.
func Labs() []string { return namesIn("labs") }

// LoadLab reads the named lab of [Labs], else the lab file at that path.
func LoadLab(nameOrPath string) (*Lab, error) {
	name, data, err := readLab(nameOrPath)
	if err != nil {
		return nil, err
	}
	return ParseLab(name, data)
}

// LabText is the file of the named lab of [Labs].
func LabText(name string) ([]byte, error) {
	if !slices.Contains(Labs(), name) {
		return nil, fmt.Errorf("no lab %q, there are %s", name, strings.Join(Labs(), ", "))
	}
	return files.ReadFile(path.Join("labs", name+".yaml"))
}

// readLab returns the file of a lab.
func readLab(nameOrPath string) (name string, data []byte, err error) {
	if slices.Contains(Labs(), nameOrPath) {
		data, err := LabText(nameOrPath)
		return nameOrPath, data, err
	}
	if _, err := os.Stat(nameOrPath); err != nil {
		return "", nil, fmt.Errorf("no lab %q (there are %s) and no such file: %w", nameOrPath, strings.Join(Labs(), ", "), err)
	}
	data, err = readRegular("lab file", nameOrPath)
	return nameOrPath, data, err
}

// readRegular reads a file as far as [parseFile] takes it, and one byte more.
func readRegular(what, file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s %s: a regular file expected", what, file)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, file, err)
	}
	return data, nil
}

// ParseLab reads a lab file. The sections pki, pin_policy, web_services, registrar, phone and updates, and each of
// their keys, may be left out: then the defaults of the cmdlets count (handset.md §4 and §6, web-services.md §1.2).
// The error is of type [Problems] and names every mistake.
func ParseLab(name string, data []byte) (*Lab, error) {
	lab, _, err := parseLab(name, data, nil, false)
	return lab, err
}

// parseLab reads a lab file with the values of set in place of its own, and returns the names that no value has. A pool
// that is running can be switched to what no pool is started with.
func parseLab(name string, data []byte, set Settings, running bool) (lab *Lab, unused []string, err error) {
	file := name
	if slices.Contains(Labs(), name) {
		file = "labs/" + name + ".yaml"
	}
	f := parseFile(file, data)
	if f.root == nil || len(f.problems) > 0 {
		return nil, nil, f.finish()
	}
	f.set, f.running = set, running
	lab = &Lab{Name: strings.TrimSuffix(filepath.Base(name), ".yaml")}
	top := f.section("", f.root)
	lab.readNames(top)
	lab.readNetwork(top.sub("network"))
	lab.checkHosts(top)
	lab.readTrust(top)
	lab.readSwitches(top)
	lab.readUsers(top)
	top.finish()
	for _, one := range set {
		if !f.placed[one.Name] {
			unused = append(unused, one.Name)
		}
	}
	if err := f.finish(); err != nil || len(unused) > 0 {
		return nil, unused, err
	}
	return lab, nil, nil
}

func (l *Lab) readNames(top *section) {
	l.Edition = top.choice("edition", "", "standard", "enterprise")
	l.SIPDomain = top.needFQDN("sip_domain")
	l.DNSDomain = top.needFQDN("dns_domain")
	l.Pool = top.needFQDN("pool")
	l.Web = top.needFQDN("web")
	for i, node := range top.list("front_ends") {
		l.FrontEnds = append(l.FrontEnds, readHost(top.file.section(fmt.Sprintf("front_ends[%d]", i+1), node)))
	}
	if len(l.FrontEnds) == 0 {
		top.report("front_ends", "a front end at least is needed")
	}
	if l.Edition == "standard" && (len(l.FrontEnds) > 1 || len(l.FrontEnds) == 1 && l.FrontEnds[0].FQDN != l.Pool) {
		top.report("front_ends", "the one front end of a Standard Edition pool has the name of the pool")
	}
	l.Director = readOptionalHost(top, "director")
	l.Backup = readOptionalHost(top, "backup")
}

func readOptionalHost(top *section, key string) *Host {
	if !top.has(key) {
		return nil
	}
	host := readHost(top.sub(key))
	return &host
}

func readHost(s *section) Host {
	defer s.finish()
	return Host{FQDN: s.needFQDN("fqdn"), Address: s.needAddress("address")}
}

func (l *Lab) readNetwork(s *section) {
	defer s.finish()
	l.Network = Network{
		Subnet: s.needPrefix("subnet"), Gateway: s.needAddress("gateway"), Server: s.needAddress("server"),
		NativeSubnet: s.prefix("native_subnet"), NativeServer: s.address("native_server"),
		FirstLease: s.needAddress("first_lease"), Leases: s.number("leases", 100, 1, 65534),
		LeaseTime:   s.span("lease_time", 8*time.Hour, time.Minute, 366*24*time.Hour),
		VoiceVLAN:   uint16(s.number("voice_vlan", 0, 0, 4094)),
		LLDPPolicy:  s.choice("lldp_policy", "none", "tagged", "untagged", "none"),
		Priority:    uint8(s.number("priority", 0, 0, 7)),
		DSCP:        uint8(s.number("dscp", 0, 0, 63)),
		DHCPOptions: s.choice("dhcp_options", "", "registrar", "enterprise"),
		NTP:         s.choice("ntp", "none", "option42", "srv", "none"),
	}
	l.checkNetwork(s)
}

// checkNetwork compares the addresses of the lab with each other.
func (l *Lab) checkNetwork(s *section) {
	n := l.Network
	l.needInSubnet(s, "gateway", n.Gateway)
	l.needInSubnet(s, "server", n.Server)
	l.needInSubnet(s, "first_lease", n.FirstLease)
	if n.FirstLease.IsValid() && n.Subnet.IsValid() {
		l.checkLeases(s)
	}
	switch {
	case n.VoiceVLAN == 0 && (n.NativeSubnet.IsValid() || n.NativeServer.IsValid()):
		s.report("voice_vlan", "a native subnet needs a voice VLAN")
	case n.VoiceVLAN == 0 && n.LLDPPolicy == "tagged":
		s.report("lldp_policy", "a tagged policy needs a voice VLAN")
	case n.VoiceVLAN != 0 && (!n.NativeSubnet.IsValid() || !n.NativeServer.IsValid()):
		s.report("voice_vlan", "a voice VLAN needs native_subnet and native_server")
	case n.VoiceVLAN != 0 && !n.NativeSubnet.Contains(n.NativeServer):
		s.report("native_server", "%v is not in the native subnet %v", n.NativeServer, n.NativeSubnet)
	case n.VoiceVLAN != 0 && n.NativeSubnet.Overlaps(n.Subnet):
		s.report("native_subnet", "%v overlaps the subnet %v", n.NativeSubnet, n.Subnet)
	}
}

func (l *Lab) needInSubnet(s *section, key string, a netip.Addr) {
	if subnet := l.Network.Subnet; a.IsValid() && subnet.IsValid() && !subnet.Contains(a) {
		s.report(key, "%v is not in the subnet %v", a, subnet)
	}
}

// checkHosts reports a server that is not in the subnet, or that has the address of another one.
func (l *Lab) checkHosts(top *section) {
	used := map[netip.Addr]string{l.Network.Server: "the server of the network"}
	check := func(key string, host Host) {
		l.needInSubnet(top, key, host.Address)
		if who, taken := used[host.Address]; taken && host.Address.IsValid() {
			top.report(key, "%v is the address of %s and of %s", host.Address, who, host.FQDN)
		}
		used[host.Address] = host.FQDN
	}
	for _, host := range l.FrontEnds {
		check("front_ends", host)
	}
	if l.Director != nil {
		check("director", *l.Director)
	}
	if l.Backup != nil {
		check("backup", *l.Backup)
	}
}

// checkLeases reports a lease that is not in the subnet, or that is the address of a server.
func (l *Lab) checkLeases(s *section) {
	n := l.Network
	used := map[netip.Addr]string{n.Server: "the server", n.Gateway: "the gateway"}
	for _, host := range l.hosts() {
		used[host.Address] = host.FQDN
	}
	a := n.FirstLease
	for range n.Leases {
		if !n.Subnet.Contains(a) || !n.Subnet.Contains(a.Next()) {
			s.report("leases", "%d leases from %v do not fit into the subnet %v", n.Leases, n.FirstLease, n.Subnet)
			return
		}
		if who, taken := used[a]; taken {
			s.report("leases", "the lease %v is the address of %s", a, who)
			return
		}
		a = a.Next()
	}
}

func (l *Lab) hosts() []Host {
	hosts := slices.Clone(l.FrontEnds)
	for _, host := range []*Host{l.Director, l.Backup} {
		if host != nil {
			hosts = append(hosts, *host)
		}
	}
	return hosts
}

func (l *Lab) readTrust(top *section) {
	web := readTLS(top.sub("tls"), TLS{Min: "1.0", Max: "1.2"})
	l.TLSMin, l.TLSMax, l.TLSSuites = web.Min, web.Max, web.Suites
	if top.has("sip_tls") {
		sip := readTLS(top.sub("sip_tls"), web)
		l.SIPTLS = &sip
	}
	names := top.sub("certificates")
	l.Certificates = CertificateNames{Web: names.certificateNames("web"), Registrar: names.certificateNames("registrar")}
	names.finish()
	l.PINForm = top.choice("pin_form", "p1", "p1", "p2", "any")
	pki := top.sub("pki")
	l.PKI = PKI{
		Signature: pki.choice("signature", "sha256", "sha1", "sha256"), Intermediate: pki.flag("intermediate", false),
		KeyBits: pki.number("key_bits", 2048, 1024, 4096),
	}
	pki.finish()
}

func (l *Lab) readSwitches(top *section) {
	policy := top.sub("pin_policy")
	l.Policy = PINPolicy{
		MinPasswordLength:    policy.number("min_password_length", 5, 4, 24),
		MaximumLogonAttempts: policy.number("maximum_logon_attempts", 0, 0, 999),
		PINLifetime:          policy.number("pin_lifetime", 0, 0, 999),
		AllowCommonPatterns:  policy.flag("allow_common_patterns", false),
	}
	policy.finish()

	web := top.sub("web_services")
	l.WebServices = WebServices{
		UsePINAuth: web.flag("use_pin_auth", true), UseCertificateAuth: web.flag("use_certificate_auth", true),
		WindowsAuth: web.choice("windows_auth", "ntlm", "ntlm", "basic", "off"), EnableCertChainDownload: web.flag("enable_cert_chain_download", true),
		Metadata:      web.choice("metadata", "both", "both", "get", "transfer"),
		MinCSRKeySize: web.number("min_csr_key_size", 1024, 1024, 16384), MaxCSRKeySize: web.number("max_csr_key_size", 16384, 1024, 16384),
		CertificateHours: web.number("certificate_hours", 4320, 8, 8760), VerbosePINFailures: web.flag("verbose_pin_failures", false),
	}
	if l.WebServices.MinCSRKeySize > l.WebServices.MaxCSRKeySize {
		web.report("min_csr_key_size", "is above max_csr_key_size")
	}
	web.finish()

	l.readRegistrar(top.sub("registrar"))

	phone := top.sub("phone")
	l.Phone = PhonePolicy{
		CalendarPollInterval: phone.span("calendar_poll_interval", 3*time.Minute, 0, time.Hour),
		EnforcePhoneLock:     phone.flag("enforce_phone_lock", true),
		PhoneLockTimeout:     phone.span("phone_lock_timeout", 10*time.Minute, 0, time.Hour),
		MinPhonePinLength:    phone.number("min_phone_pin_length", 6, 4, 15),
		SIPSecurityMode:      phone.choice("sip_security_mode", "High", "Low", "Medium", "High"),
		VoiceDiffServTag:     phone.number("voice_diffserv_tag", 40, 0, 63),
		Voice8021p:           phone.number("voice_8021p", 0, 0, 7),
		LoggingLevel:         phone.choice("logging_level", "Off", "Off", "Low", "Medium", "High"),
	}
	phone.finish()

	updates := top.sub("updates")
	l.Updates = Updates{Enabled: updates.flag("enabled", true), Version: updates.digits("version")}
	if v := l.Updates.Version; v != "" && !firmwareText.MatchString(v) {
		updates.report("version", "expected a firmware version such as 4.0.7577.4512")
	}
	updates.finish()
}

// RegistrarServers are the Server headers that a lab's registrars can have.
func RegistrarServers() []string { return []string{"RTC/4.0", "RTC/5.0", "RTC/6.0", "RTC/7.0"} }

func (l *Lab) readRegistrar(s *section) {
	defer s.finish()
	r := Registrar{
		EnableDHCPServer:          s.flag("enable_dhcp_server", false),
		DefaultEndpointExpiration: s.number("default_endpoint_expiration", 600, leastExpiration, mostExpiration),
		MinEndpointExpiration:     s.number("min_endpoint_expiration", 300, leastExpiration, mostExpiration),
		MaxEndpointExpiration:     s.number("max_endpoint_expiration", 900, leastExpiration, mostExpiration),
		MaxEndpointsPerUser:       s.number("max_endpoints_per_user", 8, 1, mostEndpoints),
		Expires:                   s.number("expires", 0, leastExpires, mostExpiration),
		Server:                    s.choice("server", "RTC/5.0", RegistrarServers()...),
	}
	if r.MinEndpointExpiration > r.DefaultEndpointExpiration || r.DefaultEndpointExpiration > r.MaxEndpointExpiration {
		s.report("default_endpoint_expiration", "%d s is not between min_endpoint_expiration, %d s, and max_endpoint_expiration, %d s",
			r.DefaultEndpointExpiration, r.MinEndpointExpiration, r.MaxEndpointExpiration)
	}
	if l.Network.DHCPOptions == "registrar" && !r.EnableDHCPServer && !s.file.running {
		s.report("enable_dhcp_server", "must be true, because network.dhcp_options is registrar")
	}
	l.Registrar = r
}
