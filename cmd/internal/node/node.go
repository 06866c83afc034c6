package node

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/port-restricter/port-restricter/internal/atomicfile"
)

// A Node is a node, and what it is to have.
type Node struct {
	// Host is the directory with the node's file system, or with the parts of it that are needed.
	Host string
	// Tree has the files as a package would install them.
	Tree string
	// Prefix is the directory on the node in whose bin the programs are.
	Prefix string
	// Engine is the engine whose configuration gets a runtime handler, or "".
	Engine string
	// NRI says whether the NRI plugin runs.
	NRI bool
	// Label sets or removes the label of a ready node, or is nil.
	Label func(ctx context.Context, ready bool) error
	Log   *logrus.Logger
}

// On the node:
const (
	unitDir   = "/etc/systemd/system"
	configDir = "/etc/port-restricter"
	runDir    = "/run/port-restricter"
	eventsDir = "/run/port-restricter-kubernetes/events"
)

// at returns where a path of the node is.
func (n Node) at(onNode string) string { return filepath.Join(n.Host, onNode) }

func (n Node) program() string { return path.Join(n.Prefix, "bin", "port-restricter") }

// validate fails for a Node that no run can work on.
func (n Node) validate() error {
	if !path.IsAbs(n.Prefix) || strings.ContainsAny(n.Prefix, " \t\n%\"'\\$") {
		return fmt.Errorf("--prefix %q: it must be an absolute path without blanks, quotes, "+
			"$, %% and backslashes, since systemd reads it", n.Prefix)
	}
	return nil
}

// write replaces a file of the node in one step. Its directory exists.
func (n Node) write(f file) error {
	return atomicfile.Replace(n.at(f.path), f.text, f.mode)
}
