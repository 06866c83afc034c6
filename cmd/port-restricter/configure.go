package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/hook/engines"
)

func newConfigure() *cobra.Command {
	command := &cobra.Command{
		Use:   "configure ENGINE",
		Short: "Write port-restricter into a container engine's configuration, or take it out",
		Example: "  port-restricter configure podman --dry-run\n" +
			"  port-restricter configure containerd && systemctl restart containerd\n" +
			"  port-restricter configure containerd --remove",
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			return fmt.Errorf("configure %q: the engines are podman, containerd, crio, docker, kubelet", strings.Join(args, " "))
		},
	}
	podman := newConfigureEngine("podman", "Hooks for annotated containers, and the runtime "+engines.Handler,
		"Annotated containers get the filter by a precreate hook, and a guard hook refuses those that lack it.\n"+
			"An ordinary user configures podman for himself, with an agent of his own.", engines.Podman)
	kubelet := newConfigureEngine("kubelet", "A Localhost seccomp profile for pods",
		"Without --base the profile lets everything else through: give the runtime's default profile as the base.\n"+
			"The annotation must reach the OCI runtime: CRI-O hands it on, containerd only through a handler with pod_annotations.", engines.Kubelet)
	kubelet.Flags().StringVar(&kubelet.options.KubeletRoot, "kubelet-root", "/var/lib/kubelet", "the kubelet's root `DIR`")
	kubelet.Flags().StringVar(&kubelet.options.BaseProfile, "base", "", "`FILE` with a profile to merge into")
	for _, engine := range []engineCommand{podman, kubelet,
		newConfigureEngine("containerd", "A runtime handler for pods", "", engines.Containerd),
		newConfigureEngine("crio", "A runtime handler for pods, and a guard hook", "", engines.CRIO),
		newConfigureEngine("docker", "A runtime: docker run --runtime "+engines.Handler,
			"Docker gives containers annotations since version 25 (docker run --annotation); an older one has no way to annotate\none, and the runtime leaves a container without an annotation alone.", engines.Docker),
	} {
		command.AddCommand(engine.Command)
	}
	return command
}

type engineCommand struct {
	*cobra.Command
	options *engines.Options
}

func newConfigureEngine(name, short, more string, plan func(engines.Options) (*engines.Plan, error)) engineCommand {
	var o engines.Options
	var dryRun bool
	command := &cobra.Command{
		Use:   name,
		Short: short,
		Long:  short + ".\n" + more,
		Args:  cobra.NoArgs,
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
	flags.BoolVar(&dryRun, "dry-run", false, "print what would change, as a diff, and write nothing")
	flags.BoolVar(&o.Remove, "remove", false, "take out what an earlier run wrote")
	flags.StringVar(&o.Listener, "listener", "", "`PATH` of the agent's socket (default \""+settings.DefaultListener+"\", or what the settings say; an ordinary user's is in $XDG_RUNTIME_DIR)")
	flags.StringVar(&o.Metadata, "metadata", "", "`TEXT` sent to the agent with each container; lines port-restricter.port=… bound what annotations may ask for")
	flags.StringVar(&o.Root, "root", "", "`DIR` with the file system to configure, as for an image (default this machine's); settings are not read then")
	flags.StringVar(&o.Binary, "binary", "", "`PATH` of the port-restricter that the engine will run (default this one)")
	return engineCommand{command, &o}
}

func carryOut(command *cobra.Command, plan *engines.Plan, dryRun bool) error {
	out := command.OutOrStdout()
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

// complete fills in what the flags left open.
func complete(o *engines.Options, engine string) error {
	var node settings.Settings
	var err error
	if o.Root == "" {
		if node, err = settings.Load(); err != nil {
			return err
		}
	}
	if engine == "podman" && os.Geteuid() != 0 {
		// The settings speak of the node's agent, which is not for its users.
		node = settings.Settings{}
		if o.ConfigHome, err = os.UserConfigDir(); err != nil {
			return fmt.Errorf("find podman's configuration for this user: %w", err)
		}
		if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
			node.Listener = filepath.Join(dir, "port-restricter", "agent.sock")
		} else if o.Listener == "" && !o.Remove {
			return errors.New("XDG_RUNTIME_DIR is not set: name the socket of this user's agent by --listener PATH")
		}
	}
	o.Listener = cmp.Or(o.Listener, node.Listener, settings.DefaultListener)
	o.Metadata = cmp.Or(o.Metadata, node.Metadata)
	if o.Root != "" {
		if o.Root, err = filepath.Abs(o.Root); err != nil {
			return fmt.Errorf("--root: %w", err)
		}
		if _, err := os.Stat(o.Root); err != nil {
			return fmt.Errorf("--root: %w", err)
		}
	}
	if o.Binary == "" {
		o.Binary, err = os.Executable()
	}
	return err
}
