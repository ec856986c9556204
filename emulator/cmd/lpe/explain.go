package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
	"github.com/phone-edition/lpe/emulator/report"
	"github.com/phone-edition/lpe/emulator/rig"
)

func explainCommand(sys system) *cobra.Command {
	var list bool
	c := command("explain CODE", "Explain a failure or warning code",
		"explain prints what is known of a code: whose fault it is, what the handset saw, the causes with the likeliest first, the remedy, the text on the glass with where that comes from, and the faults that show it in the lab.",
		"  lpe explain ticket.refused\n  lpe explain --list",
		func(_ *cobra.Command, args []string) error {
			if list {
				table, err := report.DiagnosisTable()
				if err != nil {
					return err
				}
				_, err = fmt.Fprint(sys.out, table)
				return err
			}
			profile, err := configs.LoadProfile(rig.DefaultProfile)
			if err != nil {
				return err
			}
			e, ok := report.Explain(devicestate.Code(strings.ToLower(args[0])), profile)
			if !ok {
				return unknownCode(args[0])
			}
			_, err = fmt.Fprint(sys.out, e)
			return err
		})
	c.Args = func(_ *cobra.Command, args []string) error {
		if list != (len(args) == 0) || len(args) > 1 {
			return usage("explain takes one code, or --list")
		}
		return nil
	}
	completeWith(c, "", codes)
	c.Flags().BoolVar(&list, "list", false, "list every code")
	return c
}

func codes() []string {
	var out []string
	list, err := report.Diagnoses()
	if err != nil {
		return nil
	}
	for _, d := range list {
		out = append(out, string(d.Code))
	}
	return out
}

func unknownCode(code string) error {
	if near := nearest(code, codes()); near != "" {
		return usage("there is no code %q; did you mean %s?", code, near)
	}
	return usage("there is no code %q, see 'lpe explain --list'", code)
}
