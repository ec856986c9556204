package rig

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Place is where a pool is, as people write it: in the flags of lpe boot, and in the target of a scenario. What is empty
// is discovered, or as it usually is.
type Place struct {
	FQDN    string `key:"fqdn" doc:"registrar; skips discovery"`
	URI     string `key:"uri" doc:"certificate provisioning URL (default: the one that DHCP tells, or the registrar that fqdn names)"`
	Address string `key:"address" doc:"address of the registrar that fqdn names; for a real pool"`
	Port    int    `key:"port" range:"1 65535" doc:"port of the registrar, with fqdn (default 5061); for a real pool"`
	CA      string `key:"ca" doc:"trust the certificates in this PEM file, named from where the scenario is, instead of the chain that is downloaded; for a real pool"`
	DNS     string `key:"dns" doc:"address of the DNS server to ask (default: the lease's, or the computer's); for a real pool"`
	Domain  string `key:"domain" doc:"DNS domain (default: the lease's, or the computer's)"`
}

// Fields of a Place.
const (
	PlaceFQDN    = "fqdn"
	PlaceURI     = "uri"
	PlaceAddress = "address"
	PlacePort    = "port"
	PlaceCA      = "ca"
	PlaceDNS     = "dns"
	PlaceDomain  = "domain"
)

// ErrNeedsFQDN means that a field says something about the registrar that no FQDN names.
var ErrNeedsFQDN = errors.New("needs fqdn: a registrar that is discovered has the address that DNS tells, and port 5061")

// Over is p with the rest of it from below.
func (p Place) Over(below Place) Place {
	for _, one := range []struct{ to, from *string }{
		{&p.FQDN, &below.FQDN}, {&p.URI, &below.URI}, {&p.Address, &below.Address}, {&p.CA, &below.CA}, {&p.DNS, &below.DNS}, {&p.Domain, &below.Domain},
	} {
		if *one.to == "" {
			*one.to = *one.from
		}
	}
	if p.Port == 0 {
		p.Port = below.Port
	}
	return p
}

// OfRealPool names the fields that say where a pool on a real network is, and mean nothing in a lab.
func (p Place) OfRealPool() []string {
	var out []string
	for _, one := range []struct {
		field string
		given bool
	}{{PlaceAddress, p.Address != ""}, {PlacePort, p.Port != 0}, {PlaceCA, p.CA != ""}, {PlaceDNS, p.DNS != ""}} {
		if one.given {
			out = append(out, one.field)
		}
	}
	return out
}

// Locate sends the handset to a place. wrong is told each mistake in it with the field.
func (o *Options) Locate(p Place, wrong func(field string, err error)) {
	check := func(field string, err error) {
		if err != nil {
			wrong(field, err)
		}
	}
	if p.FQDN == "" {
		if p.Port != 0 {
			wrong(PlacePort, ErrNeedsFQDN)
		}
		if p.Address != "" {
			wrong(PlaceAddress, ErrNeedsFQDN)
		}
	} else {
		o.Target.FQDN = strings.TrimSuffix(p.FQDN, ".")
		check(PlaceFQDN, CheckFQDN(p.FQDN))
		o.Target.Port = sipTLSPort
	}
	if p.Port != 0 {
		if p.Port < 0 || p.Port > 65535 {
			wrong(PlacePort, errors.New("1 to 65535 expected"))
		}
		o.Target.Port = uint16(p.Port)
	}
	var err error
	if p.URI != "" {
		o.Target.URI, err = CertificateURL(p.URI)
		check(PlaceURI, err)
	}
	if p.Address != "" {
		o.Target.Address, err = IPv4(p.Address)
		check(PlaceAddress, err)
	}
	o.Authorities, err = ReadAuthorities(p.CA)
	check(PlaceCA, err)
	if p.DNS != "" {
		o.Network.DNS, err = IPv4(p.DNS)
		check(PlaceDNS, err)
	}
	if p.Domain != "" {
		o.Network.Domain = strings.Trim(p.Domain, ".")
		if !fqdnText.MatchString(o.Network.Domain) || len(o.Network.Domain) > maxFQDN {
			wrong(PlaceDomain, fmt.Errorf("%q is no DNS domain, such as contoso.com", p.Domain))
		}
	}
}

const (
	sipTLSPort = 5061
	maxFQDN    = 253
)

var fqdnText = regexp.MustCompile(`(?i)^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckFQDN checks the name of a host, with or without the dot at the end.
func CheckFQDN(name string) error {
	if short := strings.TrimSuffix(name, "."); !fqdnText.MatchString(short) || len(short) > maxFQDN {
		return fmt.Errorf("%q is no fully qualified domain name, such as pool.contoso.com", name)
	}
	return nil
}

// CertificateURL checks a certificate provisioning URL. Microsoft's page on the cmdlet shows it cut off after the
// directory; the service in it is completed.
func CertificateURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		return "", errors.New("a URL without user and password expected")
	}
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || CheckFQDN(u.Hostname()) != nil && net.ParseIP(u.Hostname()) == nil {
		return "", fmt.Errorf("%q is no http or https URL of a host with a whole name or an address, such as https://pool.contoso.com:443/CertProv/CertProvisioningService.svc", text)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("%q has no port from 1 to 65535", text)
		}
	}
	if strings.EqualFold(strings.Trim(u.Path, "/"), "CertProv") {
		return u.JoinPath("CertProvisioningService.svc").String(), nil
	}
	return text, nil
}

// IPv4 reads the address of one host.
func IPv4(text string) (netip.Addr, error) {
	address, err := netip.ParseAddr(text)
	if err != nil || !address.Is4() || address.IsUnspecified() || address.IsMulticast() {
		return netip.Addr{}, fmt.Errorf("%q is no IPv4 address of one host", text)
	}
	return address, nil
}
