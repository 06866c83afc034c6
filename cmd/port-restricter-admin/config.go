package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
	"github.com/port-restricter/port-restricter/config/settings"
)

// statusWrongSettings is the exit status of the command config if the file is wrong.
const statusWrongSettings = 1

func newConfig() *cobra.Command {
	var asJSON, running bool
	var socket controlFlag
	command := &cobra.Command{
		Use:   "config",
		Short: "Print the settings and the administrator's rules, and where each comes from",
		Long: "Print the settings and the administrator's rules, and where each comes from: a\n" +
			"line of the file, an environment variable, or the default. It fails if the file is\n" +
			"wrong.\n" +
			"The file is " + settings.DefaultPath + ", or that which the environment variable\n" +
			settings.PathVariable + " names: so a file can be tried before it is in force.\n" +
			"An agent that runs has read the file at its start, and at each reload since:\n" +
			"--running prints the rules that it has in force.",
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			if running {
				return showRunning(command.OutOrStdout(), &socket, asJSON)
			}
			if socket.path != "" {
				return errors.New("--socket is where --running asks: add it")
			}
			node, err := settings.Load()
			if err == nil {
				// With which nothing would be injected.
				_, err = cli.HookOptions(node)
			}
			if err != nil {
				return cli.StatusError{Status: statusWrongSettings, Err: err}
			}
			path, _ := settings.Path()
			shown := inForce(path, node)
			return shown.print(command.OutOrStdout(), asJSON)
		},
	}
	socket.add(command.Flags())
	command.Flags().BoolVar(&running, "running", false,
		"print the rules that the running agent has in force")
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// A shownConfig is what the command prints.
type shownConfig struct {
	File     string            `json:"file"`
	Settings []shownSetting    `json:"settings,omitempty"`
	Rules    []config.RuleText `json:"rules"`

	// Of a running agent.
	Read    time.Time `json:"read,omitzero"`
	Problem string    `json:"problem,omitempty"`
}

// A shownSetting is a setting and where it comes from: "default" if nobody has set it.
type shownSetting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
	From  string `json:"from"`
}

func inForce(path string, node settings.Settings) shownConfig {
	setting := func(key, value string) shownSetting {
		return shownSetting{key, value, cmp.Or(node.Origins[key], "default")}
	}
	return shownConfig{File: path, Rules: node.Rules.Texts(), Settings: []shownSetting{
		setting("listener", cmp.Or(node.Listener, settings.DefaultListener)),
		setting("metadata", node.Metadata),
		setting("runtime", node.Runtime),
	}}
}

// showRunning prints what the running agent has in force.
func showRunning(w io.Writer, socket *controlFlag, asJSON bool) error {
	client, err := socket.client()
	if err != nil {
		return err
	}
	about, err := client.Agent(context.Background())
	if err != nil {
		return err
	}
	rules, err := client.Rules(context.Background())
	if err != nil {
		return err
	}
	s := about.Settings
	shown := shownConfig{File: s.File, Rules: rules, Read: s.Read, Problem: s.Problem}
	return shown.print(w, asJSON)
}

func (s shownConfig) print(w io.Writer, asJSON bool) error {
	if !asJSON {
		s.write(w)
		return nil
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(s)
}

// write prints the settings as TOML that can be read again.
func (s shownConfig) write(w io.Writer) {
	fmt.Fprintf(w, "# %s\n", s.File)
	if !s.Read.IsZero() {
		fmt.Fprintf(w, "# The agent has read it at %s.\n", s.Read.Format(time.RFC3339))
	}
	if s.Problem != "" {
		fmt.Fprintf(w, "# It was wrong at the last reload: %s\n", inquiry.Printable(s.Problem))
	}
	for _, setting := range s.Settings {
		writeKey(w, setting.Key, setting.Value, setting.From)
	}
	if len(s.Rules) == 0 {
		fmt.Fprint(w, "# no rules\n")
	}
	for i, rule := range s.Rules {
		fmt.Fprintf(w, "\n[[rule]]  # rule %d, %s\n", i+1, rule.At[""])
		for _, key := range []struct {
			name  string
			value *string
		}{
			{"namespace", rule.Namespace}, {"pod", rule.Pod}, {"container", rule.Container},
			{"allow", rule.Allow}, {"default", rule.Default},
		} {
			if key.value != nil {
				writeKey(w, key.name, *key.value, rule.At[key.name])
			}
		}
		if rule.Audit != nil {
			writeKey(w, "audit", *rule.Audit, rule.At["audit"])
		}
		if rule.Allow != nil && rule.Default == nil {
			fmt.Fprintln(w,
				"# It has no default: without annotations, its containers are unrestricted.")
		}
	}
}

func writeKey(w io.Writer, key string, value any, from string) {
	text, err := toml.Marshal(map[string]any{key: value})
	if err != nil {
		text = []byte("# " + err.Error()) // not for a text or a bool
	}
	fmt.Fprintf(w, "%-40s  # %s\n", bytes.TrimSpace(text), from)
}
