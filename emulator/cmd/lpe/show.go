package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/devicestate"
)

func statesCommand(sys system) *cobra.Command {
	var format string
	c := command("states", "Print the state machine of the boot", "states prints the transition table that the handset follows.",
		"  lpe states --format mermaid",
		func(*cobra.Command, []string) error {
			formats := map[string]func() string{"table": devicestate.Table, "mermaid": devicestate.Mermaid, "dot": devicestate.DOT}
			print, ok := formats[format]
			if !ok {
				return usage("--format takes mermaid, dot or table, not %q", format)
			}
			_, err := fmt.Fprintln(sys.out, strings.TrimRight(print(), "\n"))
			return err
		})
	c.Flags().StringVar(&format, "format", "table", "mermaid, dot or table")
	return c
}

func profileCommand(sys system) *cobra.Command {
	list := command("list", "List the profiles", "list prints the name of each profile, a line each.", "  lpe profile list",
		func(*cobra.Command, []string) error { return printLines(sys, configs.Profiles()) })
	var provenance, yaml bool
	show := command("show NAME|FILE", "Print the facts of a profile", "show prints each fact of a profile, one of this program's by its name or a .yaml file.",
		"  lpe profile show polycom-cx600-4.0.7577.4463 --provenance\n  lpe profile show polycom-cx600-4.0.7577.4463 --yaml >mine.yaml",
		func(_ *cobra.Command, args []string) error {
			if yaml {
				return printFile(sys, configs.ProfileText, args[0])
			}
			profile, err := configs.ProfileOf(args[0])
			if err != nil {
				return usage("%w", err)
			}
			_, err = fmt.Fprint(sys.out, profile.FactTable(provenance))
			return err
		})
	show.Args = oneName
	completeWith(show, "", configs.Profiles)
	show.Flags().BoolVar(&provenance, "provenance", false, "add where each fact comes from")
	show.Flags().BoolVar(&yaml, "yaml", false, "print the file, to change a copy of it")
	return group("profile", "What each model and firmware does", "  lpe profile list", list, show)
}

func labCommand(sys system) *cobra.Command {
	list := command("list", "List the labs", "list prints the name of each lab, a line each.", "  lpe lab list",
		func(*cobra.Command, []string) error { return printLines(sys, configs.Labs()) })
	var yaml bool
	show := command("show NAME|FILE", "Print a lab", "show prints names, network, users and switches of a lab. PINs and passwords are masked.",
		"  lpe lab show litware\n  lpe lab show contoso --yaml >mine.yaml",
		func(_ *cobra.Command, args []string) error {
			if yaml {
				return printFile(sys, configs.LabText, args[0])
			}
			lab, err := configs.LoadLab(args[0])
			if err != nil {
				return usage("%w", err)
			}
			_, err = fmt.Fprint(sys.out, lab.Text())
			return err
		})
	show.Args = oneName
	completeWith(show, "", configs.Labs)
	show.Flags().BoolVar(&yaml, "yaml", false, "print the file of a lab that this program brings, to change a copy of it; its PINs are in it")
	return group("lab", "The labs that this program brings", "  lpe lab show contoso", list, show)
}

func printFile(sys system, read func(string) ([]byte, error), name string) error {
	text, err := read(name)
	if err != nil {
		return usage("%w", err)
	}
	_, err = sys.out.Write(text)
	return err
}

func printLines(sys system, lines []string) error {
	_, err := fmt.Fprintln(sys.out, strings.Join(lines, "\n"))
	return err
}

func oneName(c *cobra.Command, args []string) error {
	if len(args) != 1 {
		return usage("%s takes one name, not %d", c.CommandPath(), len(args))
	}
	return nil
}
