package main

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/exporter"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

const exporterLong = `exporter boots a handset whenever /probe?module=MODULE&target=FQDN is asked for, and answers with metrics, in the manner of
Prometheus's blackbox exporter; /metrics tells of the program itself. A file of modules says who signs in, and to which
registrars the PIN may go.

No monitor locks a user out: a PIN that the pool has refused is not sent again before its file changes (lpe_probe_held_back 1), and
a user signs in no more often than minimum_interval: until then the last result is told again. With --state refused PINs are
remembered over a restart. The time that Prometheus gives a scrape bounds the boot. Modules in YAML:

  concurrency: 4                # boots at the same time
  minimum_interval: 30s         # between two boots of one user
  modules:
    pool:
      profile: polycom-cx600-4.0.7577.4463
      way: host                 # host, interface (with interface: eth0) or lab (with lab: litware)
      number: "1219"
      pin_file: 1219.pin        # only you can read it
      sip: sip:kenmyer@litwareinc.com
      targets: [fe1.litwareinc.com, fe2.litwareinc.com]
      timeout: 30s              # also: minimum_interval, ca (a PEM file)`

func exporterCommand(sys system) *cobra.Command {
	var config, listen, state string
	c := command("exporter", "Boot a handset whenever a monitoring system asks", exporterLong,
		"  lpe exporter --config modules.yaml --listen 127.0.0.1:9795 --state held.json",
		func(c *cobra.Command, _ []string) error {
			if config == "" {
				return usage("exporter needs --config, a file of modules")
			}
			modules, err := configs.LoadModules(config)
			if err != nil {
				return usage("--config: %w", err)
			}
			e, err := exporter.New(exporter.Options{Modules: modules, State: state, Log: report.NewDiary(sys.err)})
			if err != nil {
				return exporterError(err)
			}
			return serveExporter(c.Context(), sys, e, listen)
		})
	flags := c.Flags()
	flags.StringVar(&config, "config", "", "file of modules")
	flags.StringVar(&listen, "listen", "127.0.0.1:9795", "address and port to answer on; port 0 lets the computer pick one")
	flags.StringVar(&state, "state", "", "file that remembers which PINs were refused; it holds no PIN")
	return c
}

// exporterError tells what the computer lacks from what is wrong with the modules.
func exporterError(err error) error {
	var problem *rig.ComputerError
	if errors.As(err, &problem) {
		return lacking(err)
	}
	return usage("%w", err)
}

func serveExporter(ctx context.Context, sys system, e *exporter.Exporter, listen string) error {
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		e.Close()
		return lacking(fmt.Errorf("--listen: %w", err))
	}
	if _, err := fmt.Fprintf(sys.out, "http://%s\n", listener.Addr()); err != nil {
		e.Close()
		return errors.Join(err, listener.Close())
	}
	if err := e.Serve(ctx, listener); err != nil {
		return lacking(err)
	}
	return nil
}
