package engines

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// A hookFile is oci-hooks(5)'s schema 1.0.0.
type hookFile struct {
	Version string     `json:"version"`
	Hook    specs.Hook `json:"hook"`
	When    struct {
		Annotations map[string]string `json:"annotations"`
	} `json:"when"`
	Stages []string `json:"stages"`
}

// hookAt is a hook for containers with an annotation of ours. Its name is the
// same for every engine and user: where one reads two directories, the later
// file masks the earlier and the hook doesn't run twice.
func hookAt(o Options, dir, stage string) (ownFile, error) {
	var file hookFile
	file.Version = "1.0.0"
	file.Hook.Path = o.Binary
	file.Hook.Args = []string{"port-restricter", "hook", stage, "--listener", o.Listener}
	if o.Metadata != "" {
		file.Hook.Args = append(file.Hook.Args, "--metadata", o.Metadata)
	}
	file.When.Annotations = map[string]string{`^port-restricter\.`: ".*"}
	file.Stages = []string{stage}
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(file); err != nil {
		return ownFile{}, err
	}
	path := filepath.Join(dir, "port-restricter-"+stage+".json")
	return ownFile{path: path, text: text.Bytes(), mode: 0o644, ours: ourHook}, nil
}

// ourHook: JSON has no comments, so what the hook runs marks it.
func ourHook(text []byte) bool {
	var file hookFile
	return json.Unmarshal(text, &file) == nil &&
		len(file.Hook.Args) > 2 && slices.Equal(file.Hook.Args[:2], []string{"port-restricter", "hook"})
}
