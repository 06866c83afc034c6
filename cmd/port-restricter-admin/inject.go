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
		Use:   "inject --bundle DIR [flags]",
		Short: "Put the filter into the config.json of a bundle that must be restricted",
		Long: "Put the filter into the config.json of a bundle that must be restricted.\n" +
			"Standard error says whether the filter was injected, was there already, or whether\n" +
			"nothing restricts the container, which is no failure.",
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
			said := ""
			switch {
			case !edit.Changes():
				if said, err = unchanged(edit, o); err != nil {
					return err
				}
			case dryRun:
				diff := udiff.Unified(edit.Path, edit.Path, string(edit.Before), string(edit.After))
				_, err = fmt.Fprint(command.OutOrStdout(), diff)
				return err
			default:
				if err := edit.Write(); err != nil {
					return err
				}
				said = "injected the filter"
			}
			_, err = fmt.Fprintf(command.ErrOrStderr(), "%s: %s\n", edit.Path, said)
			return err
		},
	}
	flags.Add(command)
	command.Flags().StringVarP(&bundle, "bundle", "b", ".", "`DIR` that is the bundle")
	command.Flags().BoolVar(&dryRun, "dry-run", false,
		"print the change as a diff, and write nothing")
	return command
}

// unchanged says why a config.json stays as it is. A container that is not restricted must not look
// like one that is.
func unchanged(edit *hook.Edit, o hook.Options) (string, error) {
	held, err := hook.Held(edit.Before, o.ListenerMetadata, o.Rules)
	if held {
		return "not changed: it has the filter already", err
	}
	return "not changed: " + nothingRestricts, err
}
