// Command port-restricter-node puts port-restricter on a node of Kubernetes, and takes it away. The
// manifests in deploy/kubernetes run it in a pod on each node.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/node"
)

// version is set by the build.
var version = "development"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	err := newRoot().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "port-restricter-node:", err)
		os.Exit(cli.StatusFailure)
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "port-restricter-node",
		Short:         "Put port-restricter on a node of Kubernetes, or take it away",
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(newInstall(), newUninstall(), newWait())
	return root
}

// flags are those of both commands.
type flags struct {
	node.Node
	name string
}

func (f *flags) add(command *cobra.Command) {
	f.Log = cli.NewLogger(false)
	set := command.Flags()
	set.StringVar(&f.Host, "host", "/host", "`DIR` with the node's /etc, /run and the prefix")
	set.StringVar(&f.Prefix, "prefix", "/usr/local",
		"`DIR` on the node in whose bin the programs are")
	set.StringVar(&f.name, "node", os.Getenv("NODE_NAME"),
		"`NAME` of the node in Kubernetes, which gets the label "+node.ReadyLabel+
			"; without a name, none is set")
}

// label makes the flags' Node set the label.
func (f *flags) label() (err error) {
	if f.name != "" {
		f.Label, err = node.Labeller(f.name)
	}
	return err
}

func newInstall() *cobra.Command {
	var f flags
	var nri bool
	command := &cobra.Command{
		Use:   "install",
		Short: "Install this version on the node, and start it",
		Long: "Install this version on the node, start it, try it, and label the node.\n" +
			"Engines are not configured: the NRI plugin runs, unless --engine is given.\n" +
			"A second run changes nothing, and restarts nothing.",
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			switch f.Engine {
			case "", node.Containerd, node.CRIO:
			default:
				return fmt.Errorf("--engine %q: it is %s or %s, or nothing for NRI alone",
					f.Engine, node.Containerd, node.CRIO)
			}
			f.NRI = nri || f.Engine == ""
			if err := f.label(); err != nil {
				return err
			}
			return f.Install(command.Context())
		},
	}
	f.add(command)
	command.Flags().StringVar(&f.Tree, "tree", "/tree", "`DIR` with the files to install")
	command.Flags().StringVar(&f.Engine, "engine", "", "`ENGINE`, "+node.Containerd+" or "+
		node.CRIO+", that gets the runtime handler port-restricter; the engine is restarted once")
	command.Flags().BoolVar(&nri, "nri", false, "run the NRI plugin also with --engine")
	return command
}

func newUninstall() *cobra.Command {
	var f flags
	var force bool
	command := &cobra.Command{
		Use:   "uninstall",
		Short: "Take away from the node what install brought",
		Args:  cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := f.label(); err != nil {
				return err
			}
			return f.Uninstall(command.Context(), force)
		},
	}
	f.add(command)
	command.Flags().BoolVar(&force, "force", false,
		"also while containers are held, which can bind no port from then on")
	return command
}

// newWait returns the command for a pod that has done its work: without it, the pod would be
// started again and again.
func newWait() *cobra.Command {
	return &cobra.Command{
		Use:   "wait",
		Short: "Wait for SIGTERM, and do nothing",
		Args:  cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			<-command.Context().Done()
			return nil
		},
	}
}
