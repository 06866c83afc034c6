package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// NoArguments is for a command that has flags only. cobra.NoArgs would take an argument for
// an unknown command.
func NoArguments(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return fmt.Errorf("%s takes no argument, only flags, but %q is one; see %s --help",
		command.CommandPath(), args[0], command.CommandPath())
}
