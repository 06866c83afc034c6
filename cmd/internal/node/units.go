package node

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// The units. The sockets come first: the services need them.
const (
	agentSocket   = "port-restricter.socket"
	controlSocket = "port-restricter-control.socket"
	eventsSocket  = "port-restricter-events.socket"
	agentService  = "port-restricter.service"
	nriService    = "port-restricter-nri.service"
)

var sockets = []string{agentSocket, controlSocket, eventsSocket}

// units returns the units that start with the node.
func (i *installation) units() []string {
	if i.NRI {
		return append(slices.Clone(sockets), nriService)
	}
	return sockets
}

// restart notes that a unit is to be restarted.
func (l *ledger) restart(unit string) {
	if !slices.Contains(l.Restart, unit) {
		l.Restart = append(l.Restart, unit)
	}
}

// run starts what is to run, and restarts what runs with something older. A socket is never
// stopped: the agent would be, too, and its containers would lose their ports.
func (i *installation) run(ctx context.Context) error {
	if !i.NRI && slices.Contains(i.l.Units, nriService) {
		if err := i.disable(ctx, i.m, i.l, nriService); err != nil {
			return err
		}
	}
	if _, _, err := i.m.EnableUnitFilesContext(ctx, i.units(), false, false); err != nil {
		return fmt.Errorf("enable %s: %w", strings.Join(i.units(), ", "), err)
	}
	for _, unit := range sockets {
		active, err := i.m.isActive(ctx, unit)
		if err != nil {
			return err
		}
		// systemd starts no socket of a service that runs, but does when it restarts that.
		if !active {
			i.l.restart(agentService)
		}
	}
	// Until systemd reads its units again, the agent does not want what was enabled above.
	if slices.Contains(i.l.Restart, agentService) {
		if err := i.m.reload(ctx); err != nil {
			return err
		}
	}
	for _, unit := range []string{agentService, nriService} {
		if slices.Contains(i.l.Restart, unit) {
			if err := i.restarted(ctx, i.m, i.l, unit); err != nil {
				return err
			}
		}
	}
	for _, unit := range append(i.units(), agentService) {
		active, err := i.m.isActive(ctx, unit)
		if err == nil && !active {
			err = i.m.start(ctx, unit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// restarted restarts a unit that runs, and notes it.
func (n Node) restarted(ctx context.Context, m *manager, l *ledger, unit string) error {
	if err := m.tryRestart(ctx, unit); err != nil {
		return err
	}
	n.Log.WithField("unit", unit).Info("restarted, if it ran")
	l.Restart = slices.DeleteFunc(l.Restart, func(other string) bool { return other == unit })
	return n.save(l)
}

// end stops a unit, if there is one, and makes systemd forget how it ended.
func (n Node) end(ctx context.Context, m *manager, unit string) error {
	loaded, err := m.property(ctx, unit, "LoadState")
	if err != nil || loaded == "not-found" {
		return err
	}
	if err := m.stop(ctx, unit); err != nil {
		return err
	}
	_ = m.ResetFailedUnitContext(ctx, unit) // it fails for one that has not failed
	return nil
}

// disable stops a unit, and keeps it from starting with the node.
func (n Node) disable(ctx context.Context, m *manager, l *ledger, unit string) error {
	if err := n.end(ctx, m, unit); err != nil {
		return err
	}
	if _, err := m.DisableUnitFilesContext(ctx, []string{unit}, false); err != nil {
		return fmt.Errorf("disable %s: %w", unit, err)
	}
	l.Units = slices.DeleteFunc(l.Units, func(other string) bool { return other == unit })
	return n.save(l)
}
