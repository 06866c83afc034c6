package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/check"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook/engines"
)

func newCheck() *cobra.Command {
	var listener, kubeletDir string
	var asJSON bool
	command := &cobra.Command{
		Use:   "check [ENGINE...] [-- [CMD]]",
		Short: "Find out whether this node, or the command line here, can do its work",
		Long: "Find out whether this node can restrict containers: one line for each thing that" +
			" is needed, with the mend.\nThe exit status is 1 if one of them fails. What is not" +
			" installed is no failure, unless it is named: an ENGINE is one of " +
			strings.Join(append(check.Engines(), check.NRI), ", ") + ".\n" +
			"With --, find out whether port-restricter -p works here, and with CMD whether it" +
			" suits the program.",
		Example: "  port-restricter check\n" +
			"  port-restricter check podman containerd\n" +
			"  port-restricter check -- redis-server",
		Args: cobra.ArbitraryArgs,
		RunE: func(command *cobra.Command, args []string) error {
			asked, cmd, commandLine := args, []string(nil), false
			if dash := command.ArgsLenAtDash(); dash >= 0 {
				asked, cmd, commandLine = args[:dash], args[dash:], true
			}
			for _, name := range asked {
				if all := append(check.Engines(), check.NRI); !slices.Contains(all, name) {
					return cli.UnknownArgument("engine", strings.Join(all, ", "), []string{name})
				}
			}
			var results []check.Result
			if !commandLine || len(asked) > 0 {
				node, err := nodeToCheck(listener, kubeletDir, asked)
				if err != nil {
					return err
				}
				results = node.Look()
			}
			if commandLine {
				results = append(results, check.CommandLine(cmd)...)
			}
			return report(command, results, asJSON)
		},
	}
	command.Flags().StringVar(&listener, "listener", "", "`PATH` of the agent's socket"+
		cli.OwnListenerDefault)
	command.Flags().StringVar(&kubeletDir, "kubelet-root", kubeletRoot, "the kubelet's root `DIR`")
	command.Flags().BoolVar(&asJSON, "json", false, "print one JSON object, for a program")
	command.AddCommand(newProbe(), newAttached())
	return command
}

// nodeToCheck returns what to look at. An ordinary user has an agent of their own.
func nodeToCheck(listener, kubeletDir string, asked []string) (check.Node, error) {
	node, err := settings.Load()
	if err != nil {
		return check.Node{}, err
	}
	if os.Geteuid() != 0 {
		node = settings.Settings{Runtime: node.Runtime, Listener: settings.OwnListener()}
	}
	socket := cmp.Or(listener, node.Listener, settings.DefaultListener)
	if !filepath.IsAbs(socket) {
		return check.Node{}, fmt.Errorf("listener %q: write an absolute path", socket)
	}
	return check.Node{
		Socket: socket, Metadata: node.Metadata, Runtime: node.Runtime, Rules: node.Rules,
		Asked: asked,
		Options: func(engine string) (engines.Options, error) {
			o := engines.Options{Listener: listener, KubeletRoot: kubeletDir}
			err := complete(&o, engine)
			return o, err
		},
	}, nil
}

// report prints the results, and fails if one of them does.
func report(command *cobra.Command, results []check.Result, asJSON bool) error {
	if asJSON {
		if err := check.PrintJSON(command.OutOrStdout(), results); err != nil {
			return err
		}
	} else {
		check.Print(command.OutOrStdout(), results)
	}
	if check.Failed(results) {
		return cli.StatusError{Status: 1}
	}
	return nil
}

// newProbe and newAttached return the commands by which check runs this program again, as the
// process that is restricted.
func newProbe() *cobra.Command {
	return &cobra.Command{
		Use: "probe", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return check.RunProbe(args[0], command.OutOrStdout())
		},
	}
}

func newAttached() *cobra.Command {
	return &cobra.Command{
		Use: "attach", Hidden: true, Args: cobra.ExactArgs(3),
		RunE: func(_ *cobra.Command, args []string) error {
			status, err := check.RunAttached(args[0], args[1], args[2])
			if status == 0 && err == nil {
				return nil
			}
			return cli.StatusError{Status: status, Err: err}
		},
	}
}
