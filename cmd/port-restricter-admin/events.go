package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/cmd/internal/cli"
)

func newEvents() *cobra.Command {
	var agent controlFlag
	var all bool
	var container string
	command := &cobra.Command{
		Use:   "events",
		Short: "Print what the agent refuses, as it happens: a line of JSON each",
		Long: "Print what the agent refuses, as it happens: a line of JSON each.\n" +
			"A reader that is too slow misses lines, and is told how many: {\"missed\":7}.",
		Example: "  port-restricter events --all --container web | jq .program",
		Args:    cli.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			client, err := agent.client()
			if err != nil {
				return err
			}
			return printEvents(ctx, client, all, container)
		},
	}
	agent.add(command.Flags())
	command.Flags().BoolVar(&all, "all", false, "print what is allowed, too")
	command.Flags().StringVar(&container, "container", "",
		"`NAME` of the only container that is of interest: its id or the beginning of it,"+
			" its name, or NAMESPACE/POD[/NAME]")
	return command
}

func printEvents(ctx context.Context, client *control.Client, all bool, container string) error {
	id := ""
	if container != "" {
		details, err := client.Container(ctx, container)
		if err != nil {
			return err
		}
		id = details.ID
	}
	lines, err := client.Events(ctx, all, id)
	if err != nil && ctx.Err() == nil {
		return err
	}
	for line, err := range lines {
		if err == nil && line.Missed > 0 {
			err = printJSON(control.Missed{Missed: line.Missed}, "")
		} else if err == nil {
			err = printJSON(line.Event, "")
		}
		if err != nil {
			return err
		}
	}
	return nil
}
