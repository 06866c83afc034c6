package cli

import (
	"cmp"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// ListenerDefault, OwnListenerDefault and MetadataUsage are parts of the help for flags that
// several commands have. NRIUsage is what the command nri does, which two programs say.
const (
	ListenerDefault = " (default: listener in " + settings.DefaultPath +
		", or " + settings.DefaultListener + ")"
	OwnListenerDefault = ListenerDefault +
		"; for an ordinary user $XDG_RUNTIME_DIR/port-restricter/agent.sock"
	MetadataUsage = "`TEXT` sent to the agent with each container; a line" +
		" port-restricter.port=PORTS in it limits every container, also one without annotations;" +
		" port-restricter.audit=allow lets annotations choose mode=audit"
	NRIUsage = "Put the filter into containers that must be restricted, as an NRI plugin" +
		" (containerd 2.2 and newer, CRI-O newer than 1.34)"
)

// InjectionFlags are the flags of each command that injects the filter. The settings
// of the node are the defaults.
type InjectionFlags struct{ listener, metadata, runtime string }

// Add adds the flags to a command.
func (f *InjectionFlags) Add(command *cobra.Command) {
	flags := command.Flags()
	flags.StringVar(&f.listener, "listener", "", "`PATH` of the agent's socket"+ListenerDefault)
	flags.StringVar(&f.metadata, "metadata", "", MetadataUsage)
	flags.StringVar(&f.runtime, "runtime", "",
		"OCI `RUNTIME` that will load the filter: set the seccomp flags that the runtime's"+
			" features command lists")
}

// Socket returns the path of the agent's socket, even if Options fails.
func (f *InjectionFlags) Socket() string {
	node, _ := settings.Load()
	return cmp.Or(f.listener, node.Listener, settings.DefaultListener)
}

// Options returns the options of the filter. The flags must have been parsed.
func (f *InjectionFlags) Options() (hook.Options, error) {
	node, err := settings.Load()
	if err != nil {
		return hook.Options{}, err
	}
	node.Set("listener", f.listener, "--listener")
	node.Set("metadata", f.metadata, "--metadata")
	o, err := HookOptions(node)
	if err == nil && f.runtime != "" {
		o.Flags, err = hook.RuntimeFlags(f.runtime)
	}
	return o, err
}

// HookOptions returns the options of the injection for the given settings, with
// defaults for those that are not set.
func HookOptions(s settings.Settings) (hook.Options, error) {
	listener := cmp.Or(s.Listener, settings.DefaultListener)
	if err := s.Check(); err != nil {
		return hook.Options{}, err
	}
	return hook.Options{
		Options: filter.Options{ListenerPath: listener, ListenerMetadata: s.Metadata},
		Rules:   s.Rules,
	}, nil
}
