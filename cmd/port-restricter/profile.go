package main

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/hook"
)

func newProfile() *cobra.Command {
	var listener, metadata, base string
	command := &cobra.Command{
		Use:   "profile",
		Short: "Print the seccomp profile for an OCI runtime or the kubelet",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			var under *specs.LinuxSeccomp
			if base != "" {
				var err error
				if under, err = hook.ReadProfile(base); err != nil {
					return err
				}
			}
			profile, err := hook.Merge(under, hook.Options{ListenerPath: listener, ListenerMetadata: metadata})
			if err != nil {
				return err
			}
			return hook.Write(command.OutOrStdout(), profile)
		},
	}
	command.Flags().StringVar(&listener, "listener", agent.DefaultSocket, "`PATH` of the agent's socket")
	command.Flags().StringVar(&metadata, "metadata", "", "`TEXT` sent to the agent with each container; lines port-restricter.port=… bound what annotations may ask for")
	command.Flags().StringVar(&base, "base", "", "`FILE` with a profile to merge into")
	return command
}
