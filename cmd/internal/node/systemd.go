package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	systemd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Where systemd is reached on a node: by itself, or by the system's bus. Both take orders from root
// only; the first needs no other program, and no other program's policy.
const (
	privateSocket = "/run/systemd/private"
	busSocket     = "/run/dbus/system_bus_socket"
)

// patience bounds each job of systemd, and each wait.
const patience = 3 * time.Minute

// A manager is the systemd of a node.
type manager struct{ *systemd.Conn }

// systemd connects to the node's systemd.
func (n Node) systemd(ctx context.Context) (*manager, error) {
	private := func() (*dbus.Conn, error) { return dial(ctx, n.at(privateSocket), wake) }
	bus := func() (*dbus.Conn, error) { return dial(ctx, n.at(busSocket), (*dbus.Conn).Hello) }
	conn, err := systemd.NewConnection(private)
	if err != nil {
		var onBus error
		if conn, onBus = systemd.NewConnection(bus); onBus != nil {
			return nil, fmt.Errorf("reach the node's systemd: %w; the agent is a service of "+
				"systemd, and this node has none, or its /run is not at %s",
				errors.Join(err, onBus), n.at("/run"))
		}
		if err := conn.Subscribe(); err != nil {
			return nil, fmt.Errorf("listen to the node's systemd: %w", err)
		}
	}
	return &manager{conn}, nil
}

func dial(
	ctx context.Context, socket string, greet func(*dbus.Conn) error,
) (*dbus.Conn, error) {
	conn, err := dbus.Dial("unix:path="+socket, dbus.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	uid := strconv.Itoa(os.Getuid())
	if err = conn.Auth([]dbus.Auth{dbus.AuthExternal(uid)}); err == nil {
		err = greet(conn)
	}
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("greet %s: %w", socket, err)
	}
	return conn, nil
}

// wake makes the first call on a connection to systemd itself. systemd can read such a call
// together with the end of the greeting, and then leaves it until something else comes.
func wake(conn *dbus.Conn) error {
	err := context.DeadlineExceeded
	for range 30 {
		ctx, cancel := context.WithTimeout(conn.Context(), time.Second)
		err = conn.Object("org.freedesktop.systemd1", "/org/freedesktop/systemd1").
			CallWithContext(ctx, "org.freedesktop.DBus.Peer.Ping", 0).Err
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) || conn.Context().Err() != nil {
			break
		}
	}
	return err
}

// do runs a job, and waits for its end.
func (m *manager) do(
	ctx context.Context, what, unit string,
	job func(ctx context.Context, unit, mode string, done chan<- string) (int, error),
) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := make(chan string, 1)
	if _, err := job(ctx, unit, "replace", done); err != nil {
		return fmt.Errorf("%s %s: %w", what, unit, err)
	}
	select {
	case result := <-done:
		if result != "done" {
			return fmt.Errorf("%s %s: the job ends as %q; journalctl -u %s on the node says why",
				what, unit, result, unit)
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s %s: %w", what, unit, ctx.Err())
	}
}

func (m *manager) start(ctx context.Context, unit string) error {
	return m.do(ctx, "start", unit, m.StartUnitContext)
}

func (m *manager) stop(ctx context.Context, unit string) error {
	return m.do(ctx, "stop", unit, m.StopUnitContext)
}

// tryRestart restarts a unit that runs. systemd keeps what it has in its fd store.
func (m *manager) tryRestart(ctx context.Context, unit string) error {
	return m.do(ctx, "restart", unit, m.TryRestartUnitContext)
}

// property returns a property of a unit, or "" if there is no such unit.
func (m *manager) property(ctx context.Context, unit, name string) (string, error) {
	value, err := m.GetUnitPropertyContext(ctx, unit, name)
	if err != nil {
		return "", fmt.Errorf("ask systemd for %s of %s: %w", name, unit, err)
	}
	text, _ := value.Value.Value().(string)
	return text, nil
}

// isActive reports whether a unit runs, is about to, or has not ended yet.
func (m *manager) isActive(ctx context.Context, unit string) (bool, error) {
	state, err := m.property(ctx, unit, "ActiveState")
	return state != "" && state != "inactive" && state != "failed", err
}

// reload makes systemd read its units again.
func (m *manager) reload(ctx context.Context) error {
	if err := m.ReloadContext(ctx); err != nil {
		return fmt.Errorf("make systemd read its units again: %w", err)
	}
	return nil
}

// run runs a program of the node to its end, as a unit of its own that is gone afterwards, and
// returns what it prints.
func (m *manager) run(ctx context.Context, unit string, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	out, in, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer out.Close()
	defer in.Close()
	property := func(name string, value any) systemd.Property {
		return systemd.Property{Name: name, Value: dbus.MakeVariant(value)}
	}
	done := make(chan string, 1)
	_, err = m.StartTransientUnitContext(ctx, unit, "replace", []systemd.Property{
		systemd.PropDescription("Work for port-restricter"),
		systemd.PropExecStart(command, false),
		systemd.PropType("oneshot"),
		property("CollectMode", "inactive-or-failed"),
		property("StandardOutputFileDescriptor", dbus.UnixFD(in.Fd())),
		property("StandardErrorFileDescriptor", dbus.UnixFD(in.Fd())),
	}, done)
	if err != nil {
		return "", fmt.Errorf("run %s: %w", command[0], err)
	}
	in.Close()
	printed := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(io.LimitReader(out, 1<<20))
		printed <- text
	}()
	select { // systemd closes its end when the unit has ended
	case text := <-printed:
		return string(text), nil
	case <-ctx.Done():
		return "", fmt.Errorf("read what %s prints: %w", command[0], ctx.Err())
	}
}
