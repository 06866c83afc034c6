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

// newRun returns the command line, in its short form as the root command or in its
// long form as the command run.
func newRun(use string) *cobra.Command {
	var ports, maps []string
	var mode, ephemeral string
	var verbose bool
	run := &cobra.Command{
		Use:   use,
		Short: "Run a command that can bind only the given ports",
		Args:  cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 && command.Flags().NFlag() == 0 && !command.HasParent() {
				return bare(command)
			}
			if err := checkPorts(command, ports, args); err != nil {
				return err
			}
			policy, err := config.ParsePolicy(config.Texts{
				Ports: strings.Join(ports, ","), Map: strings.Join(maps, ","),
				Mode: mode, Ephemeral: ephemeral,
			})
			if err != nil && len(ports) > 0 {
				return err
			}
			if len(args) == 0 {
				return errors.New("no command to run:" +
					" write port-restricter -p 5000 -- CMD [ARG...]; see --help")
			}
			level := logrus.ErrorLevel
			switch {
			case verbose:
				level = logrus.DebugLevel
			case mode == "audit":
				level = logrus.WarnLevel // what enforce would refuse
			}
			status, err := runRestricted(policy, level, args)
			if status == 0 && err == nil {
				return nil
			}
			return statusError{status, err}
		},
	}
	flags := run.Flags()
	flags.SetInterspersed(false) // flags after CMD belong to CMD
	flags.StringArrayVarP(&ports, "port", "p", nil,
		"`PORTS` that may be bound: 5000, 8000-8010, 53/udp, 127.0.0.1:5000, [::1]:5000/tcp;"+
			" 0 to listen on a port of the kernel's choice; none for no port at all;"+
			" may be repeated")
	flags.StringArrayVar(&maps, "map", nil,
		"`ASKED:BOUND`, for example 80:5000: a bind to port 80 gets port 5000,"+
			" which -p must allow; may be repeated")
	flags.StringVar(&mode, "mode", "",
		"`MODE`: enforce, or audit, which allows every bind and logs those"+
			" that enforce would refuse (default enforce)")
	flags.StringVar(&ephemeral, "ephemeral", "",
		"`WORD`: allow, or deny, which refuses a bind to port 0 unless -p has 0: many clients bind"+
			" to it, name resolvers among them (default allow)")
	flags.BoolVarP(&verbose, "verbose", "v", false, "print one line for each decision")
	return run
}

// runRestricted runs args under a supervisor in this process, and returns the exit
// status of port-restricter.
func runRestricted(policy config.Policy, level logrus.Level, args []string) (int, error) {
	inherited := supervise.InheritedSockets() // before the supervisor opens any
	log := logrus.New()
	log.SetFormatter(lineFormatter{})
	log.SetLevel(level)
	// The same filter as for containers. To save time, it is compiled while the
	// supervisor starts.
	flags := []specs.LinuxSeccompFlag{specs.LinuxSeccompFlagWaitKillableRecv}
	compile := sync.OnceValues(func() (filter.Program, error) {
		return filter.Compile(filter.Profile(filter.Options{Flags: flags}))
	})
	go func() { _, _ = compile() }()
	policyOf := func(*specs.ContainerProcessState) (config.Policy, error) { return policy, nil }
	supervisor, err := agent.NewSupervisor(log, policyOf)
	if err != nil {
		return cli.StatusFailure, err
	}
	program, err := compile()
	if err != nil {
		return cli.StatusFailure, err
	}
	ruleset, err := newBindRuleset()
	if err != nil {
		return cli.StatusFailure, err
	}
	return supervise.Command{
		Args: args, Filter: program.Instructions, FilterFlags: program.Flags, Ruleset: ruleset,
		Attach: func(pid, notifyFD int) error {
			return supervisor.Attach(&specs.ContainerProcessState{
				Version: specs.Version,
				Pid:     pid,
				State: specs.State{
					Version: specs.Version, ID: "run", Status: specs.StateCreating, Pid: pid,
				},
			}, notifyFD, inherited...)
		},
	}.Run()
}
