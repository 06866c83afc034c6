package start

import (
	"errors"
	"sync"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/sandbox"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/supervise"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/hook/filter"
)

// newRun returns the command line, in its short form as the root command or in its
// long form as the command run.
func newRun(use string) *cobra.Command {
	var given PolicyFlags
	var pidFile string
	var forks bool
	run := &cobra.Command{
		Use:   use,
		Short: "Run a command that can bind only the given ports",
		Args:  cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 0 && command.Flags().NFlag() == 0 && !command.HasParent() {
				return bare(command)
			}
			if err := checkPorts(command, given.Ports, args); err != nil {
				return err
			}
			if command.Flags().Changed("pid-file") && pidFile == "" {
				return errors.New(`--pid-file "": name the file with the pid of the daemon,` +
					" or leave the flag out")
			}
			policy, err := config.ParsePolicy(given.Texts())
			if err != nil && len(given.Ports) > 0 {
				return err
			}
			if len(args) == 0 {
				return errors.New("no command to run:" +
					" write port-restricter -p 5000 -- CMD [ARG...]; see --help")
			}
			level := logrus.ErrorLevel
			switch {
			case given.verbose:
				level = logrus.DebugLevel
			case given.mode == "audit":
				level = logrus.WarnLevel // what enforce would refuse
			}
			status, err := Restricted(policy, level, supervise.Command{
				Args: args, Forks: forks || pidFile != "", PIDFile: pidFile,
			}, nil)
			if status == 0 && err == nil {
				return nil
			}
			return cli.StatusError{Status: status, Err: err}
		},
	}
	flags := run.Flags()
	flags.SetInterspersed(false) // flags after CMD belong to CMD
	given.Add(flags)
	flags.BoolVar(&forks, "forks", false,
		"CMD forks into the background, like a service of Type=forking:"+
			" systemd is told that the service is ready once CMD has ended")
	flags.StringVar(&pidFile, "pid-file", "",
		"`FILE` with the pid of the daemon that CMD leaves, whose exit status counts;"+
			" implies --forks")
	return run
}

// Restricted runs a command under a supervisor in this process, and returns the exit
// status of port-restricter. watch, if it is not nil, is called before the command starts; what
// it returns is called when the command has ended.
func Restricted(
	policy config.Policy, level logrus.Level, command supervise.Command,
	watch func(*agent.Supervisor) (ended func()),
) (int, error) {
	if err := sandbox.Check(); err != nil { // before libseccomp fails for the same reason
		return cli.StatusFailure, err
	}
	if err := checkYama(); err != nil {
		return cli.StatusFailure, err
	}
	inherited := supervise.InheritedSockets() // before the supervisor opens any
	log := logrus.New()
	log.SetFormatter(lineFormatter{})
	log.SetLevel(level)
	if message := lackingPrivilege(policy); message != "" {
		log.Error(message)
	}
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
	if watch != nil {
		command.Ended = watch(supervisor)
	}
	program, err := compile()
	if err != nil {
		return cli.StatusFailure, err
	}
	ruleset, err := newBindRuleset()
	if err != nil {
		return cli.StatusFailure, err
	}
	command.Filter, command.FilterFlags = program.Instructions, program.Flags
	command.Ruleset = ruleset
	command.Attach = func(pid, notifyFD int) error {
		return supervisor.Attach(&specs.ContainerProcessState{
			Version: specs.Version,
			Pid:     pid,
			State: specs.State{
				Version: specs.Version, ID: "run", Status: specs.StateCreating, Pid: pid,
			},
		}, notifyFD, inherited...)
	}
	defer supervisor.LogCounts()
	return command.Run()
}
