package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"github.com/port-restricter/port-restricter/cmd/internal/cli"
	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/settings"
)

// statusWrongSettings is the exit status of the command config if the file is wrong.
const statusWrongSettings = 1

func newConfig() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "config",
		Short: "Print the settings and the administrator's rules, and where each comes from",
		Long: "Print the settings and the administrator's rules, and where each comes from: a\n" +
			"line of the file, an environment variable, or the default. It fails if the file is\n" +
			"wrong.\n" +
			"An agent that runs has read the file at its start, and at each reload since.",
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			node, err := settings.Load()
			if err == nil {
				// With which nothing would be injected.
				_, err = cli.HookOptions(node)
			}
			if err != nil {
				return statusError{statusWrongSettings, err}
			}
			path, _ := settings.Path()
			shown := inForce(path, node)
			if asJSON {
				encoder := json.NewEncoder(command.OutOrStdout())
				encoder.SetIndent("", "  ")
				return encoder.Encode(shown)
			}
			shown.write(command.OutOrStdout())
			return nil
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return command
}

// A shownConfig is what the command prints.
type shownConfig struct {
	File     string            `json:"file"`
	Settings []shownSetting    `json:"settings"`
	Rules    []config.RuleText `json:"rules"`
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
	return shownConfig{path, []shownSetting{
		setting("listener", cmp.Or(node.Listener, settings.DefaultListener)),
		setting("metadata", node.Metadata),
		setting("runtime", node.Runtime),
	}, node.Rules.Texts()}
}

// write prints the settings as TOML that can be read again.
func (s shownConfig) write(w io.Writer) {
	fmt.Fprintf(w, "# %s\n", s.File)
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
	}
}

func writeKey(w io.Writer, key string, value any, from string) {
	text, err := toml.Marshal(map[string]any{key: value})
	if err != nil {
		text = []byte("# " + err.Error()) // not for a text or a bool
	}
	fmt.Fprintf(w, "%-40s  # %s\n", bytes.TrimSpace(text), from)
}
