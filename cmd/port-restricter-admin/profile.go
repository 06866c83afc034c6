package main

import (
	"fmt"
	"io"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook/filter"
	"github.com/port-restricter/port-restricter/hook/filter/base"
)

func newProfile() *cobra.Command {
	var flags cli.InjectionFlags
	var baseName string
	command := &cobra.Command{
		Use:   "profile",
		Short: "Print a seccomp profile with the filter, for an OCI runtime or the kubelet",
		Long: "Print a seccomp profile with the filter, for an OCI runtime or the kubelet.\n" +
			"The annotations must reach the OCI runtime. Otherwise they count for nothing:\n" +
			"without metadata or rules that give it ports, the container can bind nothing.",
		Example: "  port-restricter profile --base default > port-restricter.json",
		Args:    cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.Options()
			if err != nil {
				return err
			}
			under, err := readBase(baseName, command.InOrStdin())
			if err != nil {
				return err
			}
			if under == nil {
				fmt.Fprintln(command.ErrOrStderr(), "port-restricter: "+base.Missing)
			}
			profile, err := filter.Merge(under, o.Options)
			if err != nil {
				return err
			}
			return filter.WriteProfile(command.OutOrStdout(), profile)
		},
	}
	flags.Add(command)
	command.Flags().StringVar(&baseName, "base", "", base.Usage+"; - is standard input")
	return command
}

// readBase returns the profile that --base names, or nil.
func readBase(name string, stdin io.Reader) (*specs.LinuxSeccomp, error) {
	if name != "-" {
		return base.Read(name)
	}
	text, err := io.ReadAll(stdin)
	if err != nil {
		return nil, fmt.Errorf("read the profile from standard input: %w", err)
	}
	return filter.ParseProfile("on standard input", text)
}
