// Package settings reads the defaults of a node, and the administrator's rules: a TOML file and
// environment variables. It is separate from package config, which reads nothing.
package settings

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/port-restricter/port-restricter/config"
)

const (
	// DefaultPath is the file that Load reads if the environment names no other.
	DefaultPath = "/etc/port-restricter/config.toml"

	// DefaultListener is the path of the agent's socket if nothing names another.
	DefaultListener = "/run/port-restricter/agent.sock"

	// PathVariable is the environment variable that names the file.
	PathVariable = "PORT_RESTRICTER_CONFIG"
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
	// Rules say what annotations may ask for, and what is restricted without any.
	Rules config.Rules `toml:"-"`

	// Origins says where each setting that is set comes from, by its key in the file: FILE:LINE,
	// or the name of an environment variable.
	Origins map[string]string `toml:"-"`
}

// Set gives a setting a value that comes from elsewhere, unless the value is empty.
func (s *Settings) Set(key, value, origin string) {
	if value == "" {
		return
	}
	field := map[string]*string{
		"listener": &s.Listener, "metadata": &s.Metadata, "runtime": &s.Runtime,
	}[key]
	*field = value
	s.Origins = maps.Clone(s.Origins)
	if s.Origins == nil {
		s.Origins = map[string]string{}
	}
	s.Origins[key] = origin
}

// Check fails for a value that makes no sense, and names where it comes from.
func (s *Settings) Check() error {
	if s.Listener != "" && !filepath.IsAbs(s.Listener) {
		return fmt.Errorf("%s: %q: the OCI runtime needs an absolute path",
			s.place("listener"), s.Listener)
	}
	if err := config.CheckMetadata(s.Metadata); err != nil {
		return fmt.Errorf("%s: %w", s.place("metadata"), err)
	}
	return nil
}

// place returns where errors say that a setting is: FILE:LINE and the key, or what is set.
func (s *Settings) place(key string) string {
	origin := s.Origins[key]
	if strings.Contains(origin, ":") {
		return origin + ": " + key
	}
	return origin
}

// variables are the environment variables that take precedence over the file, by the key there.
var variables = map[string]string{
	"listener": "PORT_RESTRICTER_LISTENER",
	"metadata": "PORT_RESTRICTER_METADATA",
	"runtime":  "PORT_RESTRICTER_RUNTIME",
}

// Path returns the path of the file, and whether the environment names it: then it must exist.
func Path() (path string, named bool) {
	path, named = os.LookupEnv(PathVariable)
	if !named {
		return DefaultPath, false
	}
	if absolute, err := filepath.Abs(path); err == nil && path != "" {
		path = absolute
	}
	return path, true
}

// Load reads the file that PORT_RESTRICTER_CONFIG names or else DefaultPath,
// which may be missing. PORT_RESTRICTER_LISTENER, PORT_RESTRICTER_METADATA and
// PORT_RESTRICTER_RUNTIME take precedence over the file: the environment is all
// that an engine passes on to a runtime. What comes with an error is as in Read.
func Load() (Settings, error) {
	path, named := Path()
	s, err := Read(path)
	if err != nil && (named || !errors.Is(err, fs.ErrNotExist)) {
		return s, err
	}
	for key, variable := range variables {
		s.Set(key, os.Getenv(variable), variable)
	}
	if err := s.Check(); err != nil {
		return s, fmt.Errorf("read settings: %w", err)
	}
	return s, nil
}

// OwnListener returns the path of the socket of this user's own agent, where the units in
// deploy/systemd/user have it. It is "" for root, whose agent is the node's, and for an ordinary
// user without $XDG_RUNTIME_DIR. It is not for what injects: who writes a profile or a config.json
// may be another user than the one whose runtime reads it.
func OwnListener() string {
	return ownListener(os.Geteuid(), os.Getenv("XDG_RUNTIME_DIR"))
}

func ownListener(euid int, dir string) string {
	if euid == 0 || !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "port-restricter", "agent.sock")
}
