package main

import (
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/internal/programs"
)

// newNRI returns a command that becomes another program.
func newNRI() *cobra.Command {
	return &cobra.Command{
		Use:                "nri",
		Short:              cli.NRIUsage,
		DisableFlagParsing: true,
		RunE: func(_ *cobra.Command, args []string) error {
			return programs.Become(programs.NRI, append([]string{"port-restricter nri"}, args...))
		},
	}
}
