package main

import (
	"fmt"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/agent/fdstore"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
	"github.com/port-restricter/port-restricter/config/settings"
)

// policyBy returns what a container may bind by the administrator's rules.
func policyBy(rules config.Rules) agent.PolicyFunc {
	return func(state *specs.ContainerProcessState) (config.Policy, error) {
		container := config.Container{ID: state.State.ID, Annotations: state.State.Annotations}
		return config.FromState(container, state.Metadata, rules)
	}
}

// reload reads the settings again, and gives all containers the policies that the rules make now.
// If the settings are wrong, the rules stay as they are. The service manager is told, in the way of
// Type=notify-reload (sd_notify(3)), which other types understand, too.
func reload(
	log *logrus.Logger, manager *fdstore.Manager, supervisor *agent.Supervisor,
	shown *control.Server,
) {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	notify := func(state string) {
		if err := manager.Notify(state); err != nil {
			log.WithError(err).Warn("the service manager does not know of the reload")
		}
	}
	notify(fmt.Sprintf("%s\nMONOTONIC_USEC=%d", daemon.SdNotifyReloading, now.Nano()/1000))
	status := "the rules were read again"
	node, err := settings.Load()
	if err == nil {
		changed := supervisor.SetPolicy(policyBy(node.Rules))
		path, _ := settings.Path()
		shown.HaveRules(path, node.Rules)
		log.WithFields(logrus.Fields{
			"rules": len(node.Rules.Texts()), "changed": changed,
		}).Info("the rules were read again; a new listener takes a restart, " +
			"new metadata counts for new containers")
	} else {
		shown.KeepRules(err)
		log.WithError(err).Error("the settings are wrong: the rules stay as they were")
		status = "the settings are wrong, the rules stay as they were: " + err.Error()
	}
	line, _, _ := strings.Cut(status, "\n")
	notify(daemon.SdNotifyReady + "\nSTATUS=" + inquiry.Printable(line))
}
