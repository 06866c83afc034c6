package start

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/hook"
)

func newHook() *cobra.Command {
	command := &cobra.Command{
		Use:   "hook STAGE",
		Short: "Run as a hook of a container engine or an OCI runtime",
		Args:  cobra.ArbitraryArgs,
		// Help with status 0 would let every container pass a guard whose stage is
		// misspelled.
		RunE: func(_ *cobra.Command, args []string) error {
			const stages = "precreate, prestart, createRuntime, poststart"
			return cli.UnknownArgument("stage", stages, args)
		},
	}
	guard := "Refuse to start a container that must be restricted and has no filter or no agent" +
		" (container's state on stdin)"
	command.AddCommand(
		newStage(stagePrecreate, "Put the filter into the config.json of a container that must be"+
			" restricted (config.json on stdin and stdout)", precreate),
		newStage("prestart", guard, guardState),
		newStage("createRuntime", guard, guardState),
		newStage("poststart", "Kill a restricted container whose process is not under the"+
			" filter, or not served by the agent (container's state on stdin)", guardProcess),
	)
	return command
}

// stagePrecreate is a stage that only podman has.
const stagePrecreate = "precreate"

// A stage is the work of one hook, from stdin to stdout.
type stage func(in []byte, out io.Writer, o hook.Options) error

// newStage returns the command for a hook. Its name is that of a stage in the OCI
// runtime spec, or precreate, which only podman has.
func newStage(name, short string, run stage) *cobra.Command {
	var flags cli.InjectionFlags
	command := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			in, err := io.ReadAll(command.InOrStdin())
			if err != nil {
				return fmt.Errorf("read stdin: %w", err)
			}
			if len(in) == 0 {
				return errors.New("nothing came on stdin: a container engine or an OCI runtime" +
					" runs this command; port-restricter configure ENGINE makes it do so")
			}
			o, err := flags.Options()
			if err == nil {
				err = run(in, command.OutOrStdout(), o)
			}
			if err != nil {
				hook.Report(flags.Socket(), "hook "+name, in, err)
			}
			if err != nil && name == stagePrecreate {
				return refuse(command, in, err)
			}
			return err
		},
	}
	flags.Add(command)
	return command
}

// refuse is the answer to podman if a container is refused at the stage precreate: a config.json
// with the reason, which cannot be started. Podman would not show the reason otherwise.
func refuse(command *cobra.Command, in []byte, reason error) error {
	text, err := hook.Unstartable(in, reason)
	if err != nil {
		return reason
	}
	fmt.Fprintln(command.ErrOrStderr(), "port-restricter:", reason)
	_, err = command.OutOrStdout().Write(text)
	return err
}

// precreate injects the filter into a config.json.
func precreate(in []byte, out io.Writer, o hook.Options) error {
	edited, err := hook.Inject(in, o)
	if err != nil {
		return err
	}
	// Without an agent the OCI runtime would fail, too, but crun would not say what to do.
	if err := hook.Guard(edited, o); err != nil {
		return err
	}
	_, err = out.Write(edited)
	return err
}

// guardState is the guard: it fails for a container that would not be held to its
// ports.
func guardState(in []byte, _ io.Writer, o hook.Options) error {
	state, err := readState(in)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(state.Bundle) {
		return fmt.Errorf("read the container's state from stdin: the bundle %q is not"+
			" an absolute path", state.Bundle)
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

// guardProcess is the guard's look at the process that the OCI runtime has started.
func guardProcess(in []byte, _ io.Writer, o hook.Options) error {
	state, err := readState(in)
	if err != nil {
		return err
	}
	return hook.CheckStarted(state, o)
}

// readState returns the container's state, which OCI runtimes write to a hook's stdin.
func readState(in []byte) (*specs.State, error) {
	state := new(specs.State)
	if err := json.Unmarshal(in, state); err != nil {
		return nil, fmt.Errorf("read the container's state from stdin: %w", err)
	}
	return state, nil
}
