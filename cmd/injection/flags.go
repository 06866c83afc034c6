// Package injection is what all commands have that inject the filter.
package injection

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook"
)

// Flags are those of every such command. What isn't given stands in the
// settings.
type Flags struct{ listener, metadata, runtime string }

// Add defines them.
func (f *Flags) Add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.listener, "listener", "", "`PATH` of the agent's socket (default \""+agent.DefaultSocket+"\")")
	flags.StringVar(&f.metadata, "metadata", "", "`TEXT` sent to the agent with each container; lines port-restricter.port=… bound what annotations may ask for")
	flags.StringVar(&f.runtime, "runtime", "", "OCI `RUNTIME` that will read the profile: use the seccomp flags that its features command lists")
}

// Options are known once the flags are parsed.
func (f *Flags) Options() (hook.Options, error) {
	settings, err := config.LoadSettings()
	if err != nil {
		return hook.Options{}, err
	}
	o, err := OptionsFrom(config.Settings{Listener: cmp.Or(f.listener, settings.Listener), Metadata: cmp.Or(f.metadata, settings.Metadata)})
	if err == nil && f.runtime != "" {
		o.Flags, err = hook.RuntimeFlags(f.runtime)
	}
	return o, err
}

// OptionsFrom gives settings their defaults.
func OptionsFrom(settings config.Settings) (hook.Options, error) {
	listener := cmp.Or(settings.Listener, agent.DefaultSocket)
	if !filepath.IsAbs(listener) {
		return hook.Options{}, fmt.Errorf("listener %q: the runtime needs an absolute path", listener)
	}
	return hook.Options{ListenerPath: listener, ListenerMetadata: settings.Metadata}, nil
}
