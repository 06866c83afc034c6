package main

import (
	"fmt"
	"io"

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
			under, err := baseProfile(base, command.InOrStdin())
			if err != nil {
				return err
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
		"`FILE` with the profile to merge the filter into, or - for standard input")
	return command
}

// baseProfile returns the profile that --base names, or nil.
func baseProfile(base string, stdin io.Reader) (*specs.LinuxSeccomp, error) {
	switch base {
	case "":
		return nil, nil
	case "-":
		text, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("read the profile from standard input: %w", err)
		}
		return filter.ParseProfile("on standard input", text)
	}
	return filter.ReadProfile(base)
}
