package start

import "github.com/spf13/cobra"

// Others are the names of all other commands, which port-restricter-admin has.
var Others = []string{
	"agent", "check", "config", "configure", "events", "explain", "help", "inject", "learn", "nri",
	"profile", "status", "systemd",
}

// NewRoot returns the root command, which is also run, with the commands of this package.
func NewRoot(version string) *cobra.Command {
	root := newRun("port-restricter -p PORTS [flags] -- CMD [ARG...]")
	root.Short = "Restrict a command, or containers, to the ports that they may bind"
	root.Example = "  port-restricter -p 5000 -- nc -l 0.0.0.0 5000\n" +
		"  port-restricter agent --socket /run/port-restricter/agent.sock"
	root.Version = version
	root.SilenceUsage, root.SilenceErrors = true, true
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(wrongFlag)
	root.AddCommand(newRun("run -p PORTS [flags] -- CMD [ARG...]"), newHook(), newRuntime())
	return root
}
