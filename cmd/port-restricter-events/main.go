// Command port-restricter-events tells Kubernetes what the agent of a node refuses: each refused
// bind becomes an event of its pod, which kubectl describe shows. It is a program of its own, with
// no privilege but to read the agent's events, so that the agent talks to no network.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	core "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/cmd/internal/podevents"
)

func main() {
	if err := newEvents().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "port-restricter-events:", err)
		os.Exit(cli.StatusFailure)
	}
}

func newEvents() *cobra.Command {
	var socket, node, kubeconfig string
	command := &cobra.Command{
		Use:           "port-restricter-events",
		Short:         "Make what the agent of this node refuses events of the pods",
		Args:          cli.NoArguments,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			if node == "" {
				return errors.New(
					"the name of this node is not known: give --node, or set NODE_NAME" +
						" to spec.nodeName of the pod",
				)
			}
			settings, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
			if err != nil {
				return fmt.Errorf("find kube-apiserver: %w", err)
			}
			cluster, err := core.NewForConfig(settings)
			if err != nil {
				return fmt.Errorf("talk to kube-apiserver: %w", err)
			}
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return podevents.Run(ctx, podevents.Options{
				Agent: control.NewClient(socket), Cluster: cluster, Node: node,
				Log: cli.NewLogger(false),
			})
		},
	}
	command.SetContext(context.Background())
	command.Flags().StringVar(&socket, "socket", "/run/port-restricter/control.sock",
		"`PATH` of the agent's control socket")
	command.Flags().StringVar(&node, "node", os.Getenv("NODE_NAME"),
		"`NAME` of this node in Kubernetes (default: NODE_NAME of the environment)")
	command.Flags().StringVar(&kubeconfig, "kubeconfig", "",
		"`FILE` that says how to reach kube-apiserver (default: the pod's service account)")
	return command
}
