package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// ErrHeld means that containers would lose their ports.
var ErrHeld = errors.New("containers are held by the agent of this node")

// Uninstall takes away what Install brought. If the agent holds containers, it changes nothing,
// unless force is set.
func (n Node) Uninstall(ctx context.Context, force bool) error {
	if err := n.validate(); err != nil {
		return err
	}
	l, err := n.readLedger()
	if err != nil {
		return err
	}
	m, err := n.systemd(ctx)
	if err != nil {
		return err
	}
	defer m.Close()
	if !force {
		if err := n.checkHeld(ctx, m); err != nil {
			return err
		}
	}
	if n.Label != nil {
		if err := n.Label(ctx, false); err != nil {
			return err
		}
	}
	if !l.isThere {
		unit, err := n.read(path.Join(unitDir, agentService))
		if err != nil || strings.HasPrefix(string(unit), marker) {
			return errors.Join(err, fmt.Errorf("port-restricter is installed on this node with "+
				"another --prefix than %s, as ExecStart= of %s says", n.Prefix, agentService))
		}
		n.Log.Info("nothing is installed on this node")
		return nil
	}
	if l.Engine != "" {
		if err := n.removeEngine(ctx, m, l); err != nil {
			return err
		}
	}
	if err := n.stopAll(ctx, m, l, force); err != nil {
		return err
	}
	if err := n.removeFiles(ctx, m, l); err != nil {
		return err
	}
	n.Log.Info("nothing is left on this node")
	return nil
}

// checkHeld fails if the agent holds containers. An agent that does not run, and for which systemd
// keeps nothing, holds none; it must not be asked, since that would start it.
func (n Node) checkHeld(ctx context.Context, m *manager) error {
	active, err := m.isActive(ctx, agentService)
	if err != nil || !active {
		return err
	}
	all, err := control.NewClient(n.at(path.Join(runDir, "control.sock"))).Containers(ctx)
	if err != nil {
		return fmt.Errorf("find out which containers are held: %w; --force does not ask", err)
	}
	var names []string
	for _, c := range all {
		name := c.ID
		if c.Pod != "" {
			name = c.Namespace + "/" + c.Pod + "/" + c.Name
		}
		names = append(names, inquiry.Printable(name))
	}
	if len(names) == 0 {
		return nil
	}
	const shown = 10
	more := ""
	if len(names) > shown {
		more = fmt.Sprintf(" and %d more", len(names)-shown)
		names = names[:shown]
	}
	return fmt.Errorf("%w, and could bind no port afterwards: %s%s; remove them, or use --force",
		ErrHeld, strings.Join(names, ", "), more)
}

// removeEngine takes the runtime handler out of the engine's configuration, and restarts the
// engine.
func (n Node) removeEngine(ctx context.Context, m *manager, l *ledger) error {
	d, unit, err := detect(ctx, m.isActive, l.Engine)
	if err != nil {
		return err
	}
	plan, err := d.plan(n, true)
	if err != nil {
		return err
	}
	if len(plan.Changes) > 0 {
		l.restart(unit)
		if err := n.save(l); err != nil {
			return err
		}
	}
	if err := n.carryOut(plan); err != nil {
		return err
	}
	if slices.Contains(l.Restart, unit) && !d.rereads {
		if err := n.restarted(ctx, m, l, unit); err != nil {
			return err
		}
	}
	l.Engine = ""
	return n.save(l)
}

// stopAll stops and disables the units. The plugin ends first: after it, no new container gets the
// filter.
func (n Node) stopAll(ctx context.Context, m *manager, l *ledger, force bool) error {
	if err := n.end(ctx, m, nriService); err != nil {
		return err
	}
	if !force {
		if err := n.checkHeld(ctx, m); err != nil {
			if slices.Contains(l.Units, nriService) {
				err = errors.Join(err, m.start(ctx, nriService))
			}
			return err
		}
	}
	units := slices.Clone(sockets)
	for name := range l.Files {
		if unit := isUnit(name); unit != "" && !slices.Contains(units, unit) {
			units = append(units, unit)
		}
	}
	for _, unit := range units {
		if err := n.end(ctx, m, unit); err != nil {
			return err
		}
	}
	for _, unit := range slices.Clone(l.Units) {
		if err := n.disable(ctx, m, l, unit); err != nil {
			return err
		}
	}
	return nil
}

// removeFiles removes the files that were written, the directories that were made, and the ledger
// at last.
func (n Node) removeFiles(ctx context.Context, m *manager, l *ledger) error {
	if err := n.cleanUp(l.Files); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(l.Files)) {
		if err := n.removeFile(ctx, m, l, name); err != nil {
			return err
		}
	}
	if err := m.reload(ctx); err != nil {
		return err
	}
	if err := n.removeRunFiles(); err != nil {
		return err
	}
	others, above := []string{}, []string{path.Dir(n.ledgerPath())}
	for _, dir := range l.Dirs {
		if strings.HasPrefix(n.ledgerPath(), dir+"/") {
			above = append(above, dir)
		} else {
			others = append(others, dir)
		}
	}
	n.removeDirs(others)
	if err := os.Remove(n.at(n.ledgerPath())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	n.removeDirs(above)
	return nil
}

// removeDirs removes those of the directories that are empty.
func (n Node) removeDirs(dirs []string) {
	slices.Sort(dirs)
	for _, dir := range slices.Backward(dirs) {
		if err := os.Remove(n.at(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			n.Log.WithError(err).WithField("directory", dir).Info("stays")
		}
	}
}

// removeFile removes a file that was written, unless it was changed since.
func (n Node) removeFile(ctx context.Context, m *manager, l *ledger, name string) error {
	now, err := n.read(name)
	if err != nil {
		return err
	}
	if unit := isUnit(name); unit != "" && now != nil {
		if err := n.disable(ctx, m, l, unit); err != nil {
			return err
		}
	}
	switch {
	case now == nil:
	case isUnit(name) == "" && !slices.Contains(l.Files[name], sum(now)):
		n.Log.WithField("file", name).Info("stays: it was changed since it was installed")
	default:
		if err := os.Remove(n.at(name)); err != nil {
			return err
		}
		n.Log.WithField("file", name).Info("removed")
	}
	delete(l.Files, name)
	return n.save(l)
}

// removeRunFiles removes the sockets that systemd has left, and what the runtime handler has noted
// of OCI runtimes.
func (n Node) removeRunFiles() error {
	if err := os.RemoveAll(n.at(path.Join(runDir, "runtimes"))); err != nil {
		return err
	}
	for _, name := range []string{
		path.Join(runDir, "agent.sock"), path.Join(runDir, "control.sock"),
		path.Join(eventsDir, "events.sock"),
	} {
		if err := os.Remove(n.at(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, dir := range []string{runDir, eventsDir, path.Dir(eventsDir)} {
		if err := os.Remove(n.at(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			n.Log.WithError(err).WithField("directory", dir).Info("stays")
		}
	}
	return nil
}
