package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/config"
)

func newExplain() *cobra.Command {
	var socket controlFlag
	var annotations []string
	var metadata, operation string
	command := &cobra.Command{
		Use:   "explain [CONTAINER] REQUEST",
		Short: "Say whether a container may bind a port, and why",
		Long: "Say whether a container may bind a port, and why: by the policy that the agent has" +
			" for CONTAINER,\nor without an agent by --annotation and --metadata.\n" +
			"The exit status is 0 if it may, and 1 if not.",
		Example: "  port-restricter explain team-a/web 80/tcp\n" +
			"  port-restricter explain --annotation port-restricter.port=5000 '[::]:53/udp'",
		Args: cobra.RangeArgs(1, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			offline := len(annotations) > 0 || metadata != ""
			if offline == (len(args) == 2) {
				return errors.New("name a container that the agent serves, or what it would" +
					" have: explain CONTAINER 80/tcp, or explain --annotation KEY=VALUE 80/tcp")
			}
			var e control.Explanation
			var err error
			if offline {
				e, err = explainOffline(annotations, metadata, config.Operation(operation), args[0])
			} else {
				var client *control.Client
				if client, err = socket.client(); err == nil {
					e, err = client.Explain(
						context.Background(), args[0], config.Operation(operation), args[1])
				}
			}
			if err != nil {
				return err
			}
			return printExplanation(e, args[len(args)-1])
		},
	}
	socket.add(command.Flags())
	command.Flags().StringArrayVar(&annotations, "annotation", nil,
		"`KEY=VALUE` that a container would have; may be repeated")
	command.Flags().StringVar(&metadata, "metadata", "", "`TEXT` that the administrator would set")
	command.Flags().StringVar(&operation, "operation", "bind", "the `CALL`: bind or listen")
	return command
}

func explainOffline(
	annotations []string, metadata string, operation config.Operation, text string,
) (e control.Explanation, err error) {
	container := config.Container{Annotations: map[string]string{}}
	for _, annotation := range annotations {
		key, value, ok := strings.Cut(annotation, "=")
		if !ok {
			return e, fmt.Errorf("--annotation %q has no value: write KEY=VALUE", annotation)
		}
		container.Annotations[key] = value
	}
	request, err := config.ParseRequest(operation, text)
	if err != nil {
		return e, err
	}
	policy, err := config.FromState(container, metadata)
	if err != nil {
		return e, err
	}
	return control.Explain(policy, request), nil
}

// printExplanation prints an explanation. A request that is refused ends with status 1.
func printExplanation(e control.Explanation, request string) error {
	answer := "allowed"
	switch {
	case !e.Allowed:
		answer = "refused: " + e.Reason
	case e.Audited:
		answer = "allowed, in audit mode only: " + e.Reason
	}
	fmt.Printf("%s: %s\npolicy: %s\n", request, answer, e.Policy)
	if e.Allowed {
		return nil
	}
	return statusError{status: 1}
}
