// Package settings reads the defaults of a node: a TOML file and environment
// variables. It is separate from package config, which reads nothing.
package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pelletier/go-toml/v2"
)

const (
	// DefaultPath is the file that Load reads if the environment names no other.
	DefaultPath = "/etc/port-restricter/config.toml"

	// DefaultListener is the path of the agent's socket if nothing names another.
	DefaultListener = "/run/port-restricter/agent.sock"
)

// Settings are the administrator's defaults for the agent and for every way of
// injecting the filter. An empty field is not set.
type Settings struct {
	// Listener is the path of the agent's socket.
	Listener string `toml:"listener"`
	// Metadata is sent to the agent with each container. See config.FromState.
	Metadata string `toml:"metadata"`
	// Runtime is the OCI runtime behind the shim: a path, or a name in PATH.
	Runtime string `toml:"runtime"`
}

// Load reads the file that PORT_RESTRICTER_CONFIG names or else DefaultPath,
// which may be missing. PORT_RESTRICTER_LISTENER, PORT_RESTRICTER_METADATA and
// PORT_RESTRICTER_RUNTIME take precedence over the file: the environment is all
// that an engine passes on to a runtime.
func Load() (Settings, error) {
	path, named := os.LookupEnv("PORT_RESTRICTER_CONFIG")
	if !named {
		path = DefaultPath
	}
	s, err := read(path)
	if err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
		return Settings{}, err
	}
	for name, field := range map[string]*string{
		"PORT_RESTRICTER_LISTENER": &s.Listener,
		"PORT_RESTRICTER_METADATA": &s.Metadata,
		"PORT_RESTRICTER_RUNTIME":  &s.Runtime,
	} {
		if value := os.Getenv(name); value != "" {
			*field = value
		}
	}
	return s, nil
}

func read(path string) (Settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	var s Settings
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&s)
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) {
		return Settings{}, fmt.Errorf("read settings %s: unknown key; "+
			"the keys are listener, metadata and runtime:\n%s", path, strict.String())
	}
	if detail := (*toml.DecodeError)(nil); errors.As(err, &detail) {
		return Settings{}, fmt.Errorf("read settings %s:\n%s", path, detail.String())
	}
	return s, err
}
