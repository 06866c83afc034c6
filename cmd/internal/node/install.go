package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/port-restricter/port-restricter/hook/engines"
)

// An installation is one run of Install.
type installation struct {
	Node
	m       *manager
	l       *ledger
	files   []file
	changes []change
	engine  distribution
	unit    string        // of the engine
	plan    *engines.Plan // of the engine, or nil
}

// Install brings the node into the state that is wanted. What is there already is left alone: if
// all is, no file is written and no unit is restarted. Where it fails, the node is not ready, even
// if it was before.
func (n Node) Install(ctx context.Context) error {
	err := n.install(ctx)
	if n.Label != nil {
		err = errors.Join(err, n.Label(ctx, err == nil))
	}
	if err == nil {
		n.Log.Info("this node restricts containers")
	}
	return err
}

func (n Node) install(ctx context.Context) error {
	i, err := n.look(ctx)
	if err != nil {
		return err
	}
	defer i.m.Close()
	if err := i.apply(ctx); err != nil {
		return err
	}
	return i.check(ctx)
}

// look finds out what is to be done. It changes nothing, and fails where the node can't have it.
func (n Node) look(ctx context.Context) (_ *installation, err error) {
	if err := n.validate(); err != nil {
		return nil, err
	}
	i := &installation{Node: n}
	if i.files, err = n.files(); err != nil {
		return nil, err
	}
	if err := n.checkPrefix(); err != nil {
		return nil, err
	}
	if i.l, err = n.readLedger(); err != nil {
		return nil, err
	}
	if i.m, err = n.systemd(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			i.m.Close()
		}
	}()
	if err := i.checkOthers(ctx); err != nil {
		return nil, err
	}
	if n.NRI {
		if err := n.checkNRI(); err != nil {
			return nil, err
		}
	}
	if i.changes, err = n.changes(i.files, i.l); err != nil {
		return nil, err
	}
	if n.Engine == "" {
		return i, nil
	}
	if i.engine, i.unit, err = detect(ctx, i.m.isActive, n.Engine); err != nil {
		return nil, err
	}
	i.plan, err = i.engine.plan(n, false)
	return i, err
}

// checkOthers fails if the node has port-restricter from elsewhere: its units would be hidden by
// those that are written here.
func (i *installation) checkOthers(ctx context.Context) error {
	from, err := i.m.property(ctx, agentService, "FragmentPath")
	if err != nil || from == "" {
		return err
	}
	text, err := i.read(path.Join(unitDir, agentService))
	switch {
	case err != nil:
		return err
	case path.Dir(from) != unitDir:
		return fmt.Errorf("port-restricter is installed on this node by a package, which has %s: "+
			"remove the package, or keep this DaemonSet from the node by a node selector", from)
	case !strings.HasPrefix(string(text), marker):
		return nil // a file that is in the way, as changes says
	case !strings.Contains(string(text), "\nExecStart="+i.program()+"-admin "):
		return fmt.Errorf("port-restricter is installed on this node with another --prefix, as %s "+
			"says: uninstall it with that one first", from)
	}
	return nil
}

// apply does what is to be done.
func (i *installation) apply(ctx context.Context) error {
	if err := i.cleanUp(i.l.Files); err != nil {
		return err
	}
	stale := i.stale()
	changed := i.noteChanges(stale)
	if err := i.save(i.l); err != nil {
		return fmt.Errorf("write down what is installed: %w", err)
	}
	if i.l.Engine != "" && i.l.Engine != i.Engine {
		if err := i.removeEngine(ctx, i.m, i.l); err != nil {
			return err
		}
	}
	for _, c := range i.changes {
		if err := os.MkdirAll(i.at(path.Dir(c.path)), 0o755); err != nil {
			return err
		}
		if err := i.write(c.file); err != nil {
			return err
		}
		i.Log.WithField("file", c.path).Info("written")
	}
	for _, name := range stale {
		if err := i.removeFile(ctx, i.m, i.l, name); err != nil {
			return err
		}
	}
	if changed {
		if err := i.m.reload(ctx); err != nil {
			return err
		}
	}
	if err := i.run(ctx); err != nil {
		return err
	}
	if err := i.configureEngine(ctx); err != nil {
		return err
	}
	i.l.settle(i.files)
	return i.save(i.l)
}

// stale returns the files of an earlier version that this one does not have.
func (i *installation) stale() (stale []string) {
	for _, name := range slices.Sorted(maps.Keys(i.l.Files)) {
		if !slices.ContainsFunc(i.files, func(f file) bool { return f.path == name }) {
			stale = append(stale, name)
		}
	}
	return stale
}

// noteChanges notes in the ledger what is about to be done, and reports whether units change.
func (i *installation) noteChanges(stale []string) (units bool) {
	i.note(i.l, i.changes)
	units = len(stale) > 0
	for _, c := range i.changes {
		units = units || isUnit(c.path) != ""
		for unit, program := range map[string]string{
			agentService: i.program() + "-admin", nriService: i.program() + "-nri",
		} {
			if c.path == program || isUnit(c.path) == unit {
				i.l.restart(unit)
			}
		}
		if c.path == path.Join(configDir, "config.toml") {
			i.l.restart(agentService)
		}
	}
	if i.plan != nil && len(i.plan.Changes) > 0 {
		i.l.restart(i.unit)
		for _, c := range i.plan.Changes {
			i.noteDirs(i.l, strings.TrimPrefix(c.Path, i.Host))
		}
	}
	for _, unit := range i.units() {
		if !slices.Contains(i.l.Units, unit) {
			i.l.Units = append(i.l.Units, unit)
		}
	}
	return units
}

// configureEngine gives the engine the runtime handler, and restarts the engine if it has not read
// that yet.
func (i *installation) configureEngine(ctx context.Context) error {
	if i.plan == nil {
		return nil
	}
	i.l.Engine = i.Engine
	if err := i.save(i.l); err != nil {
		return err
	}
	if err := i.carryOut(i.plan); err != nil {
		return err
	}
	if !slices.Contains(i.l.Restart, i.unit) {
		return nil
	}
	if i.engine.rereads {
		i.l.Restart = nil
		return i.save(i.l)
	}
	return i.restarted(ctx, i.m, i.l, i.unit)
}

func (n Node) carryOut(plan *engines.Plan) error {
	return plan.Apply(func(c engines.Change) {
		n.Log.WithField("file", strings.TrimPrefix(c.Path, n.Host)).Info(c.Verb() + "d")
	})
}
