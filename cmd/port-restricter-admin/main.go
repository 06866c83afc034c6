// Command port-restricter-admin is the program that port-restricter becomes for each command that
// nothing waits for while it starts. It has all commands.
//
// Each command has a file of its own, here or in cmd/internal/start. It reads flags and settings,
// and leaves the work to a package: agent, hook and the packages below it, or one in cmd/internal.
package main

import (
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/start"
)

// version is set by the build.
var version = "development"

func main() {
	cli.Exit(cli.ExitStatus(newRoot().Execute()))
}

func newRoot() *cobra.Command {
	root := start.NewRoot(version)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newLearn(), newSystemd())
	root.AddCommand(newAgent(), newConfig(), newCheck(), newStatus(), newExplain(), newEvents())
	root.AddCommand(newConfigure(), newProfile(), newInject(), newNRI())
	return root
}
