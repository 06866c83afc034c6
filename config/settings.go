package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pelletier/go-toml/v2"
)

// DefaultSettings is where LoadSettings looks when the environment names no
// other file.
const DefaultSettings = "/etc/port-restricter/config.toml"

// Settings are the node administrator's defaults for the ways that inject the
// filter. Empty fields are not set.
type Settings struct {
	// Listener is the path of the agent's socket.
	Listener string `toml:"listener"`
	// Metadata is sent to the agent with each container, FromState.
	Metadata string `toml:"metadata"`
	// Runtime is the OCI runtime behind the shim: a path, or a name in PATH.
	Runtime string `toml:"runtime"`
}

// LoadSettings reads the file that PORT_RESTRICTER_CONFIG names, else
// DefaultSettings, which may be missing. PORT_RESTRICTER_LISTENER, _METADATA and
// _RUNTIME win over it: an engine passes nothing else on to a runtime.
func LoadSettings() (Settings, error) {
	path, named := os.LookupEnv("PORT_RESTRICTER_CONFIG")
	if !named {
		path = DefaultSettings
	}
	settings, err := readSettings(path)
	if err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
		return Settings{}, err
	}
	for name, field := range map[string]*string{
		"PORT_RESTRICTER_LISTENER": &settings.Listener,
		"PORT_RESTRICTER_METADATA": &settings.Metadata,
		"PORT_RESTRICTER_RUNTIME":  &settings.Runtime,
	} {
		if value := os.Getenv(name); value != "" {
			*field = value
		}
	}
	return settings, nil
}

func readSettings(path string) (Settings, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Settings{}, fmt.Errorf("read settings: %w", err)
	}
	var settings Settings
	err = toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&settings)
	if strict := (*toml.StrictMissingError)(nil); errors.As(err, &strict) {
		return Settings{}, fmt.Errorf("read settings %s: the keys are listener, metadata, runtime; not known:\n%s", path, strict.String())
	}
	if detail := (*toml.DecodeError)(nil); errors.As(err, &detail) {
		return Settings{}, fmt.Errorf("read settings %s:\n%s", path, detail.String())
	}
	return settings, err
}
