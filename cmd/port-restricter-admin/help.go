package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// newHelp returns the command help. That of cobra prints the help of the root command for a
// command that it does not know.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help of a command",
		RunE: func(command *cobra.Command, args []string) error {
			found := command.Root()
			for i, name := range args {
				if i > 0 && !found.HasAvailableSubCommands() {
					return fmt.Errorf("%q is not a command: %s has none", name, found.CommandPath())
				}
				next, _, _ := found.Find(args[i : i+1])
				if next == nil || next == found {
					return fmt.Errorf("%q is not a command of %s: %s",
						name, found.CommandPath(), cli.Nearest(found, name))
				}
				found = next
			}
			return found.Help()
		},
	}
}
