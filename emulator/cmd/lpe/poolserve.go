package main

import (
	"context"
	"errors"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
	"github.com/phone-edition/lpe/emulator/timeline"
)

const serveLong = `serve runs a lab's pool on this computer's own sockets, until SIGTERM or Ctrl-C: the web services, the registrars and what
else a port is named for. Port 0 lets the computer pick one. What it listens on is printed, and a diary kept on standard error.

All machines of the lab are on the one address that --listen names, 127.0.0.1 unless another is given. A lab with several
registrars (contoso: two front ends, a backup, a Director) has one that handsets are told, the Director where there is one:
--sip-tls-port and --sip-tcp-port are its ports, those of the others are picked.

With --interface each machine is a host of its own on that wire, with the lab's address of it and the well-known ports, in the
lab's voice VLAN, tagged, if it has one: it needs CAP_NET_RAW, Linux. As a real registrar it answers DHCPINFORM of class
MS-UC-Client there and no other DHCP, and it takes a PIN in either form, since nobody knows which one a phone uses.
--serve-network brings leases, the VLAN offer by DHCP and LLDP-MED, DNS and NTP as well; it first listens 3 s for another DHCP
server, and is refused where there is one. What a phone sends that no document describes is in the diary and the history, marked
as unknown, without PIN and passwords. When the interface loses its link the diary tells, and the pool goes on when it is back;
when the interface itself is removed the pool ends with exit code 3.

--dhcp-port answers DHCPINFORM of class MS-UC-Client as a registrar does, and nothing else. On another port than 67 the answer
goes to the port that asked.

--record writes what the handset that comes the furthest and this pool say to each other, as a scenario: one phone at a time.

--state keeps what a pool keeps: its authority, the published certificates, web tickets and the directory, so that after a
restart whoever was signed in still is. --ready-file is JSON that only you can read, written when everything listens and removed
at the end: every address, the CA certificate's path, and URL and token of the management API.`

func poolServeCommand(sys system) *cobra.Command {
	var f serveFlags
	c := command("serve", "Run a lab pool on real sockets", serveLong,
		"  lpe pool serve\n  lpe pool serve --lab contoso --https-port 443 --sip-tls-port 5061 --state pool --ready-file pool.json\n"+
			"  lpe pool serve --listen 192.0.2.10 --http-port 80 --https-port 443 --sip-tls-port 5061 --dns-port 53 --ntp-port 123\n"+
			"  lpe pool serve --interface eth0 --serve-network",
		func(c *cobra.Command, _ []string) error {
			options, err := f.options(c)
			if err != nil {
				return err
			}
			recording, err := f.openRecording(&options)
			if err != nil {
				return err
			}
			defer recording.discard()
			return serve(c.Context(), sys, options, recording.write)
		})
	f.declare(c)
	return c
}

// serveFlags are the flags of `lpe pool serve` as given.
type serveFlags struct {
	lab, listen, iface, state, readyFile, keyLog, record string

	network bool
	ports   map[string]*uint16
}

func (f *serveFlags) declare(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.lab, "lab", defaultLab, "lab pool to run, a name or a file")
	flags.StringVar(&f.iface, "interface", "", "put the lab's machines on the segment of this interface, with MAC and IP addresses of their own")
	f.declarePlace(c)
	flags.StringVar(&f.state, "state", "", "directory of what survives a restart (default: nothing does)")
	flags.StringVar(&f.keyLog, "keylog", "", "add the TLS secrets to this file, for 'lpe scenario import': whoever has it and a capture can read PIN and tickets")
	flags.StringVar(&f.record, "record", "", "write a scenario of the handset that comes the furthest, with every message, secrets masked, to this file at the end")
}

// declarePlace declares where a pool is served, but for the interface.
func (f *serveFlags) declarePlace(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1", "address of this computer to listen on")
	flags.BoolVar(&f.network, "serve-network", false, "bring leases, the VLAN offer, DNS and NTP to the interface too")
	f.ports = map[string]*uint16{}
	for _, p := range []struct{ name, usage string }{
		{"http-port", "web services without TLS: root chain, device updates"},
		{"https-port", "web services"},
		{"sip-tls-port", "SIP over TLS, of the registrar that handsets are told"},
		{"sip-tcp-port", "SIP over TCP, of the same registrar (default: none); 5060 with --interface"},
		{"dhcp-port", "the registrar's answers to DHCPINFORM (default: none)"},
		{"dns-port", "DNS of the lab's domain (default: none)"},
		{"ntp-port", "NTP (default: none)"},
		{"management-port", "management API, on 127.0.0.1 always"},
	} {
		f.ports[p.name] = flags.Uint16(p.name, 0, p.usage)
	}
	flags.StringVar(&f.readyFile, "ready-file", "", "write addresses and management token to this file when everything listens")
}

// options checks the flags and makes a pool of them.
func (f serveFlags) options(c *cobra.Command) (o rig.ServeOptions, err error) {
	if o.Lab, err = configs.LoadLab(f.lab); err != nil {
		return o, usage("%w", err)
	}
	o.State, o.KeyLog = f.state, f.keyLog
	return o, f.place(c, &o)
}

// place says where a pool is served.
func (f serveFlags) place(c *cobra.Command, o *rig.ServeOptions) (err error) {
	o.Listen, err = netip.ParseAddr(f.listen)
	if err != nil || !o.Listen.Is4() || o.Listen.IsMulticast() {
		return usage("--listen: %q is no IPv4 address", f.listen)
	}
	named := func(name string) *uint16 {
		if c.Flags().Changed(name) {
			return f.ports[name]
		}
		return nil
	}
	o.Ports = rig.Ports{
		HTTP: named("http-port"), HTTPS: named("https-port"), SIPTLS: named("sip-tls-port"), SIPTCP: named("sip-tcp-port"),
		DHCP: named("dhcp-port"), DNS: named("dns-port"), NTP: named("ntp-port"), Management: named("management-port"),
	}
	o.ReadyFile, o.Interface, o.Network = f.readyFile, f.iface, f.network
	return f.checkInterface(c)
}

// checkInterface refuses what means nothing with, or without, an interface.
func (f serveFlags) checkInterface(c *cobra.Command) error {
	if f.iface == "" {
		if f.network {
			return usage("--serve-network needs --interface")
		}
		return nil
	}
	if c.Flags().Changed("listen") {
		return usage("give --listen or --interface, not both")
	}
	for name, port := range f.ports {
		switch {
		case !c.Flags().Changed(name) || name == "management-port":
		case name == "sip-tcp-port" && (*port == 0 || *port == 5060):
		default:
			return usage("--%s: with --interface the lab's machines have the well-known ports", name)
		}
	}
	return nil
}

// serve serves a pool until ctx ends, and then does what is to be done at the end.
func serve(ctx context.Context, sys system, o rig.ServeOptions, atEnd func() error) error {
	o.Observers = []func(timeline.Observation){report.Diary(report.NewDiary(sys.err))}
	pool, err := rig.Serve(ctx, o)
	switch {
	case ctx.Err() != nil && err != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case err != nil:
		return startError(err)
	}
	if _, err = pool.WriteTo(sys.out); err == nil {
		err = pool.WriteReady()
	}
	if err == nil {
		select {
		case <-ctx.Done():
		case err = <-pool.Gone():
		}
	}
	if err := errors.Join(err, pool.Close()); err != nil {
		return lacking(errors.Join(err, atEnd()))
	}
	return atEnd()
}
