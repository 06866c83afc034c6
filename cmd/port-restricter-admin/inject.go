package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/aymanbagabas/go-udiff"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook"
)

func newInject() *cobra.Command {
	var flags cli.InjectionFlags
	var bundle string
	var dryRun bool
	command := &cobra.Command{
		Use:     "inject --bundle DIR [flags]",
		Short:   "Put the filter into the config.json of a bundle that must be restricted",
		Example: "  port-restricter inject --bundle DIR --dry-run",
		Args:    cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.Options()
			if err != nil {
				return err
			}
			edit, err := hook.InjectFile(filepath.Join(bundle, "config.json"), o)
			if errors.Is(err, fs.ErrNotExist) {
				err = fmt.Errorf("%w; name the directory of config.json: --bundle DIR", err)
			}
			if err != nil {
				return err
			}
			switch {
			case !edit.Changes():
				fmt.Fprintf(command.ErrOrStderr(), "%s: nothing to change: neither annotations nor"+
					" metadata restrict the container, or it already has the filter\n", edit.Path)
				return nil
			case dryRun:
				diff := udiff.Unified(edit.Path, edit.Path, string(edit.Before), string(edit.After))
				_, err = fmt.Fprint(command.OutOrStdout(), diff)
				return err
			}
			return edit.Write()
		},
	}
	flags.Add(command)
	command.Flags().StringVarP(&bundle, "bundle", "b", ".", "`DIR` that is the bundle")
	command.Flags().BoolVar(&dryRun, "dry-run", false,
		"print the change as a diff, and write nothing")
	return command
}
