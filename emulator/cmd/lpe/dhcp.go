package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/dhcpconfig"
	"github.com/phone-edition/lpe/protocol/dhcpoption"
)

func dhcpCommand(sys system) *cobra.Command {
	return group("dhcp", "Tools for the DHCP options that a handset needs",
		"  lpe dhcp encode --sip-server lyncpool.contoso.com --format dnsmasq", dhcpEncodeCommand(sys), dhcpDecodeCommand(sys), dhcpDiscoverCommand(sys))
}

func dhcpEncodeCommand(sys system) *cobra.Command {
	var sipServer, webServer, format string
	var vlan int
	var names []string
	for _, f := range dhcpconfig.Formats() {
		names = append(names, f.Name)
	}
	c := command("encode", "Write options 43 and 120 for a DHCP server",
		"encode prints what makes a DHCP server tell handsets their pool, and their VLAN if one is given, ready to paste. What that server cuts or mangles stands in comments, and so does that a format is untested.",
		"  lpe dhcp encode --sip-server lyncpool.contoso.com --vlan 200 --format isc",
		func(c *cobra.Command, _ []string) error {
			if sipServer == "" {
				return usage("dhcp encode needs --sip-server, the registrar's name")
			}
			out, err := dhcpconfig.Find(format)
			if err != nil {
				return usage("--format: %w", err)
			}
			if !c.Flags().Changed("web-server") {
				webServer = sipServer // as Microsoft's DHCPUtil does it
			}
			voice := &vlan
			if !c.Flags().Changed("vlan") {
				voice = nil
			}
			values, err := dhcpconfig.New(sipServer, webServer, voice)
			if err != nil {
				return usage("%w", err)
			}
			_, err = fmt.Fprint(sys.out, out.Text(values))
			return err
		})
	c.Flags().StringVar(&sipServer, "sip-server", "", "name of the registrar: of the pool, or of the Director before it")
	c.Flags().StringVar(&webServer, "web-server", "", "name of the web services (default: that of --sip-server)")
	c.Flags().IntVar(&vlan, "vlan", 0, "voice VLAN to give to handsets that ask on the native one")
	c.Flags().StringVar(&format, "format", "hex", strings.Join(names, ", "))
	return c
}

func dhcpDecodeCommand(sys system) *cobra.Command {
	var option43, option120, packet, output string
	var lenient bool
	c := command("decode", "Say what a handset makes of options 43 and 120",
		"decode reads option 43 and option 120 as hex, or a whole DHCP message (the UDP payload), and prints the verdict of a strict handset. An option given alone is judged alone; in a packet a missing one is an error. Exit code 1: the handset would not sign in with it.",
		"  lpe dhcp decode --option120 00086c796e63706f6f6c07636f6e746f736f03636f6d00",
		func(*cobra.Command, []string) error {
			input, err := dhcpInput(option43, option120, packet)
			if err != nil {
				return err
			}
			if output != "json" && output != "list" {
				return usage("-o takes list or json, not %q", output)
			}
			verdict := dhcpoption.Judge(input, lenient)
			if err := printVerdict(sys, verdict, output); err != nil {
				return err
			}
			if verdict.Error != "" {
				return &exitError{code: exitFailed, err: errors.New(verdict.Error), silent: true}
			}
			return nil
		})
	c.Flags().StringVar(&option43, "option43", "", "option 43 as hex; blanks, colons, dots and 0x are allowed")
	c.Flags().StringVar(&option120, "option120", "", "option 120 as hex")
	c.Flags().StringVar(&packet, "packet", "", "a whole DHCP message as hex, from op on")
	c.Flags().BoolVar(&lenient, "lenient", false, "add what a tolerant reader recovers")
	c.Flags().StringVarP(&output, "output", "o", "json", "list or json")
	return c
}

func dhcpInput(option43, option120, packet string) (in dhcpoption.Input, err error) {
	if option43 == "" && option120 == "" && packet == "" {
		return in, usage("dhcp decode needs --option43, --option120 or --packet")
	}
	if packet != "" && (option43 != "" || option120 != "") {
		return in, usage("--packet holds the options: give it alone")
	}
	for _, f := range []struct {
		name, text string
		to         *[]byte
	}{{"--option43", option43, &in.Option43}, {"--option120", option120, &in.Option120}, {"--packet", packet, &in.Packet}} {
		if f.text == "" {
			continue
		}
		if *f.to, err = dhcpoption.ParseHex(f.text); err != nil {
			return in, usage("%s: %w", f.name, err)
		}
	}
	return in, nil
}

func printVerdict(sys system, v dhcpoption.Verdict, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(sys.out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(v)
	}
	vlan := ""
	if v.VLAN != 0 {
		vlan = fmt.Sprint(v.VLAN)
	}
	_, err := fmt.Fprintf(sys.out, "Pool    : %s\nCertUrl : %s\nVlan    : %s\nNtp     : %s\nError   : %s\n",
		v.Pool, v.CertURL, vlan, strings.Join(v.NTP, ", "), v.Error)
	return err
}
