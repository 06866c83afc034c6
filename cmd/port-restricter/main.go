// Command port-restricter lets a process, or a container, bind only the ports that it was given.
//
// It has the commands that a process or a container waits for while it starts, and becomes
// port-restricter-admin for all others: what that program depends on takes longer to initialize
// than a start takes.
package main

import (
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/start"
	"github.com/port-restricter/port-restricter/internal/programs"
)

// version is set by the build.
var version = "development"

// isForAdmin reports whether the command line begins with a command that is not here. A shell that
// completes a word calls one whose name begins with cobra.ShellCompRequestCmd.
func isForAdmin() bool {
	return len(os.Args) > 1 && (slices.Contains(start.Others, os.Args[1]) ||
		strings.HasPrefix(os.Args[1], cobra.ShellCompRequestCmd))
}

// init makes the first thread the one that becomes another program. A signal at the parent's death
// (PR_SET_PDEATHSIG) is set for that thread only.
func init() {
	if isForAdmin() {
		runtime.LockOSThread()
	}
}

func main() {
	if isForAdmin() {
		becomeAdmin(nil, nil)
	}
	// Without cobra, since every argument is for the OCI runtime.
	if args, ok := start.RuntimeArguments(os.Args); ok {
		os.Exit(start.ExecRuntime(args))
	}
	cli.Exit(cli.ExitStatus(newRoot().Execute()))
}

// newRoot returns the commands. Those that are not here become port-restricter-admin, also behind
// flags, and so does the help, which lists all.
func newRoot() *cobra.Command {
	root := start.NewRoot(version)
	root.SetHelpFunc(becomeAdmin)
	for _, name := range start.Others {
		root.AddCommand(&cobra.Command{Use: name, DisableFlagParsing: true, Run: becomeAdmin})
	}
	return root
}

// becomeAdmin runs the same command line by port-restricter-admin.
func becomeAdmin(*cobra.Command, []string) {
	cli.Exit(cli.StatusFailure, programs.Become(programs.Admin, os.Args))
}
