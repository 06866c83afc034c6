package hook

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/tidwall/sjson"

	"github.com/port-restricter/port-restricter/config/settings"
	"github.com/port-restricter/port-restricter/config/strictjson"
)

// poststart is how the arguments of the hook begin that runs CheckStarted.
var poststart = []string{"port-restricter", "hook", "poststart"}

// AddPoststart adds a poststart hook to the edited config.json, which runs this program to
// look at the process (CheckStarted). It adds nothing if there is such a hook already.
// Everything else stays byte for byte.
func (e *Edit) AddPoststart(o Options) error {
	program, err := os.Executable()
	if err == nil {
		hook := specs.Hook{
			Path: program,
			Args: append(slices.Clone(poststart),
				"--listener", o.ListenerPath, "--metadata", o.ListenerMetadata),
		}
		// The hook must read the same rules, and runtimes pass on no environment.
		if path, named := settings.Path(); named {
			hook.Env = []string{settings.PathVariable + "=" + path}
		}
		e.After, err = addPoststart(e.After, hook)
	}
	if err != nil {
		return fmt.Errorf("%s: add the poststart hook: %w", e.Path, err)
	}
	return nil
}

func addPoststart(text []byte, added specs.Hook) ([]byte, error) {
	var spec struct {
		Hooks specs.Hooks `json:"hooks"`
	}
	if err := strictjson.Unmarshal(text, &spec); err != nil {
		return nil, err
	}
	for _, h := range spec.Hooks.Poststart {
		if len(h.Args) >= len(poststart) && slices.Equal(h.Args[:len(poststart)], poststart) {
			return text, nil
		}
	}
	raw, err := json.Marshal(append(spec.Hooks.Poststart, added))
	if err != nil {
		return nil, err
	}
	// A copy, since sjson may write into its argument.
	return sjson.SetRawBytes(slices.Clone(text), "hooks.poststart", raw)
}
