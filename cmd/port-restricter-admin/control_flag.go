package main

import (
	"cmp"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config/settings"
)

// controlFlag is the flag of each command that asks a running agent.
type controlFlag struct{ path string }

// add adds the flag to a command.
func (f *controlFlag) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.path, "socket", "", "`PATH` of the agent's control socket (default:"+
		" control.sock beside the agent's socket, which listener in "+settings.DefaultPath+
		" names)")
}

// client returns a client of the agent.
func (f *controlFlag) client() (*control.Client, error) {
	if f.path != "" {
		return control.NewClient(f.path), nil
	}
	node, err := settings.Load()
	if err != nil {
		return nil, err
	}
	if node.Listener == "" && os.Geteuid() != 0 {
		// Where the units in deploy/systemd/user, and configure podman, have the user's agent.
		own := filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "port-restricter", "control.sock")
		if _, err := os.Stat(own); err == nil && filepath.IsAbs(own) {
			return control.NewClient(own), nil
		}
	}
	return control.NewClient(control.Path(cmp.Or(node.Listener, settings.DefaultListener))), nil
}
