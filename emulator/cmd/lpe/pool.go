package main

import (
	"github.com/spf13/cobra"
)

func poolCommand(sys system) *cobra.Command {
	return group("pool", "A lab pool that other programs and real phones can use", "  lpe pool serve", append(
		[]*cobra.Command{poolServeCommand(sys)}, poolManageCommands(sys)...)...)
}
