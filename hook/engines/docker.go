package engines

import (
	"encoding/json"
	"fmt"
)

const dockerConf = "/etc/docker/daemon.json"

// Docker returns the plan that gives Docker a runtime, for
// `docker run --runtime port-restricter`.
func Docker(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	plan := &Plan{Next: "systemctl reload docker; then docker run --runtime " + Handler +
		" --annotation port-restricter.port=5000 …"}
	if o.Remove {
		plan.Next = "systemctl reload docker"
	}
	text, err := o.read(dockerConf)
	if err != nil {
		return nil, err
	}
	ociRuntime, err := checkDockerConf(o, text)
	if err != nil {
		return nil, err
	}
	if o.Remove {
		text, err = removeDockerRuntime(o, text)
	} else {
		text, err = addDockerRuntime(o, text)
	}
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", o.shown(dockerConf), err)
	}
	plan.OCIRuntime = ociRuntime
	if err := plan.writeOwn(o, runtimeScript(o, "docker", ociRuntime)); err != nil {
		return nil, err
	}
	if err := plan.edit(o, dockerConf, text, 0o644); err != nil {
		return nil, err
	}
	return plan.finish(o), nil
}

// checkDockerConf fails for a daemon.json that can't be edited. It returns the path
// of the default runtime, or "" for the one that Docker brings.
func checkDockerConf(o Options, text []byte) (ociRuntime string, err error) {
	if text == nil {
		return "", nil
	}
	var conf struct {
		Default  string `json:"default-runtime"`
		Runtimes map[string]struct {
			Path string `json:"path"`
		} `json:"runtimes"`
	}
	if err := json.Unmarshal(text, &conf); err != nil {
		return "", fmt.Errorf("read %s: %w; correct the file first", o.shown(dockerConf), err)
	}
	handler, ok := conf.Runtimes[Handler]
	if ok && handler.Path != runtimeScriptPath(o, "docker") && !o.Remove {
		return "", foreignRuntime(o.shown(dockerConf), "runtimes."+Handler)
	}
	return unlessOwnScript(o, "docker", conf.Runtimes[conf.Default].Path), nil
}

// runtimesOpen and runtimesClose are the braces of a `runtimes` object that
// addDockerRuntime made. By the space inside them, removeDockerRuntime tells that
// object from an empty one of the administrator, which it leaves in place.
const runtimesOpen, runtimesClose = "{ ", " }"

func dockerEntry(o Options) string {
	path, _ := json.Marshal(runtimeScriptPath(o, "docker"))
	return fmt.Sprintf(`{"path": %s}`, path)
}

// addDockerRuntime returns the text of daemon.json with the runtime added. A nil
// text is a file that does not exist.
func addDockerRuntime(o Options, text []byte) ([]byte, error) {
	made := runtimesOpen + `"` + Handler + `": ` + dockerEntry(o) + runtimesClose
	if text == nil {
		return []byte("{\n  \"runtimes\": " + made + "\n}\n"), nil
	}
	root, err := scanObject(text, 0)
	if err != nil {
		return nil, err
	}
	runtimes, ok := root.member("runtimes")
	if !ok {
		return root.insert("runtimes", made), nil
	}
	object, err := scanObject(text, runtimes.value)
	if err != nil {
		return nil, fmt.Errorf("runtimes: %w", err)
	}
	if _, ok := object.member(Handler); ok {
		return text, nil // from an earlier run: checkDockerConf has checked the path
	}
	return object.insert(Handler, dockerEntry(o)), nil
}

// removeDockerRuntime is the reverse of addDockerRuntime. It returns nil for a file
// that addDockerRuntime made.
func removeDockerRuntime(o Options, text []byte) ([]byte, error) {
	if text == nil {
		return nil, nil
	}
	if fresh, err := addDockerRuntime(o, nil); err == nil && string(fresh) == string(text) {
		return nil, nil
	}
	root, err := scanObject(text, 0)
	if err != nil {
		return nil, err
	}
	runtimes, ok := root.member("runtimes")
	if !ok {
		return text, nil
	}
	object, err := scanObject(text, runtimes.value)
	if err != nil {
		return nil, fmt.Errorf("runtimes: %w", err)
	}
	handler, ok := object.member(Handler)
	if !ok {
		return text, nil
	}
	var entry struct {
		Path string `json:"path"`
	}
	err = json.Unmarshal(text[handler.value:handler.end], &entry)
	if err != nil || entry.Path != runtimeScriptPath(o, "docker") {
		return text, nil // not written by port-restricter
	}
	shorter := object.remove(Handler)
	if root, err = scanObject(shorter, 0); err != nil {
		return nil, err
	}
	rest, _ := root.member("runtimes")
	if string(shorter[rest.value:rest.end]) == "{"+runtimesClose {
		return root.remove("runtimes"), nil
	}
	return shorter, nil
}
