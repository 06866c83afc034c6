package strictjson

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/stretchr/testify/require"
)

// TestAmbiguousTextIsAnError shows that the error names the key or the string, and where it is.
func TestAmbiguousTextIsAnError(t *testing.T) {
	for name, test := range map[string]struct{ text, says string }{
		"the case at the top": {`{"Linux":{}}`, `the key "Linux" is "linux" to programs`},
		"the case further down": {
			`{"linux":{"SECCOMP":null}}`, `linux: the key "SECCOMP" is "seccomp"`,
		},
		"the case of a key that is there too": {
			`{"linux":{"seccomp":null,"Seccomp":null}}`, `write "seccomp", or leave it out`,
		},
		"the case in an array": {
			`{"linux":{"seccomp":{"syscalls":[{"names":[]},{"Names":["bind"]}]}}}`,
			`linux.seccomp.syscalls[1]: the key "Names" is "names"`,
		},
		"a letter that folds to s": {`{"linux":{"ſeccomp":null}}`, `"ſeccomp" is "seccomp"`},
		"a sign that folds to k":   {`{"hooks":{},"hoo\u212as":{}}`, `is "hooks"`},
		"a key of an embedded type": {
			`{"linux":{"resources":{"blockIO":{"weightDevice":[{"Major":1}]}}}}`,
			`"Major" is "major"`,
		},
		"a key twice": {`{"linux":{},"linux":{}}`, `the key "linux" occurs twice`},
		"an annotation twice": {
			`{"annotations":{"a.b":"1","a.b":"2"}}`, `annotations: the key "a.b" occurs twice`,
		},
		"twice below an unknown key": {
			`{"x":[0,{"y/z":{"a":1,"a":1}}]}`, `x[1]["y/z"]: the key "a" occurs twice`,
		},
		"twice, once with an escape that some programs write": {
			`{"annotations":{"a/b":"","a\/b":""}}`, `the key "a/b" occurs twice`,
		},
		"an escape in a key": {
			`{"l\u0069nux":{}}`, `the key "l\u0069nux" is spelled with an escape`,
		},
		"an escape in an annotation's key": {
			`{"annotations":{"a\u002eb":""}}`, `annotations: the key "a\u002eb" is spelled`,
		},
		"NUL in a value": {
			`{"linux":{"seccomp":{"syscalls":[{"names":["x","bind\u0000x"]}]}}}`,
			`linux.seccomp.syscalls[0].names[1]: the string "bind\u0000x" has a NUL`,
		},
		"NUL in a key":              {`{"annotations":{"a\u0000":""}}`, `"a\u0000" has a NUL`},
		"NUL below an unknown key":  {`{"x":{"y":"\u0000"}}`, `x.y: `},
		"not UTF-8":                 {"{\"hostname\":\"a\xff\"}", `hostname: the string`},
		"not UTF-8, with an escape": {"{\"hostname\":\"\\n\xff\"}", `is not UTF-8`},
		"half of a pair":            {`{"hostname":"\ud83d"}`, `half of a surrogate pair`},
		"half of a pair, then text": {`{"hostname":"\ud83dx\ude00"}`, `half of a surrogate pair`},
		"two first halves":          {`{"hostname":"\ud83d\ud83d"}`, `half of a surrogate pair`},
		"the second half":           {`{"hostname":"\ude00"}`, `half of a surrogate pair`},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, json.Valid([]byte(test.text)), "the case is about something else")
			err := Unmarshal([]byte(test.text), new(specs.Spec))
			require.ErrorAs(t, err, new(*AmbiguousError))
			require.ErrorContains(t, err, test.says)
		})
	}
}

