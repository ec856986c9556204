package main

import (
	"github.com/spf13/cobra"
)

func poolCommand(sys system) *cobra.Command {
	return group("pool", "Lab pools that other programs and real phones can use, and a look at real pools", "  lpe pool serve\n  lpe pool inspect pool.contoso.com", append(
		[]*cobra.Command{poolServeCommand(sys), poolInspectCommand(sys)}, poolManageCommands(sys)...)...)
}
