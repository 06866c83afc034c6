package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// wrongFlag says more about a flag that can't be parsed than the flag's parser does.
func wrongFlag(command *cobra.Command, err error) error {
	see := "see " + command.CommandPath() + " --help"
	var missing *pflag.ValueRequiredError
	if errors.As(err, &missing) && missing.GetFlag().Name == "port" {
		return fmt.Errorf("-p has no ports: write them behind it, as in -p 5000; %s", see)
	}
	if errors.As(err, new(*pflag.NotExistError)) && command.Flags().Lookup("port") != nil {
		see = "a flag of the command to run comes after its name; " + see
	}
	return fmt.Errorf("%w; %s", err, see)
}

// bare prints the help for a call without arguments, and fails: a script whose variables are
// empty must not go on as if something had run.
func bare(command *cobra.Command) error {
	command.SetOut(command.ErrOrStderr())
	if err := command.Help(); err != nil {
		return err
	}
	return statusError{status: cli.StatusFailure}
}

// checkPorts fails if the command line has no port, or if another argument has become one.
func checkPorts(command *cobra.Command, ports, args []string) error {
	for _, port := range ports {
		if strings.HasPrefix(port, "-") {
			return fmt.Errorf("-p has no ports, but is followed by %q: "+
				"write the ports behind it, as in -p 5000", port)
		}
	}
	if len(ports) == 0 && len(args) > 0 {
		return noPort(command, args[0])
	}
	return nil
}

// noPort returns the error for a command line without -p. Its first argument may have been
// meant as a command of port-restricter.
func noPort(command *cobra.Command, name string) error {
	if _, err := exec.LookPath(name); err == nil || command.HasParent() {
		return fmt.Errorf("no port given for %q: "+
			"name the ports that the command may bind, for example -p 5000", name)
	}
	return fmt.Errorf("%q is neither a command of port-restricter nor a program in PATH: %s"+
		" To run a program, name the ports that it may bind, for example -p 5000; see --help",
		name, nearest(command, name))
}

// nearest names the commands that were perhaps meant by name, or all of them.
func nearest(parent *cobra.Command, name string) string {
	parent.SuggestionsMinimumDistance = 2 // letters
	if similar := parent.SuggestionsFor(name); len(similar) > 0 {
		return "did you mean " + strings.Join(similar, " or ") + "?"
	}
	var known []string
	for _, command := range parent.Commands() {
		if command.IsAvailableCommand() {
			known = append(known, command.Name())
		}
	}
	return "the commands are " + strings.Join(known, ", ") + "."
}

// unknownArgument returns the error for a command that has subcommands and was called
// without one of them.
func unknownArgument(what, known string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name the %s, one of %s", what, known)
	}
	return fmt.Errorf("%q is not a known %s: name one of %s", args[0], what, known)
}

// newHelp returns the command help. That of cobra prints the help of the root command for a
// command that it does not know.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help of a command",
		RunE: func(command *cobra.Command, args []string) error {
			found := command.Root()
			for i, name := range args {
				next, _, _ := found.Find(args[i : i+1])
				if next == nil || next == found {
					return fmt.Errorf("%q is not a command of %s: %s",
						name, found.CommandPath(), nearest(found, name))
				}
				found = next
			}
			return found.Help()
		},
	}
}
