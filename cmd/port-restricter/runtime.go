package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook/shim"
)

const (
	runtimeCommand = "runtime"
	// runtimeName is what a link to us, or a copy, is called to be the runtime:
	// engines know a runtime by its path, and add the arguments.
	runtimeName = "port-restricter-runtime"
)

// The thread that calls execve keeps its own attributes, and an engine that
// asked to have its runtime killed when it ends (PR_SET_PDEATHSIG), as
// containerd does, set that for the first thread only.
func init() {
	if _, ok := runtimeArguments(os.Args); ok {
		runtime.LockOSThread()
	}
}

// runtimeArguments are those for the OCI runtime, if we are to be one.
func runtimeArguments(argv []string) ([]string, bool) {
	switch {
	case len(argv) > 0 && filepath.Base(argv[0]) == runtimeName:
		return argv[1:], true
	case len(argv) > 1 && argv[1] == runtimeCommand:
		return argv[2:], true
	}
	return nil, false
}

// execRuntime returns the status of a failure, told to the engine.
func execRuntime(args []string) int {
	invocation := shim.ParseArguments(args)
	err := fmt.Errorf("port-restricter: %w", invocation.Exec(args, cli.FilterOptions))
	fmt.Fprintln(os.Stderr, err)
	invocation.Report(err)
	return cli.StatusFailure
}

// newRuntime is for the help: main runs the command.
func newRuntime() *cobra.Command {
	return &cobra.Command{
		Use:                runtimeCommand + " ARG...",
		Short:              "Be an OCI runtime: put the filter into annotated containers, then become runc or crun",
		Example:            "  ln -s port-restricter /usr/local/bin/" + runtimeName + "\n  podman --runtime /usr/local/bin/" + runtimeName + " run --annotation port-restricter.port=5000 IMAGE",
		DisableFlagParsing: true,
		Run:                func(_ *cobra.Command, args []string) { os.Exit(execRuntime(args)) },
	}
}
