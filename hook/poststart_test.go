package hook

import (
	"encoding/json"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// The hook comes after those that are there, once, and nothing else changes.
func TestThePoststartHookIsAddedOnce(t *testing.T) {
	added := specs.Hook{Path: "/bin/pr", Args: append(poststart[:3:3], "--listener", "/agent")}
	mine := specs.Hook{Path: "/bin/mine"}
	for name, test := range map[string]struct {
		hooks string
		want  []specs.Hook
	}{
		"no hooks":   {``, []specs.Hook{added}},
		"null":       {`"hooks": null,`, []specs.Hook{added}},
		"empty":      {`"hooks": { },`, []specs.Hook{added}},
		"null list":  {`"hooks": {"poststart": null},`, []specs.Hook{added}},
		"other hook": {`"hooks": {"poststart":[{"path":"/bin/mine"}]},`, []specs.Hook{mine, added}},
	} {
		t.Run(name, func(t *testing.T) {
			text := `{` + test.hooks + `"future":  {"b":1e3} }`
			edited, err := addPoststart([]byte(text), added)
			require.NoError(t, err)
			var spec specs.Spec
			require.NoError(t, json.Unmarshal(edited, &spec))
			require.Equal(t, test.want, spec.Hooks.Poststart)
			require.Contains(t, string(edited), `"future":  {"b":1e3}`)

			again, err := addPoststart(edited, added)
			require.NoError(t, err)
			require.Equal(t, string(edited), string(again))
		})
	}
}
