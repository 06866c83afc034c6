package check

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/port-restricter/port-restricter/config"
	"github.com/port-restricter/port-restricter/config/inquiry"
	"github.com/port-restricter/port-restricter/hook"
)

// A running container is one whose OCI runtime has written down that it runs.
type running struct {
	id     string
	pid    int
	config []byte // its config.json
	spec   specs.Spec
}

// containers compares the containers that run with those that the agent holds.
func (n Node) containers() (results []Result) {
	const name = "containers"
	all, held := runningContainers(), 0
	for _, c := range all {
		if executed, err := hook.Executed(c.pid); err != nil || !executed {
			continue // it has ended, or its runtime has not loaded the filter yet
		}
		answer, err := ask(n.Socket, inquiry.Question{Container: c.id, Pid: c.pid})
		if err != nil {
			return append(results,
				fail(name, "", "ask the agent about container %s: %v", c.id, err))
		}
		if answer.Attached {
			held++
		}
		if wrong := n.compare(c, answer.Attached); wrong != nil {
			results = append(results, *wrong)
		}
	}
	if len(results) > 0 {
		return results
	}
	if len(all) == 0 {
		return []Result{skip(name, "no container runs")}
	}
	return []Result{ok(name, "%d run, %d of them are held by the agent: all that are annotated",
		len(all), held)}
}

// compare returns what is wrong with a container, or nil.
func (n Node) compare(c running, attached bool) *Result {
	who, err := config.Identify(config.Container{ID: c.id, Annotations: c.spec.Annotations}, "")
	restricted, heldErr := hook.Held(c.config, "", n.Rules)
	metadata, profile := n.Metadata, c.seccomp()
	if attached && profile.ListenerMetadata != "" {
		metadata = profile.ListenerMetadata
	}
	hasPolicy, policyErr := hook.Held(c.config, metadata, n.Rules)
	const name, again = "containers", "start it again"
	what := fmt.Sprintf("container %s (process %d)", c.id, c.pid)
	var r Result
	switch {
	case attached && (hasPolicy || policyErr != nil):
		return nil
	case attached:
		r = warn(name, "annotate it, or see that its engine passes the annotation on",
			"%s is held, and not annotated: it can bind no port", what)
	case err == nil && who.Sandbox:
		return nil // it binds nothing, and the kubelet gives it no filter
	case profile.ListenerPath != "" && isSame(profile.ListenerPath, n.Socket):
		r = fail(name, again, "%s has the filter, and the agent does not serve it, as one that"+
			" was started later: it can bind no port", what)
	case profile.ListenerPath != "":
		r = warn(name, "check that one: --listener "+profile.ListenerPath,
			"%s belongs to another supervisor, at %s", what, profile.ListenerPath)
	case restricted || heldErr != nil:
		r = fail(name, again+", once its engine is configured: port-restricter configure ENGINE;"+
			" a pod needs the runtime handler, too",
			"annotations or a rule restrict %s, which is not held: it can bind any port", what)
	default:
		return nil
	}
	return &r
}

// seccomp returns the container's profile, which is empty if it has none.
func (c running) seccomp() specs.LinuxSeccomp {
	if c.spec.Linux == nil || c.spec.Linux.Seccomp == nil {
		return specs.LinuxSeccomp{}
	}
	return *c.spec.Linux.Seccomp
}

// isSame reports whether two paths lead to one file.
func isSame(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return a == b
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// stateDirectories returns the patterns of the directories in which OCI runtimes keep what they
// know of a container. What other users write is left alone.
func stateDirectories() []string {
	if !isRoot() {
		dir := os.Getenv("XDG_RUNTIME_DIR")
		if dir == "" {
			return nil
		}
		return []string{filepath.Join(dir, "runc/*"), filepath.Join(dir, "crun/*")}
	}
	return []string{
		"/run/runc/*", "/run/crun/*", // podman, CRI-O, and runtimes by hand
		"/run/containerd/runc/*/*",
		"/run/docker/runtime-*/*/*",
	}
}

// runningContainers returns the containers of this node whose first process is there.
func runningContainers() (all []running) {
	for _, pattern := range stateDirectories() {
		directories, _ := filepath.Glob(pattern)
		for _, directory := range directories {
			if c, err := readContainer(directory); err == nil {
				all = append(all, c)
			}
		}
	}
	return all
}

// readContainer reads what runc or crun have written down. A container whose process is gone is
// an error.
func readContainer(directory string) (c running, err error) {
	c.id = filepath.Base(directory)
	var start uint64
	var bundle string
	if text, err := os.ReadFile(filepath.Join(directory, "state.json")); err == nil {
		bundle, c.pid, start, err = runcState(text)
		if err != nil {
			return c, err
		}
	} else if text, err := os.ReadFile(filepath.Join(directory, "status")); err == nil {
		bundle, c.pid, start, err = crunState(text)
		if err != nil {
			return c, err
		}
	} else {
		return c, err
	}
	if now, err := startOf(c.pid); err != nil || now != start {
		return c, fmt.Errorf("process %d is gone", c.pid)
	}
	if c.config, err = os.ReadFile(filepath.Join(bundle, "config.json")); err != nil {
		return c, err
	}
	return c, json.Unmarshal(c.config, &c.spec)
}

func runcState(text []byte) (bundle string, pid int, start uint64, err error) {
	var state struct {
		Pid    int    `json:"init_process_pid"`
		Start  uint64 `json:"init_process_start"`
		Config struct {
			Labels []string `json:"labels"`
		} `json:"config"`
	}
	err = json.Unmarshal(text, &state)
	// The annotations are labels, too, and one may have this name: the last label is runc's.
	for _, label := range state.Config.Labels {
		if path, found := strings.CutPrefix(label, "bundle="); found {
			bundle = path
		}
	}
	return bundle, state.Pid, state.Start, err
}

func crunState(text []byte) (bundle string, pid int, start uint64, err error) {
	var state struct {
		Pid    int    `json:"pid"`
		Start  uint64 `json:"process-start-time"`
		Bundle string `json:"bundle"`
	}
	err = json.Unmarshal(text, &state)
	return state.Bundle, state.Pid, state.Start, err
}
