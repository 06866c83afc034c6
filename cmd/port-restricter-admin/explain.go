package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/config"
)

func newExplain() *cobra.Command {
	var socket controlFlag
	var assumed assumption
	var operation string
	command := &cobra.Command{
		Use:   "explain [CONTAINER] REQUEST",
		Short: "Say whether a container may bind a port, and why",
		Long: "Say whether a container may bind a port, and why: by the policy that the agent has" +
			" for CONTAINER,\nor without an agent by --annotation, --metadata and --rules.\n" +
			"The exit status is 0 if it may, also where nothing restricts the container, and 1 if" +
			" not.",
		Example: "  port-restricter explain team-a/web 80/tcp\n" +
			"  port-restricter explain --annotation port-restricter.port=5000 '[::]:53/udp'\n" +
			"  port-restricter explain --rules config.toml --identity team-a/web-1/app 80/tcp",
		Args: func(_ *cobra.Command, args []string) error {
			const ways = "explain CONTAINER 80/tcp, or explain --annotation KEY=VALUE 80/tcp"
			switch offline := assumed.made(); {
			case len(args) == 0:
				return errors.New("name a request, as in 80/tcp: " + ways)
			case len(args) > 2:
				return fmt.Errorf("%q is one argument too many: %s", args[2], ways)
			case offline == (len(args) == 2):
				return errors.New("name a container that the agent serves, or what it would" +
					" have: " + ways)
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			var e control.Explanation
			var err error
			if assumed.made() {
				e, err = assumed.explain(config.Operation(operation), args[0])
			} else {
				var client *control.Client
				if client, err = socket.client(); err == nil {
					e, err = client.Explain(
						context.Background(), args[0], config.Operation(operation), args[1])
				}
			}
			if errors.Is(err, errUnrestricted) {
				_, err = fmt.Fprintf(command.OutOrStdout(), "%s: allowed: %v\n", args[0], err)
				return err
			}
			if err != nil {
				return err
			}
			return printExplanation(command.OutOrStdout(), e, args[len(args)-1])
		},
	}
	socket.add(command.Flags())
	assumed.add(command.Flags())
	command.Flags().StringVar(&operation, "operation", "bind", "the `CALL`: bind or listen")
	return command
}

// printExplanation prints an explanation. A request that is refused ends with status 1.
func printExplanation(w io.Writer, e control.Explanation, request string) error {
	answer := "allowed"
	switch {
	case !e.Allowed:
		answer = "refused: " + e.Reason
	case e.Audited:
		answer = "allowed, in audit mode only: " + e.Reason
	}
	fmt.Fprintf(w, "%s: %s\n", request, answer)
	if e.Map != "" {
		fmt.Fprintf(w, "  %s binds port %d\n", e.Map, e.Port)
	}
	for _, o := range e.Limits {
		said := "does not allow it"
		switch {
		case o.Element != "":
			said = "allows it by " + o.Element
		case o.Allowed:
			said = "allows it, as a client's bind to port 0"
		case o.Audit:
			said += ", and only logs that (audit)"
		}
		fmt.Fprintf(w, "  %s %s\n", o.Source, said)
	}
	if e.Allowed {
		return nil
	}
	return cli.StatusError{Status: 1}
}
