package cli

import (
	"cmp"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// InjectionFlags are the flags of every command that injects the filter. The
// settings of the node stand in for those that are not given.
type InjectionFlags struct{ listener, metadata, runtime string }

// Add defines the flags for a command.
func (f *InjectionFlags) Add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.listener, "listener", "", "`PATH` of the agent's socket (default \""+settings.DefaultListener+"\")")
	flags.StringVar(&f.metadata, "metadata", "", "`TEXT` sent to the agent with each container; lines port-restricter.port=… bound what annotations may ask for")
	flags.StringVar(&f.runtime, "runtime", "", "OCI `RUNTIME` that will read the profile: use the seccomp flags that its features command lists")
}

// Options returns the options of the filter. It is called once the flags are parsed.
func (f *InjectionFlags) Options() (filter.Options, error) {
	node, err := settings.Load()
	if err != nil {
		return filter.Options{}, err
	}
	o, err := FilterOptions(settings.Settings{Listener: cmp.Or(f.listener, node.Listener), Metadata: cmp.Or(f.metadata, node.Metadata)})
	if err == nil && f.runtime != "" {
		o.Flags, err = hook.RuntimeFlags(f.runtime)
	}
	return o, err
}

// FilterOptions returns the options of the filter for the given settings, with
// defaults for those that are not set.
func FilterOptions(s settings.Settings) (filter.Options, error) {
	listener := cmp.Or(s.Listener, settings.DefaultListener)
	if !filepath.IsAbs(listener) {
		return filter.Options{}, fmt.Errorf("listener %q: the runtime needs an absolute path", listener)
	}
	return filter.Options{ListenerPath: listener, ListenerMetadata: s.Metadata}, nil
}
