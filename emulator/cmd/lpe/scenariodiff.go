package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/scenarios/compare"
	"github.com/phone-edition/lpe/scenarios/importer"
)

const scenarioDiffLong = `diff tells in what B differs from A: messages that are missing, added or in another order, and of each message that both have the
fields: DHCP option, DNS record, HTTP header, SOAP element, SIP header and its parameters, TLS parameter; its state and its timing.
A and B are recordings (boot --record), captures with their secrets in them (pcapng), scenarios, which are run in virtual time, or
profiles, by name or file. It prints nothing
where nothing differs. What may differ is said by the rules of a file of masks, scenarios/masks.yaml.
Exit code 1: something differs.`

var diffForms = map[string]func(io.Writer, compare.Comparison) error{
	"text": compare.WriteText, "json": compare.WriteJSON, "html": compare.WriteHTML,
}

func scenarioDiffCommand(sys system) *cobra.Command {
	var form, masksFile string
	c := command("diff A B", "Tell in what two boots or two profiles differ", scenarioDiffLong,
		"  lpe scenario diff polycom-cx600-4.0.7577.4463 polycom-cx600-4.0.7577.4512\n  lpe scenario diff before.yaml after.yaml -o html >differences.html",
		func(c *cobra.Command, args []string) error {
			write, ok := diffForms[form]
			if !ok {
				return usage("-o takes text, json or html, not %q", form)
			}
			masks, err := loadMasks(masksFile)
			if err != nil {
				return err
			}
			sides, err := compare.Load(c.Context(), args, importer.Side)
			switch {
			case c.Context().Err() != nil:
				return &exitError{code: exitInterrupted, err: errors.New("interrupted")}
			case err != nil:
				return startError(err)
			}
			result := compare.Sides(sides[0], sides[1], masks)
			if err := write(sys.out, result); err != nil {
				return err
			}
			for _, text := range result.Reservations() {
				if len(result.Differences) == 0 && form == "text" { // which then says nothing
					fmt.Fprintln(sys.err, text)
				}
			}
			if len(result.Differences) > 0 {
				return &exitError{code: exitFailed, err: fmt.Errorf("%d differences", len(result.Differences)), silent: true}
			}
			return nil
		})
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) != 2 {
			return usage("%s takes two names, A and B", c.CommandPath())
		}
		return nil
	}
	flags := c.Flags()
	flags.StringVarP(&form, "output", "o", "text", "text, json or html")
	flags.StringVar(&masksFile, "masks", "", "file of masks (default: scenarios/masks.yaml, which this program brings)")
	return c
}
