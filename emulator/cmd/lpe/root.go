package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// system is everything of the process that a command may touch.
type system struct {
	in        io.Reader
	out, err  io.Writer
	env       func(string) string
	askSecret func(ctx context.Context, prompt string) (string, error) // without echo; an error if there is no terminal

	errTerminal bool // err is a terminal
}

// Exit codes; each command's help ends with them.
const (
	exitSuccess     = 0
	exitFailed      = 1   // the sign-in failed
	exitUsage       = 2   // wrong usage or configuration
	exitComputer    = 3   // the computer lacks something
	exitInterrupted = 130 // Ctrl-C
)

// usageTemplate ends every command's help with an example and the exit codes.
const usageTemplate = `Usage:{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{else}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}

Examples:
{{.Example}}

Exit codes:
  0    success
  1    the sign-in failed
  2    wrong usage or configuration
  3    the computer lacks something
  130  interrupted
`

// exitError carries an exit code. A silent one has been reported already.
type exitError struct {
	code   int
	err    error
	silent bool
	plugin bool // the code is that of a monitoring plugin
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

func lacking(err error) error { return &exitError{code: exitComputer, err: err} }

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, sys system) int {
	root := &cobra.Command{
		Use:           "lpe",
		Short:         "A Lync Phone Edition handset in software",
		Long:          "lpe boots a Lync Phone Edition handset in software, from the cable to Ready, and brings the lab pool to boot it against.",
		Example:       "  lpe boot --lab",
		SilenceErrors: true,
		SilenceUsage:  true,

		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return noEmptyValue(c) },
	}
	root.SetUsageTemplate(usageTemplate)
	root.SetOut(sys.out)
	root.SetErr(sys.err)
	root.CompletionOptions.DisableDefaultCmd = true
	boot := bootCommand(sys)
	root.AddCommand(boot, dhcpCommand(sys), poolCommand(sys), statesCommand(sys), profileCommand(sys), portsCommand(sys), labCommand(sys), scenarioCommand(sys),
		explainCommand(sys), exporterCommand(sys), versionCommand(sys), completionCommand(sys))
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Example == "" { // cobra's own command
			c.Example, c.Run, c.RunE = "  lpe help boot", nil, help
		}
	}
	root.SetFlagErrorFunc(flagError)
	args, notes, err := cmdletLine(joinLab(args), boot.Flags())
	for _, note := range notes {
		fmt.Fprintf(sys.err, "lpe: %s\n", note)
	}
	if err == nil {
		root.SetArgs(args)
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return exitSuccess
	}
	var exit *exitError
	if !errors.As(err, &exit) {
		exit = &exitError{code: exitUsage, err: err} // cobra's own errors are about usage
		var file *fs.PathError
		if errors.As(err, &file) || errors.Is(err, io.ErrShortWrite) {
			exit.code = exitComputer // the output cannot be written
		}
	}
	exit = asPlugin(args, sys.out, exit)
	if !exit.silent {
		fmt.Fprintf(sys.err, "lpe: %v\n", exit.err)
		if exit.code == exitUsage {
			fmt.Fprintf(sys.err, "lpe: see '%s --help'\n", commandOf(root, args))
		}
	}
	return exit.code
}

// commandOf is the path of the command that args name, as far as they name one.
func commandOf(root *cobra.Command, args []string) string {
	c, _, err := root.Find(args)
	if err != nil {
		return root.CommandPath()
	}
	return c.CommandPath()
}

// joinLab makes `--lab X` mean `--lab=X`; `--lab` alone stays.
func joinLab(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--lab" && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			out = append(out, "--lab="+args[i+1])
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

// command makes a command that takes flags alone.
func command(use, short, long, example string, do func(*cobra.Command, []string) error) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: long, Example: example, RunE: do, Args: noArguments}
}

// noArguments does not repeat what it refuses: it may be half of a PIN.
func noArguments(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	words := "is a word besides them"
	if len(args) > 1 {
		words = fmt.Sprintf("are %d words besides them", len(args))
	}
	return usage("%s takes flags alone, and there %s; a value goes to its flag as --flag=VALUE, in quotes if it has blanks", c.CommandPath(), words)
}

// noEmptyValue refuses flags with an empty text, such as that of a variable that was never set: what the flag was given
// for would not be done, and nothing would tell.
func noEmptyValue(c *cobra.Command) (err error) {
	c.Flags().Visit(func(f *pflag.Flag) {
		if err == nil && f.Value.Type() == "string" && f.Value.String() == "" {
			err = usage("--%s: the value is empty", f.Name)
		}
	})
	return err
}

// help prints the help of the command that args name.
func help(c *cobra.Command, args []string) error {
	found, rest, err := c.Root().Find(args)
	if err != nil || len(rest) > 0 {
		return usage("there is no such command to help with")
	}
	found.InitDefaultHelpFlag()
	return found.Help()
}

// group makes a command that is a name for others. Alone it prints its help.
func group(use, short, example string, commands ...*cobra.Command) *cobra.Command {
	c := command(use, short, "", example, func(c *cobra.Command, _ []string) error { return c.Help() })
	c.Args = cobra.NoArgs
	c.AddCommand(commands...)
	return c
}
