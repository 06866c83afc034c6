package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/port-restricter/port-restricter/cmd/internal/check"
	"github.com/port-restricter/port-restricter/hook/engines"
)

// settling is how long what was just started may take: an engine that starts again ends its
// plugins.
const settling = 30 * time.Second

// check fails if the node can't restrict containers.
func (i *installation) check(ctx context.Context) error {
	for end := time.Now().Add(settling); ; {
		failed, err := i.failing(ctx)
		switch {
		case err != nil || len(failed) == 0:
			return err
		case time.Now().After(end):
			return errors.New("all is installed, but this node can't restrict containers: " +
				strings.Join(failed, "; "))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// failing returns what fails of `port-restricter check` on the node. It attaches a process as a
// container is, and binds through the agent.
func (i *installation) failing(ctx context.Context) ([]string, error) {
	command := []string{i.program(), "check", "--json"}
	if i.NRI {
		command = append(command, "nri")
	}
	if i.Engine != "" && i.engine.containerd == (engines.ContainerdFiles{}) {
		command = append(command, i.Engine)
	}
	text, err := i.m.run(ctx, "port-restricter-check.service", command...)
	if err != nil {
		return nil, err
	}
	failed, err := failures(text)
	if err != nil {
		return nil, fmt.Errorf("%s printed %q: %w", strings.Join(command, " "), text, err)
	}
	return failed, nil
}

// failures returns what fails in the output of `port-restricter check --json`. Containers that were
// started before do not count: they can only be started again.
func failures(text string) (failed []string, err error) {
	var report struct{ Results []check.Result }
	if err := json.Unmarshal([]byte(text), &report); err != nil {
		return nil, err
	}
	for _, r := range report.Results {
		if r.Status != check.Fail || r.Name == "containers" {
			continue
		}
		said := r.Name + ": " + r.Text
		if r.Mend != "" {
			said += " (" + r.Mend + ")"
		}
		failed = append(failed, said)
	}
	return failed, nil
}
