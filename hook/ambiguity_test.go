package hook

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/port-restricter/port-restricter/config"
)

// ambiguities are edits of a config.json that OCI runtimes understand in different ways. Each
// goes before the member "future".
var ambiguities = map[string]struct{ insert, says string }{
	"the case of a key":           {`"Linux":{"seccomp":null},`, `"Linux" is "linux"`},
	"annotations of another case": {`"Annotations":null,`, `"Annotations" is "annotations"`},
	"a key twice":                 {`"annotations":{},`, `"annotations" occurs twice`},
	"a key twice by an escape":    {`"l\u0069nux":{},`, `"l\u0069nux" is spelled with an escape`},
	"NUL":                         {`"x":"a\u0000",`, "NUL"},
	"not UTF-8":                   {"\"x\":\"\xff\",", "not UTF-8"},
}

// TestAmbiguousSpecsAreRefused shows that every reader of a config.json refuses text that an
// OCI runtime could understand in another way, also where the annotation is in one reading only.
func TestAmbiguousSpecsAreRefused(t *testing.T) {
	for name, test := range ambiguities {
		t.Run(name, func(t *testing.T) {
			text := []byte(strings.Replace(configJSON(annotated, ""),
				`"future"`, test.insert+`"future"`, 1))
			_, err := Inject(text, options)
			require.ErrorContains(t, err, test.says)
			_, err = Held(text, "", config.Rules{})
			require.ErrorContains(t, err, test.says)
			require.ErrorContains(t, Guard(text, options), test.says)
		})
	}
	text := strings.Replace(configJSON(annotated, ""), `"annotations"`, `"ANNOTATIONS"`, 1)
	_, err := Inject([]byte(text), options)
	require.ErrorContains(t, err, `"ANNOTATIONS" is "annotations"`)
}

// TestAmbiguousSpecsOfOthersAreLeftAlone shows that a container without any annotation of
// port-restricter starts as before, whatever its config.json is like.
func TestAmbiguousSpecsOfOthersAreLeftAlone(t *testing.T) {
	for name, test := range ambiguities {
		t.Run(name, func(t *testing.T) {
			text := configJSON(`{"other":"port-restricter"}`, othersListener)
			text = strings.Replace(text, `"future"`, test.insert+`"future"`, 1)
			edited, err := Inject([]byte(text), options)
			require.NoError(t, err)
			require.Equal(t, text, string(edited))
			is, err := Held([]byte(text), "", config.Rules{})
			require.NoError(t, err)
			require.False(t, is)
			require.NoError(t, Guard([]byte(text), options))
		})
	}
}

// Where the administrator's metadata restricts every container, ambiguous text is refused for
// a container without an annotation, too.
func TestAmbiguousSpecsAreRefusedIfTheMetadataHasPorts(t *testing.T) {
	o := options
	o.ListenerMetadata = "port-restricter.port=5000"
	text := strings.Replace(configJSON("{}", ""), `"future"`, `"Linux": {}, "future"`, 1)
	_, err := Inject([]byte(text), o)
	require.ErrorContains(t, err, `"Linux" is "linux"`)
	require.ErrorContains(t, Guard([]byte(text), o), `"Linux" is "linux"`)
}
