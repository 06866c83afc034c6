package engines

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A hookConfig is the content of a hook file, schema 1.0.0 of oci-hooks(5).
type hookConfig struct {
	Version string     `json:"version"`
	Hook    specs.Hook `json:"hook"`
	When    hookWhen   `json:"when"`
	Stages  []string   `json:"stages"`
}

// A hookWhen says for which containers a hook runs.
type hookWhen struct {
	Always      bool              `json:"always,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

var (
	// always is for an engine whose containers all get the filter by a hook: the metadata
	// restricts those without annotations, too, and a misspelt annotation must be seen.
	always = hookWhen{Always: true}

	// ifAnnotated is for an engine that gives the filter only to containers of a runtime
	// handler. If the metadata has ports, the guard would refuse all containers of the
	// other handlers.
	ifAnnotated = hookWhen{Annotations: map[string]string{`(?i)^port.?restrict`: ".*"}}
)

// hookFile returns the file in dir with the hook that runs `port-restricter hook`
// at a stage of each container that when selects. The file's name is the same for
// every engine and user: where an engine reads two directories, the later file masks
// the earlier one, and the hook does not run twice.
func hookFile(o Options, dir, stage string, when hookWhen) (ownFile, error) {
	var config hookConfig
	config.Version = "1.0.0"
	config.Hook.Path = o.Binary
	config.Hook.Args = []string{"port-restricter", "hook", stage, "--listener", o.Listener}
	if o.Metadata != "" {
		config.Hook.Args = append(config.Hook.Args, "--metadata", o.Metadata)
	}
	config.When = when
	config.Stages = []string{stage}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(config); err != nil {
		return ownFile{}, err
	}
	path := filepath.Join(dir, "port-restricter-"+stage+".json")
	return ownFile{path: path, text: text.Bytes(), mode: 0o644, isOwn: isOwnHook}, nil
}

// guardHooks returns the files in dir with the guard's hooks: one before the container's
// process starts, which looks at config.json, and one after, which looks at the process.
func guardHooks(o Options, dir string, when hookWhen) (files []ownFile, err error) {
	for _, stage := range []string{"createRuntime", "poststart"} {
		file, err := hookFile(o, dir, stage, when)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// isOwnHook reports whether text is a hook file of port-restricter. JSON has no
// comments for a marker, so the command that the hook runs decides.
func isOwnHook(text []byte) bool {
	var config hookConfig
	return json.Unmarshal(text, &config) == nil && len(config.Hook.Args) > 2 &&
		slices.Equal(config.Hook.Args[:2], []string{"port-restricter", "hook"})
}
