// Command port-restricter-nri is the program that `port-restricter nri` becomes. It is
// separate from port-restricter because of the packages that NRI depends on.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook/nri"
	"github.com/port-restricter/port-restricter/internal/programs"
)

func main() {
	if err := newNRI().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "port-restricter:", err)
		os.Exit(cli.StatusFailure)
	}
}

func newNRI() *cobra.Command {
	var flags cli.InjectionFlags
	var socket, index, guard string
	var verbose bool
	command := &cobra.Command{
		Use:           "port-restricter nri",
		Short:         cli.NRIUsage,
		Args:          cli.NoArguments,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.Options()
			if err != nil {
				return err
			}
			beside, err := programs.Beside(programs.Restricter)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			plugin := &nri.Plugin{
				Options: o.Options,
				Rules: func() (config.Rules, error) {
					node, err := settings.Load()
					return node.Rules, err
				},
				Guard: cmp.Or(guard, beside),
				Log:   cli.NewLogger(verbose),
			}
			// Without a service manager, nobody waits for it.
			plugin.Ready = func() { _, _ = daemon.SdNotify(false, daemon.SdNotifyReady) }
			return plugin.Serve(ctx, socket, index)
		},
	}
	command.SetContext(context.Background())
	flags.Add(command)
	// In the text of cobra the command has the first word of Use as its name.
	command.Flags().BoolP("help", "h", false, "help for port-restricter nri")
	command.Flags().StringVar(&socket, "socket", nri.DefaultSocket,
		"`PATH` of the engine's NRI socket")
	command.Flags().StringVar(&index, "index", "90",
		"`NN`, the plugin's place among the engine's plugins, 00 to 99;"+
			" the last plugin can see what the others set")
	command.Flags().StringVar(&guard, "guard", "",
		"`PATH` on the node of the port-restricter that the OCI runtime runs as the guard,"+
			" a hook that refuses a container without the filter"+
			" (default: port-restricter beside this program)")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false,
		"log the connection to the engine, too")
	return command
}
