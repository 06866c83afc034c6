package main

import (
	"errors"
	"strings"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/supervise"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// newRun makes both the bare call and its long form.
func newRun(use string) *cobra.Command {
	var ports, maps []string
	var mode string
	var verbose bool
	run := &cobra.Command{
		Use:   use,
		Short: "Run a command that can bind only the ports it was given",
		Args:  cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("no command to run: port-restricter -p 5000 -- CMD [ARG...]; see --help")
			}
			if len(ports) == 0 {
				return errors.New("no port given: name what the command may bind with -p, as in -p 5000")
			}
			policy, err := config.ParsePolicy(strings.Join(ports, ","), strings.Join(maps, ","), mode)
			if err != nil {
				return err
			}
			status, err := runRestricted(policy, verbose, args)
			if status == 0 && err == nil {
				return nil
			}
			return statusError{status, err}
		},
	}
	flags := run.Flags()
	flags.SetInterspersed(false) // flags behind CMD are CMD's
	flags.StringArrayVarP(&ports, "port", "p", nil, "`PORTS` that may be bound: 5000, 8000-8010, 53/udp, 127.0.0.1:5000, [::1]:5000/tcp; 0 for one of the kernel's choice; may be repeated")
	flags.StringArrayVar(&maps, "map", nil, "`ASKED:BOUND` as in 80:5000: a bind that asks for 80 is bound to 5000; may be repeated")
	flags.StringVar(&mode, "mode", "", "enforce, or audit: let every bind through and log what enforce would have refused (default enforce)")
	flags.BoolVarP(&verbose, "verbose", "v", false, "print a line a decision")
	return run
}

// runRestricted runs args with an engine of its own in this process.
func runRestricted(policy config.Policy, verbose bool, args []string) (int, error) {
	log := logrus.New()
	log.SetFormatter(decisionFormatter{})
	log.SetLevel(logrus.ErrorLevel)
	if verbose {
		log.SetLevel(logrus.DebugLevel)
	}
	// The one filter that every way in uses, made while the engine starts.
	compile := sync.OnceValues(func() (filter.Program, error) {
		return filter.Compile(filter.Profile(filter.Options{Flags: []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}}))
	})
	go compile()
	supervisor, err := agent.NewSupervisor(log, func(*specs.ContainerProcessState) (config.Policy, error) { return policy, nil })
	if err != nil {
		return cli.StatusFailure, err
	}
	program, err := compile()
	if err != nil {
		return cli.StatusFailure, err
	}
	ruleset, err := refuseBinds()
	if err != nil {
		return cli.StatusFailure, err
	}
	return supervise.Command{
		Args: args, Filter: program.Instructions, FilterFlags: program.Flags, Ruleset: ruleset,
		Attach: func(pid, notifyFD int) error {
			return supervisor.Attach(&specs.ContainerProcessState{
				Version: specs.Version,
				Pid:     pid,
				State:   specs.State{Version: specs.Version, ID: "run", Status: specs.StateCreating, Pid: pid},
			}, notifyFD)
		},
	}.Run()
}
