package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/hook/nri"
)

func newNRI() *cobra.Command {
	var flags injectionFlags
	var socket, index, guard string
	var verbose bool
	command := &cobra.Command{
		Use:   "nri",
		Short: "Put the filter into annotated containers as an NRI plugin of containerd (2.2 or newer)",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.options()
			if err != nil {
				return err
			}
			executable, err := os.Executable()
			if err != nil {
				return fmt.Errorf("find our own program, the guard: %w", err)
			}
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			plugin := &nri.Plugin{Options: o, Guard: cmp.Or(guard, executable), Log: newLog(verbose)}
			return plugin.Serve(ctx, socket, index)
		},
	}
	command.SetContext(context.Background())
	flags.add(command)
	command.Flags().StringVar(&socket, "socket", nri.DefaultSocket, "`PATH` of the engine's NRI socket")
	command.Flags().StringVar(&index, "index", "90", "`NN` orders plugins; the last may see what the others set")
	command.Flags().StringVar(&guard, "guard", "", "`PATH` of port-restricter on the node, for the hook that refuses what lost the filter (default this program)")
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "log what the connection does, too")
	return command
}
