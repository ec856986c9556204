package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/emulator/wholefile"
	"github.com/phone-edition/lpe/scenarios/importer"
)

const scenarioImportLong = `import reads the boot of one handset, a real one or this program's, out of a capture (pcapng or pcap) and makes a scenario and a draft
profile of it. tshark reads the capture up to TLS; the secrets may be in the capture, in a key log, or an RSA key of the server may be
given for suites without Diffie-Hellman. All above is read with the codecs that a boot uses. Of frames that are mirrored inside GRE,
ERSPAN or VXLAN the inner ones are read.
The scenario holds each value as recorded, masked (a secret) or fresh (made anew in each boot). The draft profile has what the capture
shows with file and frame, and leaves the rest as the nearest shipped profile has it. What the capture lacks is told: stage, what was
seen, what is missing, why it matters. With several handsets in one capture, say which with --handset.`

func scenarioImportCommand(sys system) *cobra.Command {
	var o importer.Options
	var scenarioOut, profileOut string
	c := command("import CAPTURE", "Make a scenario and a draft profile of a captured boot", scenarioImportLong,
		"  lpe scenario import boot.pcapng --scenario-out boot.yaml --profile-out my-cx600.yaml\n  lpe scenario import boot.pcap --keylog keys.txt --handset 00:04:f2:12:34:56",
		func(c *cobra.Command, args []string) error {
			if o.KeyLog != "" && o.ServerKey != "" {
				return usage("give --keylog or --server-key, not both")
			}
			if err := apart(args[0], o, scenarioOut, profileOut); err != nil {
				return err
			}
			return importCapture(c.Context(), sys, args[0], o, scenarioOut, profileOut)
		})
	c.Args = oneName
	flags := c.Flags()
	flags.StringVar(&o.KeyLog, "keylog", "", "file of TLS secrets (SSLKEYLOGFILE)")
	flags.StringVar(&o.ServerKey, "server-key", "", "PEM file with the RSA key of a server")
	flags.StringVar(&o.Handset, "handset", "", "MAC or IP address of the handset (default: the only one in the capture)")
	flags.StringVar(&scenarioOut, "scenario-out", "", "write the scenario to this file")
	flags.StringVar(&profileOut, "profile-out", "", "write the draft profile to this file")
	return c
}

// apart refuses to write one file over the other, or over one that is read.
func apart(capture string, o importer.Options, scenario, profile string) error {
	same := func(a, b string) bool {
		if a == "" || b == "" {
			return false
		}
		one, err := os.Stat(a)
		two, err2 := os.Stat(b)
		return filepath.Clean(a) == filepath.Clean(b) || err == nil && err2 == nil && os.SameFile(one, two)
	}
	if same(scenario, profile) {
		return usage("--scenario-out and --profile-out name the same file")
	}
	for _, read := range []struct{ what, file string }{{"capture", capture}, {"key log", o.KeyLog}, {"server's key", o.ServerKey}} {
		if same(read.file, scenario) || same(read.file, profile) {
			return usage("%s is the %s: name another file to write to", read.file, read.what)
		}
	}
	return nil
}

func importCapture(ctx context.Context, sys system, file string, o importer.Options, scenarioOut, profileOut string) error {
	capture, err := importer.Read(ctx, file, o)
	switch {
	case ctx.Err() != nil:
		return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
	case errors.Is(err, os.ErrNotExist):
		return usage("%w", err)
	case err != nil:
		return startError(err)
	}
	boot := capture.Boot()
	if len(boot.Messages) == 0 {
		return usage("%s: %w: no message of %v can be read", file, importer.ErrNoCapture, capture.Handset)
	}
	draft := boot.Draft()
	files := map[string]func() ([]byte, error){
		scenarioOut: func() ([]byte, error) { return boot.Scenario(draft.Base) },
		profileOut:  func() ([]byte, error) { return draft.YAML(file) },
	}
	for name, text := range files {
		if name == "" {
			continue
		}
		if err := writeNew(name, text); err != nil {
			return err
		}
	}
	_, err = io.WriteString(sys.out, boot.Report(draft))
	return err
}

func writeNew(name string, text func() ([]byte, error)) error {
	b, err := text()
	if err != nil {
		return lacking(err)
	}
	if err := wholefile.Write(name, b); err != nil {
		return lacking(err)
	}
	return nil
}
