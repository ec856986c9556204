package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/labpool/manage"
)

func (m manager) registrar() *cobra.Command {
	var f changes
	var set manage.RegistrarChange
	c := m.command("registrar", "Print or change the registrars' configuration",
		"registrar prints what Get-CsRegistrarConfiguration does, as far as a handset can see it. With flags it first does what Set-CsRegistrarConfiguration does, at once; what was granted before stays. With EnableDHCPServer off discovery by DHCP stops.",
		"  lpe pool registrar --pool pool.json\n  lpe pool registrar --enable-dhcp-server=false --pool pool.json", 0, 0,
		func(ctx context.Context, pool *manage.Client, _ []string) (any, error) {
			if f.any() {
				return pool.SetRegistrar(ctx, set)
			}
			return pool.Registrar(ctx)
		})
	f.flag(c, &set.EnableDHCPServer, "enable-dhcp-server", "answer DHCPINFORM of class MS-UC-Client")
	f.number(c, &set.DefaultEndpointExpiration, "default-endpoint-expiration", "seconds granted to an endpoint that asks for none")
	f.number(c, &set.MinEndpointExpiration, "min-endpoint-expiration", "seconds granted at least")
	f.number(c, &set.MaxEndpointExpiration, "max-endpoint-expiration", "seconds granted at most")
	f.number(c, &set.MaxEndpointsPerUser, "max-endpoints-per-user", "endpoints of one user; the oldest makes room")
	return c
}

func (m manager) webServices() *cobra.Command {
	var f changes
	var set manage.WebServicesChange
	c := m.command("web-services", "Print or change the web services' configuration",
		"web-services prints what Get-CsWebServiceConfiguration does, as far as a handset can see it. With flags it first does what Set-CsWebServiceConfiguration does, at once.",
		"  lpe pool web-services --pool pool.json\n  lpe pool web-services --use-pin-auth=false --pool pool.json", 0, 0,
		func(ctx context.Context, pool *manage.Client, _ []string) (any, error) {
			if f.any() {
				return pool.SetWebServices(ctx, set)
			}
			return pool.WebServices(ctx)
		})
	f.flag(c, &set.UsePinAuth, "use-pin-auth", "web tickets for number and PIN")
	f.flag(c, &set.UseCertificateAuth, "use-certificate-auth", "web tickets for a certificate")
	f.flag(c, &set.UseWindowsAuth, "use-windows-auth", "web tickets for a login, in the lab's way")
	f.flag(c, &set.EnableCertChainDownload, "enable-cert-chain-download", "the root chain for everybody")
	return c
}

// changes are flags that change something only if they are given.
type changes struct{ given []func() bool }

func (f *changes) any() bool {
	some := false
	for _, given := range f.given {
		some = given() || some
	}
	return some
}

func (f *changes) flag(c *cobra.Command, to **bool, name, help string) {
	value := c.Flags().Bool(name, false, help)
	f.given = append(f.given, func() bool { return take(c, name, to, value) })
}

func (f *changes) number(c *cobra.Command, to **int, name, help string) {
	value := c.Flags().Int(name, 0, help)
	f.given = append(f.given, func() bool { return take(c, name, to, value) })
}

// take sets a change to the value of its flag, if that was given.
func take[T any](c *cobra.Command, name string, to **T, value *T) bool {
	if !c.Flags().Changed(name) {
		return false
	}
	*to = value
	return true
}
