// Command port-restricter lets a process, or a container, bind only the ports that it was given.
//
// It has the commands that a process or a container waits for while it starts, and becomes
// port-restricter-admin for all others: what that program depends on takes longer to initialize
// than a start takes.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/start"
)

// version is set by the build.
var version = "development"

// init makes the first thread the one that becomes another program. A signal at the parent's death
// (PR_SET_PDEATHSIG) is set for that thread only.
func init() {
	if !start.Has(os.Args[1:]) {
		runtime.LockOSThread()
	}
}

func main() {
	// Without cobra, since every argument is for the OCI runtime.
	if args, ok := start.RuntimeArguments(os.Args); ok {
		os.Exit(start.ExecRuntime(args))
	}
	if !start.Has(os.Args[1:]) {
		becomeAdmin()
	}
	root := start.NewRoot(version)
	// The help lists all commands.
	root.SetHelpFunc(func(*cobra.Command, []string) { becomeAdmin() })
	status, err := cli.ExitStatus(root.Execute())
	if errors.Is(err, start.ErrUnknownCommand) { // the nearest one may be there
		becomeAdmin()
	}
	exit(status, err)
}

func becomeAdmin() { exit(cli.StatusFailure, cli.Become(cli.Admin, os.Args)) }

func exit(status int, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "port-restricter:", err)
	}
	os.Exit(status)
}
