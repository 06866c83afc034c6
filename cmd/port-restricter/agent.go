package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/confine"
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
			node, err := settings.Load()
			if err != nil {
				return err
			}
			path := cmp.Or(socket, node.Listener, settings.DefaultListener)
			if !filepath.IsAbs(path) {
				return fmt.Errorf("socket %q: OCI runtimes need an absolute path", path)
			}
			log := cli.NewLogger(verbose)
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return serve(ctx, log, path, node.Rules, hangups)
		},
	}
	command.SetContext(context.Background())
	command.Flags().StringVar(&socket, "socket", "",
		"`PATH` of the agent's socket, which is the listenerPath in the seccomp profiles"+
			" of containers"+cli.ListenerDefault)
	command.Flags().BoolVarP(&verbose, "verbose", "v", false, "log allowed binds, too")
	return command
}

// serve runs the agent until ctx is done.
func serve(
	ctx context.Context, log *logrus.Logger, socket string, rules config.Rules,
	hangups <-chan os.Signal,
) error {
	service, err := newService()
	if err != nil {
		return err
	}
	listener, err := service.listen(socket, log)
	if err != nil {
		return err
	}
	defer listener.Close()
	capabilities, err := confine.DropCapabilities()
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
	// No container is served before the agent has confined itself.
	if err := confine.LoadFilter(service.manager.FD()); err != nil {
		return err
	}
	supervisor.Resume()
	log.WithFields(logrus.Fields{"socket": socket, "capabilities": capabilities}).Info("listening")
	if err := service.manager.Notify(daemon.SdNotifyReady); err != nil {
		return err
	}
	if _, err := settings.Load(); err != nil { // with the privileges that are left
		log.WithError(err).Warn("the settings could not be read again for a reload")
	}
	go func() {
		for range hangups {
			reload(log, service.manager, supervisor)
		}
	}()
	err = listener.Serve(ctx, supervisor)
	log.Info("stopping")
	return errors.Join(err, service.manager.Notify(daemon.SdNotifyStopping))
}
