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
	status, err := exitStatus(newRoot().Execute())
	if err != nil {
		fmt.Fprintln(os.Stderr, "port-restricter:", err)
	}
	os.Exit(status)
}

// exitStatus returns the exit status for the error of a command, and the error to print.
func exitStatus(err error) (int, error) {
	if s := (statusError{}); errors.As(err, &s) {
		return s.status, s.err
	} else if err == nil {
		return 0, nil
	}
	return cli.StatusFailure, err
}

func newRoot() *cobra.Command {
	root := newRun("port-restricter -p PORTS [flags] -- CMD [ARG...]")
	root.Short = "Restrict a command, or containers, to the ports that they may bind"
	root.Example = "  port-restricter -p 5000 -- nc -l 0.0.0.0 5000\n" +
		"  port-restricter agent --socket /run/port-restricter/agent.sock"
	root.Version = version
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(wrongFlag)
	root.SetHelpCommand(newHelp())
	root.AddCommand(newRun("run -p PORTS [flags] -- CMD [ARG...]"), newLearn(), newSystemd())
	root.AddCommand(newAgent(), newConfig(), newCheck(), newStatus(), newExplain(), newEvents())
	root.AddCommand(newConfigure(), newProfile(), newInject(), newHook(), newRuntime(), newNRI())
	return root
}
