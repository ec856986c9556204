package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
	"github.com/phone-edition/lpe/emulator/rig"
)

func portsCommand(sys system) *cobra.Command {
	var name, output string
	c := command("ports", "Print the firewall list of a profile",
		"ports prints what a handset of a profile sends and needs: protocol, port, direction, stage, purpose and where that comes from. out is begun by the handset, and the port is the server's; in is the handset's port. Answers to what the handset began are not listed.",
		"  lpe ports --profile polycom-cx600-4.0.7577.4463",
		func(*cobra.Command, []string) error {
			profile, err := configs.ProfileOf(name)
			if err != nil {
				return usage("%w", err)
			}
			switch output {
			case "list":
				_, err = fmt.Fprint(sys.out, profile.PortTable())
			case "json":
				encoder := json.NewEncoder(sys.out)
				encoder.SetIndent("", "  ")
				encoder.SetEscapeHTML(false)
				err = encoder.Encode(profile.Ports())
			default:
				return usage("-o takes list or json, not %q", output)
			}
			return err
		})
	c.Flags().StringVar(&name, "profile", rig.DefaultProfile, "model and firmware")
	c.Flags().StringVarP(&output, "output", "o", "list", "list or json")
	return c
}
