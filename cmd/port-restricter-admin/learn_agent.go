package main

import (
	"context"
	"fmt"
	"os/signal"
	"strings"
	"syscall"

	"github.com/port-restricter/port-restricter/agent"
	"github.com/port-restricter/port-restricter/agent/control"
	"github.com/port-restricter/port-restricter/cmd/internal/learn"
	"github.com/port-restricter/port-restricter/config/inquiry"
)

// fromAgent learns from a container that runs, and from all of the same name and namespace, until
// the time is up or a signal comes.
func (l *learning) fromAgent(ctx context.Context) error {
	client, err := l.agent.client()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if l.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.limit)
		defer cancel()
	}
	// The stream first, so that nothing is missed that comes while the past is read. It has every
	// container: one that is started again has another id.
	lines, err := client.Events(ctx, true, "")
	if err != nil {
		return err
	}
	wanted, err := client.Container(ctx, l.container)
	if err != nil {
		return err
	}
	var learner learn.Learner
	if err := l.learnPast(ctx, client, &wanted.Container, &learner); err != nil {
		return err
	}
	missed, err := l.learnStream(lines, &wanted.Container, &learner)
	if writeErr := l.write(&learner, ""); writeErr != nil {
		return writeErr
	}
	if missed > 0 && err == nil {
		err = fmt.Errorf("%d calls came too fast to learn from them:"+
			" ports may be missing from the list; run it again", missed)
	}
	return err
}

// isReplica reports whether a container has the name of the wanted one, or is the one.
func isReplica(wanted *agent.Container, id, namespace, name string) bool {
	return id == wanted.ID ||
		wanted.Name != "" && name == wanted.Name && namespace == wanted.Namespace
}

// learnPast learns from what the agent remembers: the first refusal of each kind.
func (l *learning) learnPast(
	ctx context.Context, client *control.Client, wanted *agent.Container, learner *learn.Learner,
) error {
	all, err := client.Containers(ctx)
	if err != nil {
		return err
	}
	for _, c := range all {
		if !isReplica(wanted, c.ID, c.Namespace, c.Name) {
			continue
		}
		details, err := client.Container(ctx, c.ID)
		if err != nil {
			return err
		}
		for _, refusals := range details.Refusals {
			if err := learner.Add(refusals.First); err != nil {
				return fmt.Errorf("learn from a call: %w", err)
			}
		}
		if !strings.Contains(details.Policy, "mode=audit") {
			fmt.Fprintf(l.stderr, "port-restricter: %s is not in audit mode: it may not go on"+
				" after a refusal, and then needs more than is seen\n", inquiry.Printable(c.ID))
		}
	}
	fmt.Fprintln(l.stderr, "port-restricter: learning until Ctrl-C; what the policy allowed before"+
		" is not known: start the container again meanwhile")
	return nil
}

// learnStream learns from decisions as they are made, and returns how many it did not get.
func (l *learning) learnStream(
	lines func(func(control.Line, error) bool), wanted *agent.Container, learner *learn.Learner,
) (missed uint64, err error) {
	for line, err := range lines {
		if err != nil {
			return missed, err
		}
		missed += line.Missed
		e := line.Event
		if line.Missed > 0 || !isReplica(wanted, e.Container, e.Namespace, e.Name) {
			continue
		}
		if err := learner.Add(e); err != nil {
			return missed, fmt.Errorf("learn from a call: %w", err)
		}
	}
	return missed, nil
}
