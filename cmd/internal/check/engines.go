package check

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/port-restricter/port-restricter/hook/engines"
	"github.com/port-restricter/port-restricter/hook/shim"
)

// An engine is one for which there is a `port-restricter configure`.
type engine struct {
	name     string
	programs []string // any of them shows that it is installed
	plan     func(engines.Options) (*engines.Plan, error)
	way      string // by which containers get the filter
	daemon   string // the program that reads the configuration at its start only, or ""
}

var known = []engine{
	{"podman", []string{"podman"}, engines.Podman,
		"by hooks, and by --runtime " + engines.Handler, ""},
	{"containerd", []string{"containerd"}, engines.Containerd,
		"by the runtime handler " + engines.Handler, "containerd"},
	{"crio", []string{"crio"}, engines.CRIO,
		"by the runtime handler " + engines.Handler + ", with guard hooks", "crio"},
	{"docker", []string{"dockerd"}, engines.Docker,
		"by --runtime " + engines.Handler, ""},
	{"kubelet", []string{"kubelet"}, engines.Kubelet,
		"by the Localhost profile port-restricter.json", ""},
}

// Engines returns the names of the engines that can be asked for.
func Engines() (names []string) {
	for _, e := range known {
		names = append(names, e.name)
	}
	return names
}

// An engineState is what is known of an engine beside its Result.
type engineState struct {
	engine
	defaults  engines.Options // that configure would have now
	installed bool
	state     engines.State
}

// usable reports whether the engine is here, and restricts containers.
func (e engineState) usable() bool { return e.installed && e.state.Written }

// look looks at an engine. asked means that the administrator named it: then it must be installed
// and configured.
func (e engine) look(o engines.Options, asked bool) (engineState, Result) {
	s := engineState{engine: e, defaults: o, installed: e.isInstalled()}
	missing := fail
	if !asked {
		missing = func(name, mend, format string, args ...any) Result {
			return Result{name, Skip, fmt.Sprintf(format, args...), mend}
		}
	}
	var err error
	s.state, err = engines.Inspect(o, e.name, e.plan)
	configure := "port-restricter configure " + e.name
	if err != nil { // that of a TOML file shows the place on lines of its own
		err = errors.New(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	switch written := s.state.Options; {
	case !s.installed && !s.state.Written:
		return s, missing(e.name, "", "not installed")
	case err != nil && !s.state.Written:
		return s, missing(e.name, "", "it can't be configured: %v", err)
	case err != nil:
		return s, fail(e.name, "", "it was configured, but what was written does not hold: %v", err)
	case !s.state.Written:
		return s, missing(e.name, configure, "not configured")
	case s.state.Drifted():
		return s, fail(e.name, configure+flagsOf(written, o),
			"its configuration is no longer as port-restricter configure writes it: it would %s",
			changes(s.state.Plan))
	case !s.installed:
		return s, warn(e.name, configure+" --remove", "configured, but not installed")
	case written.Listener != o.Listener:
		return s, fail(e.name, "start one there, or "+configure+" --listener "+o.Listener,
			"it sends containers to an agent at %s, and the one that was looked for is at %s",
			written.Listener, o.Listener)
	}
	if process, since := e.process(); since.readBefore(s.state.Plan.Files) {
		return s, warn(e.name, "systemctl restart "+e.name, "configured, but process %d (%s) runs"+
			" since before its configuration was changed", process, e.daemon)
	}
	return s, ok(e.name, "configured: %s", e.way)
}

func (e engine) isInstalled() bool {
	return slices.ContainsFunc(e.programs, func(name string) bool {
		_, err := shim.FindRuntime(name)
		return err == nil
	})
}

// flagsOf returns the flags with which an earlier run of configure wrote what there is, where they
// differ from the defaults.
func flagsOf(written, defaults engines.Options) (flags string) {
	for _, f := range [][3]string{
		{"listener", written.Listener, defaults.Listener},
		{"metadata", written.Metadata, defaults.Metadata},
		{"binary", written.Binary, defaults.Binary},
	} {
		if f[1] != f[2] && f[1] != "" {
			flags += fmt.Sprintf(" --%s %q", f[0], f[1])
		}
	}
	return flags
}

// changes says what a plan would do.
func changes(plan *engines.Plan) string {
	var all []string
	for _, c := range plan.Changes {
		all = append(all, c.Verb()+" "+c.Path)
	}
	return strings.Join(all, ", ")
}

// nri looks for the plugin, which registers itself with an engine and is in no configuration.
func nri(asked bool) Result {
	const name, program = "nri", "port-restricter-nri"
	if process, _ := processOf(program, func(string) bool { return true }); process != 0 {
		return ok(name, "the plugin runs (process %d)", process)
	}
	const text = "no process is the plugin"
	if asked {
		return fail(name, "port-restricter nri, as root (docs/nri.md)", text)
	}
	return skip(name, text)
}

// readBefore reports whether one of the files was changed after this time, at which a process has
// read them.
func (t startTime) readBefore(files []string) bool {
	return !t.IsZero() && slices.ContainsFunc(files, func(file string) bool {
		info, err := os.Stat(file)
		return err == nil && info.ModTime().After(t.Time)
	})
}
