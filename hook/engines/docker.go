package engines

import (
	"encoding/json"
	"fmt"
)

const dockerConf = "/etc/docker/daemon.json"

// Docker gets a runtime: docker run --runtime port-restricter.
func Docker(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	plan := &Plan{Next: "systemctl reload docker; then docker run --runtime " + Handler + " --annotation port-restricter.port=5000 …"}
	if o.Remove {
		plan.Next = "systemctl reload docker"
	}
	text, err := o.read(dockerConf)
	if err != nil {
		return nil, err
	}
	behind, err := dockerRuntime(o, text)
	if err != nil {
		return nil, err
	}
	if o.Remove {
		text, err = removeRuntime(o, text)
	} else {
		text, err = addRuntime(o, text)
	}
	if err != nil {
		return nil, fmt.Errorf("edit %s: %w", dockerConf, err)
	}
	if err := plan.write(o, runtimeFile(o, "docker", behind)); err != nil {
		return nil, err
	}
	if err := plan.edit(o, dockerConf, text, 0o644); err != nil {
		return nil, err
	}
	return plan.finish(o), nil
}

// dockerRuntime checks the file, and returns the path of the default runtime, ""
// for Docker's own.
func dockerRuntime(o Options, text []byte) (string, error) {
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
		return "", fmt.Errorf("read %s: %w; mend it first", dockerConf, err)
	}
	if ours, ok := conf.Runtimes[Handler]; ok && ours.Path != runtimePath(o, "docker") && !o.Remove {
		return "", foreignRuntime(dockerConf, "runtimes."+Handler)
	}
	return behindShim(o, "docker", conf.Runtimes[conf.Default].Path), nil
}

// Where we made `runtimes`, there are spaces behind its braces: an empty one that
// was there before is left there.
const madeOpen, madeClose = "{ ", " }"

func dockerEntry(o Options) string {
	path, _ := json.Marshal(runtimePath(o, "docker"))
	return fmt.Sprintf(`{"path": %s}`, path)
}

func addRuntime(o Options, text []byte) ([]byte, error) {
	made := madeOpen + `"` + Handler + `": ` + dockerEntry(o) + madeClose
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
		return text, nil // ours: dockerRuntime looked
	}
	return object.insert(Handler, dockerEntry(o)), nil
}

func removeRuntime(o Options, text []byte) ([]byte, error) {
	if text == nil {
		return nil, nil
	}
	if fresh, err := addRuntime(o, nil); err == nil && string(fresh) == string(text) {
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
	ours, ok := object.member(Handler)
	var entry struct {
		Path string `json:"path"`
	}
	if !ok || json.Unmarshal(text[ours.value:ours.end], &entry) != nil || entry.Path != runtimePath(o, "docker") {
		return text, nil // none, or somebody else's
	}
	less := object.remove(Handler)
	if root, err = scanObject(less, 0); err != nil {
		return nil, err
	}
	if rest, _ := root.member("runtimes"); string(less[rest.value:rest.end]) == "{"+madeClose {
		return root.remove("runtimes"), nil
	}
	return less, nil
}
