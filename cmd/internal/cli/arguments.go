package cli

import (
	"fmt"
	"strings"

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

// Nearest names the commands that were perhaps meant by name, or all of them.
func Nearest(parent *cobra.Command, name string) string {
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

// UnknownArgument returns the error for a command that has subcommands and was called
// without one of them.
func UnknownArgument(what, known string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name the %s, one of %s", what, known)
	}
	return fmt.Errorf("%q is not a known %s: name one of %s", args[0], what, known)
}
