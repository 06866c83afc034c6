package start

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/shim"
)

const (
	runtimeCommand = "runtime"
	// runtimeName is the name under which a link to this program, or a copy of it,
	// runs as an OCI runtime. An engine that knows a runtime only by its path can't
	// add the argument runtimeCommand.
	runtimeName = "port-restricter-runtime"
)

// init makes the first thread the one that calls execve(2), whose attributes the OCI
// runtime keeps. An engine that asks the kernel to kill the runtime when the engine ends
// (PR_SET_PDEATHSIG), as containerd does, sets that for the first thread only.
func init() {
	if _, ok := RuntimeArguments(os.Args); ok {
		runtime.LockOSThread()
	}
}

// RuntimeArguments returns the arguments for the OCI runtime, and whether this process
// runs as one.
func RuntimeArguments(argv []string) ([]string, bool) {
	switch {
	case len(argv) > 0 && filepath.Base(argv[0]) == runtimeName:
		return argv[1:], true
	case len(argv) > 1 && argv[1] == runtimeCommand:
		return argv[2:], true
	}
	return nil, false
}

// ExecRuntime becomes the OCI runtime. It returns only if that fails, with the exit
// status, after it has reported the error to the engine.
func ExecRuntime(args []string) int {
	invocation := shim.ParseArguments(args)
	err := fmt.Errorf("port-restricter: %w", invocation.Exec(args, cli.HookOptions))
	fmt.Fprintln(os.Stderr, err)
	invocation.Report(err)
	if len(invocation.Configs) > 0 {
		text, _ := os.ReadFile(invocation.Configs[0])
		hook.Report(new(cli.InjectionFlags).Socket(), runtimeName, text, err)
	}
	return cli.StatusFailure
}

const runtimeShort = "Run as an OCI runtime: put the filter into containers that must be" +
	" restricted, then become runc or crun"

// newRuntime returns a command for the help only. main runs the shim before cobra sees
// the arguments.
func newRuntime() *cobra.Command {
	return &cobra.Command{
		Use:   runtimeCommand + " ARG...",
		Short: runtimeShort,
		Long: runtimeShort + ".\n" +
			"All arguments go to runc or crun unchanged, --help too.\n" +
			"A link to port-restricter with the name " + runtimeName + " does the same.",
		Example: "  ln -s port-restricter /usr/local/bin/" + runtimeName + "\n" +
			"  podman --runtime /usr/local/bin/" + runtimeName +
			" run --annotation port-restricter.port=5000 IMAGE",
		DisableFlagParsing:    true,
		DisableFlagsInUseLine: true,
		Run:                   func(_ *cobra.Command, args []string) { os.Exit(ExecRuntime(args)) },
	}
}
