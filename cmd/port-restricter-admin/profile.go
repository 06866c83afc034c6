package main

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook/filter"
)

func newProfile() *cobra.Command {
	var flags cli.InjectionFlags
	var base string
	command := &cobra.Command{
		Use:   "profile",
		Short: "Print a seccomp profile with the filter, for an OCI runtime or the kubelet",
		Args:  cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.Options()
			if err != nil {
				return err
			}
			var under *specs.LinuxSeccomp
			if base != "" {
				if under, err = filter.ReadProfile(base); err != nil {
					return err
				}
			}
			profile, err := filter.Merge(under, o.Options)
			if err != nil {
				return err
			}
			return filter.WriteProfile(command.OutOrStdout(), profile)
		},
	}
	flags.Add(command)
	command.Flags().StringVar(&base, "base", "",
		"`FILE` with the profile to merge the filter into")
	return command
}
