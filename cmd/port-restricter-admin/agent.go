package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/confine"
	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/agent/sysmon"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/settings"
)

func newAgent() *cobra.Command {
	var socket string
	var verbose bool
	command := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent, which decides what containers may bind",
		Long: "Run the agent, which decides what containers may bind.\n" +
			"OCI runtimes send it the seccomp notify fd of each container over its socket.",
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			hangups := make(chan os.Signal, 1) // from now on, or the first would end the agent
			signal.Notify(hangups, syscall.SIGHUP)
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			defer waitBeforeNext(ctx, time.Now())
			node, err := settings.Load()
			if err != nil {
				return err
			}
			path := cmp.Or(socket, node.Listener, defaultSocket())
			if !filepath.IsAbs(path) {
				return fmt.Errorf("socket %q: OCI runtimes need an absolute path", path)
			}
			sysmon.GiveWay()
			return serve(ctx, cli.NewLogger(verbose), path, node.Rules, hangups)
		},
	}
	command.SetContext(context.Background())
	command.Flags().StringVar(&socket, "socket", "",
		"`PATH` of the agent's socket, which is the listenerPath in the seccomp profiles"+
			" of containers"+cli.OwnListenerDefault)
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "log allowed binds, too")
	return command
}

// defaultSocket returns where an agent listens for which nothing else was set. The node's agent is
// no root process, either: a service manager starts it, and its socket unit names the path.
func defaultSocket() string {
	if os.Getenv("NOTIFY_SOCKET") != "" || os.Getenv("LISTEN_FDS") != "" {
		return settings.DefaultListener
	}
	return cmp.Or(settings.OwnListener(), settings.DefaultListener)
}

// waitBeforeNext lets a service manager, which starts the next agent as soon as this one ends,
// start one a second at most, if none can start. An agent that was told to end does not wait.
func waitBeforeNext(ctx context.Context, began time.Time) {
	if os.Getenv("NOTIFY_SOCKET") != "" {
		select {
		case <-time.After(time.Until(began.Add(time.Second))):
		case <-ctx.Done():
		}
	}
}

var errNoHelpers = errors.New("the process that starts helpers has ended")

// serve runs the agent until ctx is done.
func serve(
	ctx context.Context, log *logrus.Logger, socket string, rules config.Rules,
	hangups <-chan os.Signal,
) error {
	// Containers wait, and most of what is allocated until all are served stays.
	collect := debug.SetGCPercent(-1)
	service, err := newService()
	if err != nil {
		return err
	}
	listener, err := service.listen(socket, log)
	if err != nil {
		return err
	}
	defer listener.Close()
	shown := service.openControl(socket, log)
	defer shown.close()
	capabilities, err := confine.DropCapabilities()
	if err != nil {
		return err
	}
	requests, err := confine.StartHelpers()
	if err != nil {
		return err
	}
	supervisor, err := service.supervisor(log, policyBy(rules))
	if err != nil {
		return err
	}
	defer supervisor.Close()
	if weakness := agent.Weakness(); weakness != "" {
		log.Warn(weakness)
	}
	if err := shown.prepare(supervisor, rules); err != nil {
		return err
	}
	// No container is served before the agent has confined itself.
	if err := confine.LoadFilter(service.manager.FD(), requests); err != nil {
		return err
	}
	supervisor.Resume()
	time.AfterFunc(time.Second, func() { debug.SetGCPercent(collect) })
	log.WithFields(logrus.Fields{"socket": socket, "capabilities": capabilities}).Info("listening")
	if err := service.manager.Notify(daemon.SdNotifyReady); err != nil {
		return err
	}
	if _, err := settings.Load(); err != nil { // with the privileges that are left
		log.WithError(err).Warn("the settings could not be read again for a reload")
	}
	go func() {
		for range hangups {
			reload(log, service.manager, supervisor, shown.server)
		}
	}()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	go supervisor.EndWithoutHelpers(func() { end(errNoHelpers) })
	shown.serve(ctx, control.Agent{
		Socket: socket, Capabilities: capabilities, Keeps: service.manager.Room() > 0,
		TakenOver: supervisor.Stats().Containers,
	})
	err = listener.Serve(ctx, supervisor)
	log.Info("stopping")
	if errors.Is(context.Cause(ctx), errNoHelpers) {
		err = errNoHelpers
	}
	return errors.Join(err, service.manager.Notify(daemon.SdNotifyStopping))
}
