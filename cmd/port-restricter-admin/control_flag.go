package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"

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
		" names; for an ordinary user in $XDG_RUNTIME_DIR/port-restricter, if that is there or"+
		" the node has none)")
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
	listener := cmp.Or(node.Listener, settings.DefaultListener)
	if own := settings.OwnListener(); own != "" && node.Listener == "" {
		// Who may ask the node's agent is told of that one, unless there is an agent of their own.
		_, ownErr := os.Stat(control.Path(own))
		_, nodeErr := os.Stat(control.Path(listener))
		if ownErr == nil || errors.Is(nodeErr, fs.ErrNotExist) {
			listener = own
		}
	}
	return control.NewClient(control.Path(listener)), nil
}
