package main

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook"
)

// injectionFlags are those of every command that injects the filter. What isn't
// given stands in the settings.
type injectionFlags struct{ listener, metadata, runtime string }

func (f *injectionFlags) add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.listener, "listener", "", "`PATH` of the agent's socket (default \""+agent.DefaultSocket+"\")")
	flags.StringVar(&f.metadata, "metadata", "", "`TEXT` sent to the agent with each container; lines port-restricter.port=… bound what annotations may ask for")
	flags.StringVar(&f.runtime, "runtime", "", "OCI `RUNTIME` that will read the profile: use the seccomp flags that its features command lists")
}

func (f *injectionFlags) options() (hook.Options, error) {
	settings, err := config.LoadSettings()
	if err != nil {
		return hook.Options{}, err
	}
	o, err := optionsFrom(config.Settings{Listener: cmp.Or(f.listener, settings.Listener), Metadata: cmp.Or(f.metadata, settings.Metadata)})
	if err == nil && f.runtime != "" {
		o.Flags, err = hook.RuntimeFlags(f.runtime)
	}
	return o, err
}

func optionsFrom(settings config.Settings) (hook.Options, error) {
	listener := cmp.Or(settings.Listener, agent.DefaultSocket)
	if !filepath.IsAbs(listener) {
		return hook.Options{}, fmt.Errorf("listener %q: the runtime needs an absolute path", listener)
	}
	return hook.Options{ListenerPath: listener, ListenerMetadata: settings.Metadata}, nil
}
