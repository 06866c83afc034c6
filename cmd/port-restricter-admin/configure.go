package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook/engines"
	"github.com/port-restricter/port-restricter/hook/filter/base"
	"github.com/port-restricter/port-restricter/internal/programs"
)

// kubeletRoot is the kubelet's root directory, if its administrator has chosen no other.
const kubeletRoot = "/var/lib/kubelet"

func newConfigure() *cobra.Command {
	command := &cobra.Command{
		Use:   "configure ENGINE",
		Short: "Write port-restricter into a container engine's configuration, or take it out",
		Example: "  port-restricter configure podman --dry-run\n" +
			"  port-restricter configure containerd && systemctl restart containerd\n" +
			"  port-restricter configure containerd --remove",
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			return cli.UnknownArgument("engine", "podman, containerd, crio, docker, kubelet", args)
		},
	}
	podman := newConfigureEngine("podman",
		"Hooks that restrict containers, and the runtime "+engines.Handler,
		"A precreate hook puts the filter into annotated containers, into those whose rule\n"+
			"has a default, and into all if the metadata has ports. A guard hook refuses to\n"+
			"start such a container without the filter.\n"+
			"For an ordinary user, only that user's podman is configured, with an agent that\n"+
			"the user runs.",
		engines.Podman)
	kubelet := newConfigureEngine("kubelet", "A Localhost seccomp profile for pods",
		"Without --base the profile allows every other system call, and a pod that gets it\n"+
			"loses the engine's default profile: --base "+base.DefaultName+" keeps that one.\n"+
			"The annotation must reach the OCI runtime. CRI-O passes it on, containerd only\n"+
			"through a runtime handler with pod_annotations, as port-restricter configure\n"+
			"containerd writes one. A pod whose annotation does not reach the runtime can bind\n"+
			"nothing.",
		engines.Kubelet)
	kubelet.Flags().StringVar(&kubelet.options.KubeletRoot, "kubelet-root", kubeletRoot,
		"the kubelet's root `DIR`")
	kubelet.Flags().StringVar(&kubelet.options.BaseProfile, "base", "", base.Usage)
	for _, engine := range []engineCommand{podman, kubelet,
		newConfigureEngine("containerd", "A runtime handler for pods", "", engines.Containerd),
		newConfigureEngine("crio", "A runtime handler for pods, and a guard hook", "",
			engines.CRIO),
		newConfigureEngine("docker", "A runtime: docker run --runtime "+engines.Handler,
			"Docker has annotations (docker run --annotation) since version 25. An older version\n"+
				"can't annotate containers: only the metadata can restrict them then.",
			engines.Docker),
	} {
		command.AddCommand(engine.Command)
	}
	return command
}

// An engineCommand is the command for one engine, with the options that its flags set.
type engineCommand struct {
	*cobra.Command
	options *engines.Options
}

// newConfigureEngine returns the command `configure NAME`. The help consists of short
// and more.
func newConfigureEngine(
	name, short, more string, plan func(engines.Options) (*engines.Plan, error),
) engineCommand {
	var o engines.Options
	var dryRun bool
	command := &cobra.Command{
		Use:   name,
		Short: short,
		Long:  short + ".\n" + more,
		Args:  cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := complete(&o, name); err != nil {
				return err
			}
			planned, err := plan(o)
			if err != nil {
				return fmt.Errorf("configure %s: %w", name, err)
			}
			return carryOut(command, planned, dryRun)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&dryRun, "dry-run", false, "print the changes as a diff, and write nothing")
	flags.BoolVar(&o.Remove, "remove", false, "remove what an earlier run wrote")
	listenerDefault := cli.ListenerDefault
	if name == "podman" {
		listenerDefault = cli.OwnListenerDefault
	}
	flags.StringVar(&o.Listener, "listener", "", "`PATH` of the agent's socket"+listenerDefault)
	flags.StringVar(&o.Metadata, "metadata", "", cli.MetadataUsage)
	flags.StringVar(&o.Root, "root", "",
		"`DIR` in which to configure another file system, for example an image, without the"+
			" settings of this machine")
	flags.StringVar(&o.Binary, "binary", "",
		"`PATH` of the port-restricter that the engine will run (default: this program)")
	return engineCommand{command, &o}
}

// carryOut prints the plan if dryRun is set, and applies it otherwise.
func carryOut(command *cobra.Command, plan *engines.Plan, dryRun bool) error {
	out := command.OutOrStdout()
	if plan.Warning != "" {
		fmt.Fprintln(command.ErrOrStderr(), "port-restricter: "+plan.Warning)
	}
	if len(plan.Changes) == 0 {
		fmt.Fprintln(out, "nothing to change")
		return nil
	}
	if dryRun {
		fmt.Fprint(out, plan.Diff())
		return nil
	}
	err := plan.Apply(func(c engines.Change) { fmt.Fprintf(out, "%sd %s\n", c.Verb(), c.Path) })
	if err != nil {
		return err
	}
	if plan.Usage != "" {
		fmt.Fprint(out, "\n", plan.Usage, "\n")
	}
	fmt.Fprintln(out, "next:", plan.Next)
	return nil
}

// complete sets the options that no flag has set.
func complete(o *engines.Options, engine string) error {
	var node settings.Settings
	var err error
	if o.Root == "" {
		if node, err = settings.Load(); err != nil {
			return err
		}
	}
	if engine == "podman" && os.Geteuid() != 0 {
		// The settings name the agent of the node, which does not serve ordinary users.
		node = settings.Settings{Listener: settings.OwnListener()}
		if o.ConfigHome, err = os.UserConfigDir(); err != nil {
			return fmt.Errorf("find the directory of podman's configuration for this user: %w", err)
		}
		if cmp.Or(o.Listener, node.Listener) == "" && !o.Remove {
			return errors.New("XDG_RUNTIME_DIR is not set to an absolute path:" +
				" name the socket of this user's agent with --listener PATH")
		}
	}
	o.Listener = cmp.Or(o.Listener, node.Listener, settings.DefaultListener)
	o.Metadata = cmp.Or(o.Metadata, node.Metadata)
	if err := config.CheckMetadata(o.Metadata); err != nil && !o.Remove {
		return fmt.Errorf("metadata: %w", err)
	}
	if o.Root != "" {
		if o.Root, err = filepath.Abs(o.Root); err != nil {
			return fmt.Errorf("--root: %w", err)
		}
		if _, err := os.Stat(o.Root); err != nil {
			return fmt.Errorf("--root: %w", err)
		}
	}
	if o.Binary == "" {
		o.Binary, err = programs.Beside(programs.Restricter)
	}
	return err
}
