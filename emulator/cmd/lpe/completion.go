package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/phone-edition/lpe/configs"
)

func completionCommand(sys system) *cobra.Command {
	shells := map[string]func(*cobra.Command) error{
		"bash":       func(root *cobra.Command) error { return root.GenBashCompletionV2(sys.out, true) },
		"zsh":        func(root *cobra.Command) error { return root.GenZshCompletion(sys.out) },
		"fish":       func(root *cobra.Command) error { return root.GenFishCompletion(sys.out, true) },
		"powershell": func(root *cobra.Command) error { return root.GenPowerShellCompletionWithDesc(sys.out) },
	}
	names := []string{"bash", "zsh", "fish", "powershell"}
	c := command("completion SHELL", "Write a script that completes command lines",
		"completion writes the script that makes bash, zsh, fish or powershell complete commands, flags, profiles, labs, faults and codes.",
		"  source <(lpe completion bash)\n  lpe completion fish >~/.config/fish/completions/lpe.fish\n  lpe completion powershell | Out-String | Invoke-Expression",
		func(c *cobra.Command, args []string) error { return shells[args[0]](c.Root()) })
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 || shells[args[0]] == nil {
			return usage("completion takes one of bash, zsh, fish and powershell")
		}
		return nil
	}
	c.ValidArgs = names
	return c
}

// completeWith makes a flag or, with an empty name, a command's argument complete to what list gives.
func completeWith(c *cobra.Command, flag string, list func() []string) {
	complete := func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return list(), cobra.ShellCompDirectiveNoFileComp
	}
	if flag == "" {
		c.ValidArgsFunction = complete
		return
	}
	if err := c.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(fmt.Sprintf("--%s of %s: %v", flag, c.Name(), err)) // the flag was declared a line before
	}
}

func faultNames() []string {
	var out []string
	list, err := configs.Faults()
	if err != nil {
		return nil
	}
	for _, fault := range list {
		out = append(out, fault.Name+"\t"+fault.Description)
	}
	return out
}