// TestOtherTextDecodesAsBefore shows that nothing else is refused: what newer specs have, and
// the escapes that encoders write.
func TestOtherTextDecodesAsBefore(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                     ` { } `,
		"unknown keys":              `{"future":{"linux":[{"Seccomp":1e3}]},"linux":{"x":-0.5}}`,
		"annotations of each case":  `{"annotations":{"a":"1","A":"2","Linux":"","":""}}`,
		"escapes in values":         `{"hostname":"\u0061\"\\\/\b\f\n\r\t\u00e4"}`,
		"escapes of Go's encoder":   `{"annotations":{"a\u003cb\u0026c\u003e\u2028":"\ufffd"}}`,
		"escapes of other encoders": `{"annotations":{"a\/b\u00e4\ud83d\ude00":"\ud83d\ude00"}}`,
		"a quote in a key":          `{"annotations":{"a\\\"":"","b":"\\"}}`,
		"other values":              `{"annotations":null,"mounts":[],"process":{"terminal":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			var is, want specs.Spec
			require.NoError(t, Unmarshal([]byte(text), &is))
			require.NoError(t, json.Unmarshal([]byte(text), &want))
			require.Equal(t, want, is)
		})
	}
}

func TestTextThatIsNotJSONIsNotAmbiguous(t *testing.T) {
	for _, text := range []string{
		"", "{", `{"a":1}{}`, `{"a":1} x`, "\ufeff{}", "/* */{}", "{}//", `{"a":1,}`, `{'a':1}`,
		`{"linux":[]}`, "{\"a\":\"\x00\"}",
	} {
		err := Unmarshal([]byte(text), new(specs.Spec))
		require.Error(t, err, text)
		require.NotErrorAs(t, err, new(*AmbiguousError), text)
	}
}

// TestRealStatesAreNotAmbiguous shows that what runtimes send is taken.
func TestRealStatesAreNotAmbiguous(t *testing.T) {
	files, err := filepath.Glob("../testdata/states/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, Unmarshal(text, new(specs.ContainerProcessState)), file)
	}
}

// FuzzReadersAgree shows that for text that Unmarshal takes, it is the same to decode it as it
// is and to decode it in another order, in which another of two keys would count. The second
// reader knows keys in their exact spelling only.
func FuzzReadersAgree(f *testing.F) {
	for _, text := range []string{
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["bind"]}]}}}`,
		`{"Linux":{"seccomp":{}}, "linux":{"Seccomp":null}}`,
		`{"annotations":{"a":"b","a":"c"},"Annotations":null}`,
		`{"l\u0069nux":{},"x":[{"\ud83d\ude00":"\u0000"}]}`,
		`{"linux":{"resources":{"blockIO":{"weightDevice":[{"major":1,"weight":null}]}}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var spec, again specs.Spec
		if Unmarshal(text, &spec) != nil {
			return
		}
		exact := exactly(reflect.TypeFor[specs.Spec](), decode(t, text))
		reordered, err := json.Marshal(exact)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(reordered, &again))
		require.Equal(t, spec, again)
	})
}

func decode(t *testing.T, text []byte) (value any) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&value))
	return value
}

// exactly returns a decoded value without the members that the type t does not have by exactly
// that name.
func exactly(t reflect.Type, value any) any {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch value := value.(type) {
	case map[string]any:
		m := membersOf(t)
		for key, member := range value {
			of, known := m.byName[key]
			switch {
			case m.byName == nil:
				value[key] = exactly(m.all, member)
			case known:
				value[key] = exactly(of, member)
			default:
				delete(value, key)
			}
		}
	case []any:
		for i := range value {
			var of reflect.Type
			if t != nil && t.Kind() == reflect.Slice {
				of = t.Elem()
			}
			value[i] = exactly(of, value[i])
		}
	}
	return value
}

func BenchmarkUnmarshal(b *testing.B) {
	text, err := os.ReadFile("../../hook/filter/testdata/docker-merged.json")
	require.NoError(b, err)
	for name, unmarshal := range map[string]func([]byte, any) error{
		"strict": Unmarshal, "encoding": json.Unmarshal,
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, unmarshal(text, new(specs.LinuxSeccomp)))
			}
		})
	}
}
