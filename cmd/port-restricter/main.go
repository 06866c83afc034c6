// Command port-restricter lets a process, or a container, bind only the ports that it
// was given.
//
// Each command has a file of its own here. It reads flags and settings, and leaves the
// work to a package: agent, hook and the packages below it, or cmd/internal/supervise.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

// version is set by the build.
var version = "development"

// A statusError ends this process with a status other than cli.StatusFailure. If err
// is nil, no message is printed.
type statusError struct {
	status int
	err    error
}

func (e statusError) Error() string { return fmt.Sprint(e.err) }
func (e statusError) Unwrap() error { return e.err }

func main() {
	// Without cobra, since every argument is for the OCI runtime.
	if args, ok := runtimeArguments(os.Args); ok {
		os.Exit(execRuntime(args))
	}
	status, err := cli.StatusFailure, newRoot().Execute()
	if s := (statusError{}); errors.As(err, &s) {
		status, err = s.status, s.err
	} else if err == nil {
		status = 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "port-restricter:", err)
	}
	os.Exit(status)
}

// unknownArgument returns the error for a command that has subcommands and was called
// without one of them.
func unknownArgument(what, known string, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("name the %s, one of %s", what, known)
	}
	return fmt.Errorf("%q is not a known %s: name one of %s", args[0], what, known)
}

func newRoot() *cobra.Command {
	root := newRun("port-restricter -p PORTS [flags] -- CMD [ARG...]")
	root.Short = "Restrict a command, or containers, to the ports that they may bind"
	root.Example = "  port-restricter -p 5000 -- nc -l 0.0.0.0 5000\n" +
		"  port-restricter agent --socket /run/port-restricter/agent.sock"
	root.Version = version
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return fmt.Errorf("%w; see %s --help", err, command.CommandPath())
	})
	root.AddCommand(newRun("run -p PORTS [flags] -- CMD [ARG...]"), newAgent(), newProfile(),
		newInject(), newHook(), newNRI(), newRuntime(), newConfigure(), newSystemd())
	return root
}
