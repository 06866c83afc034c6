package engines

import (
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/internal/lazyregexp"
)

// A State says how much of an engine's configuration is as configure writes it.
type State struct {
	// Written reports whether anything is there that configure wrote.
	Written bool
	// Options are those with which it was written, as far as that can be read from it.
	Options Options
	// Plan is what configure would do now with these options. Nothing is to change in a
	// configuration that is whole.
	Plan *Plan
}

// Drifted reports whether something of what configure wrote was changed or removed since, or
// would be written differently now.
func (s State) Drifted() bool { return s.Written && len(s.Plan.Changes) > 0 }

// Inspect returns the state of an engine's configuration. plan is the engine's function, and name
// is its name as an argument of configure. o has the options that configure would have now. Those
// of an earlier run take precedence, so that a run with flags is no drift. The error is that of the
// plan: an engine's configuration in which what was written has no effect, for example.
func Inspect(o Options, name string, plan func(Options) (*Plan, error)) (State, error) {
	remove := o
	remove.Remove = true
	left, err := plan(remove)
	if err != nil {
		script, _ := o.read(runtimeScriptPath(o, name))
		return State{Written: hasMarker(script)}, err
	}
	state := State{Written: len(left.Changes) > 0, Options: o}
	if state.Written {
		if state.Options, err = o.written(name); err != nil {
			return state, err
		}
	}
	state.Plan, err = plan(state.Options)
	return state, err
}

// written returns the options of the run that wrote the files of an engine, which are in these
// files.
func (o Options) written(engine string) (Options, error) {
	script, err := o.read(runtimeScriptPath(o, engine))
	if err != nil {
		return o, err
	}
	if hasMarker(script) {
		o.Listener, o.Metadata = "", ""
		o.readScript(script)
		return o, nil
	}
	dir := filepath.Join(o.ownDir(), engine, "hooks.d")
	hook, err := o.read(filepath.Join(dir, "port-restricter-createRuntime.json"))
	if err != nil {
		return o, err
	}
	if isOwnHook(hook) {
		o.readHook(hook)
		return o, nil
	}
	if engine == "kubelet" {
		return o, o.readProfile()
	}
	return o, nil
}

// readScript is the reverse of runtimeScript.
func (o *Options) readScript(text []byte) {
	for before, field := range map[string]*string{
		"export PORT_RESTRICTER_LISTENER=": &o.Listener,
		"export PORT_RESTRICTER_METADATA=": &o.Metadata,
		"exec ":                            &o.Binary,
	} {
		_, after, _ := strings.Cut(string(text), "\n"+before)
		if word := quotedWord().FindStringSubmatch(after); word != nil {
			*field = strings.ReplaceAll(word[1], `'\''`, "'")
		}
	}
}

// quotedWord matches a word that shellQuote has made.
var quotedWord = lazyregexp.New(`^'((?:[^']|'\\'')*)'`)

// readHook is the reverse of hookFile.
func (o *Options) readHook(text []byte) {
	var config hookConfig
	if json.Unmarshal(text, &config) != nil {
		return
	}
	o.Binary, o.Metadata = config.Hook.Path, ""
	for i, arg := range config.Hook.Args[:len(config.Hook.Args)-1] {
		switch arg {
		case "--listener":
			o.Listener = config.Hook.Args[i+1]
		case "--metadata":
			o.Metadata = config.Hook.Args[i+1]
		}
	}
}

// readProfile takes the options from the profile for the kubelet. The profile is its own base then:
// merging the filter into it again changes nothing, if the filter is still in it.
func (o *Options) readProfile() error {
	file := filepath.Join(o.KubeletRoot, "seccomp", "port-restricter.json")
	text, err := o.read(file)
	if err != nil || !isOwnProfile(text) {
		return err
	}
	var profile specs.LinuxSeccomp
	if err := json.Unmarshal(text, &profile); err != nil {
		return err
	}
	o.Listener, o.Metadata = profile.ListenerPath, profile.ListenerMetadata
	o.BaseProfile, err = o.resolve(file)
	return err
}

// Forwarding returns the runtime handlers of containerd that pass a pod's annotation of
// port-restricter on to the OCI runtime, and those that hide it.
func Forwarding(o Options) (passing, hiding []string, err error) {
	config, err := readContainerdConfig(o)
	if err != nil {
		return nil, nil, err
	}
	handlers := subtable(config.criSection(), "containerd", "runtimes")
	for name := range handlers {
		patterns := stringsIn(subtable(handlers, name)["pod_annotations"])
		passes := slices.ContainsFunc(patterns, func(pattern string) bool {
			matches, err := path.Match(pattern, "port-restricter.port")
			return matches && err == nil
		})
		if passes {
			passing = append(passing, name)
		} else {
			hiding = append(hiding, name)
		}
	}
	_, named := handlers["runc"]
	if !named && (config.version > 2 || len(handlers) == 0) {
		hiding = append(hiding, "runc") // which containerd has by itself
	}
	slices.Sort(passing)
	slices.Sort(hiding)
	return passing, hiding, nil
}
