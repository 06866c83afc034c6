package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/control"
)

func newStatus() *cobra.Command {
	var socket controlFlag
	var asJSON, watch bool
	command := &cobra.Command{
		Use:   "status [CONTAINER]",
		Short: "Show the containers that the agent holds to their ports, and what it refused",
		Long: "Show the containers that the agent holds to their ports, and what it refused.\n" +
			"CONTAINER is an id or the beginning of one, a name, or NAMESPACE/POD[/NAME].",
		Example: "  port-restricter status --watch\n" +
			"  port-restricter status team-a/web",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("status takes one CONTAINER, but %q is another argument:"+
					" ask for each, or leave all out", args[1])
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			client, err := socket.client()
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			switch {
			case watch && (asJSON || len(args) > 0):
				return errors.New("--watch shows all containers as a table: " +
					"leave out --json and CONTAINER, or see port-restricter events")
			case watch && !term.IsTerminal(int(os.Stdout.Fd())):
				return errors.New("--watch needs a terminal: see port-restricter events")
			case watch:
				return watchStatus(ctx, client)
			case len(args) > 0:
				return showContainer(ctx, client, args[0], asJSON)
			}
			return showAll(ctx, client, asJSON)
		},
	}
	socket.add(command.Flags())
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON, for a program")
	command.Flags().BoolVar(&watch, "watch", false, "show the table, and keep it up to date")
	return command
}

// A summary is what status shows of all containers.
type summary struct {
	Agent      control.Agent     `json:"agent"`
	Containers []agent.Container `json:"containers"`

	asked time.Time
}

func summarize(ctx context.Context, client *control.Client) (s summary, err error) {
	s.asked = time.Now()
	if s.Agent, err = client.Agent(ctx); err == nil {
		s.Containers, err = client.Containers(ctx)
	}
	return s, err
}

// begun reports whether the agent was started because somebody asked: systemd does that at a
// connection to its socket.
func (s summary) begun() bool { return s.Agent.Since.After(s.asked) }

func showAll(ctx context.Context, client *control.Client, asJSON bool) error {
	s, err := summarize(ctx, client)
	if err != nil {
		return err
	}
	if s.begun() && s.Agent.TakenOver == 0 {
		fmt.Fprintln(os.Stderr, "port-restricter: the agent did not run, and systemd has started"+
			" it for this question. Containers that an agent before it served when it was stopped"+
			" can bind no port any more, and are not listed: restart them.")
	}
	if asJSON {
		return printJSON(s, "  ")
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 0 // no terminal: as wide as it is
	}
	fmt.Print(s.text(width))
	return nil
}

func showContainer(ctx context.Context, client *control.Client, name string, asJSON bool) error {
	details, err := client.Container(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(details, "  ")
	}
	_, err = io.WriteString(os.Stdout, describe(details))
	return err
}
