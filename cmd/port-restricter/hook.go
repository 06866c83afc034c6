package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/filter"
)

func newHook() *cobra.Command {
	command := &cobra.Command{
		Use:   "hook",
		Short: "Be a hook of a container engine or an OCI runtime",
		Args:  cobra.NoArgs,
	}
	guard := "Refuse to start an annotated container that lacks the filter, or whose agent doesn't answer (state on stdin)"
	command.AddCommand(
		newStage("precreate", "Put the filter into the config.json of an annotated container (config.json on stdin and stdout)", precreate),
		newStage("prestart", guard, guardState),
		newStage("createRuntime", guard, guardState),
	)
	return command
}

func newStage(name, short string, run func(in []byte, out io.Writer, o filter.Options) error) *cobra.Command {
	var flags cli.InjectionFlags
	command := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			o, err := flags.Options()
			if err != nil {
				return err
			}
			in, err := io.ReadAll(command.InOrStdin())
			if err != nil {
				return fmt.Errorf("read stdin: %w", err)
			}
			return run(in, command.OutOrStdout(), o)
		},
	}
	flags.Add(command)
	return command
}

func precreate(in []byte, out io.Writer, o filter.Options) error {
	edited, err := hook.Inject(in, o)
	if err != nil {
		return err
	}
	// Without an agent the runtime fails, and the engine shows its words: podman
	// drops what a precreate hook says.
	_, err = out.Write(edited)
	return err
}

func guardState(in []byte, _ io.Writer, o filter.Options) error {
	var state specs.State
	if err := json.Unmarshal(in, &state); err != nil {
		return fmt.Errorf("read the container's state from stdin: %w", err)
	}
	if !filepath.IsAbs(state.Bundle) {
		return fmt.Errorf("read the container's state from stdin: its bundle %q is no absolute path", state.Bundle)
	}
	text, err := os.ReadFile(filepath.Join(state.Bundle, "config.json"))
	if err != nil {
		return fmt.Errorf("read the bundle: %w", err)
	}
	if err := hook.Guard(text, o); err != nil {
		return fmt.Errorf("container %s: %w", state.ID, err)
	}
	return nil
}
