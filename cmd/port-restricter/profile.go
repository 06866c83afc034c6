package main

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/injection"
	"github.com/port-restricter/port-restricter/hook"
)

func newProfile() *cobra.Command {
	var flags injection.Flags
	var base string
	command := &cobra.Command{
		Use:   "profile",
		Short: "Print the seccomp profile for an OCI runtime or the kubelet",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.Options()
			if err != nil {
				return err
			}
			var under *specs.LinuxSeccomp
			if base != "" {
				if under, err = hook.ReadProfile(base); err != nil {
					return err
				}
			}
			profile, err := hook.Merge(under, o)
			if err != nil {
				return err
			}
			return hook.Write(command.OutOrStdout(), profile)
		},
	}
	flags.Add(command)
	command.Flags().StringVar(&base, "base", "", "`FILE` with a profile to merge into")
	return command
}
