// Command port-restricter-nri is `port-restricter nri`.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook/nri"
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
		Short:         "Put the filter into annotated containers as an NRI plugin of containerd (2.2 or newer)",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.Options()
			if err != nil {
				return err
			}
			executable, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find port-restricter, the guard: %w", err)
			}
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			beside := filepath.Join(filepath.Dir(executable), "port-restricter")
			plugin := &nri.Plugin{Options: o, Guard: cmp.Or(guard, beside), Log: cli.NewLogger(verbose)}
			return plugin.Serve(ctx, socket, index)
		},
	}
	command.SetContext(context.Background())
	flags.Add(command)
	command.Flags().StringVar(&socket, "socket", nri.DefaultSocket, "`PATH` of the engine's NRI socket")
	command.Flags().StringVar(&index, "index", "90", "`NN` orders plugins; the last may see what the others set")
	command.Flags().StringVar(&guard, "guard", "", "`PATH` of port-restricter on the node, for the hook that refuses what lost the filter (default the one beside this program)")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what the connection does, too")
	return command
}
