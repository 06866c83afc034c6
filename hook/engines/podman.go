package engines

import (
	"path/filepath"
	"slices"
	"strconv"
)

// Podman reads its hooks from the directories that hooks_dir of containers.conf
// names. Ours has one to itself, since the default one is CRI-O's too, which
// exits at start on a hook of the stage precreate.
func Podman(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	dir := filepath.Join(ourHome(o), "podman", "hooks.d")
	plan := &Plan{Next: "start the agent, if none runs: port-restricter agent --socket " + o.Listener + "; " +
		"podman reads all this at its next start: podman run --annotation port-restricter.port=5000 … is held to that port"}
	if o.Remove {
		plan.Next = "nothing to restart: podman reads it at its next start"
	}
	precreate, err := hookAt(o, dir, "precreate")
	if err != nil {
		return nil, err
	}
	guard, err := hookAt(o, dir, "createRuntime")
	if err != nil {
		return nil, err
	}
	conf, behind, err := podmanConf(o, dir)
	if err != nil {
		return nil, err
	}
	for _, file := range []ownFile{runtimeFile(o, "podman", behind), precreate, guard, conf} {
		if err := plan.write(o, file); err != nil {
			return nil, err
		}
	}
	return plan.finish(o), nil
}

// podmanConf makes the drop-in, and finds the runtime that podman uses so far.
func podmanConf(o Options, hooks string) (conf ownFile, behind string, err error) {
	system := "/etc/containers/containers.conf.d"
	confs := system
	if o.ConfigHome != "" {
		confs = filepath.Join(o.ConfigHome, "containers/containers.conf.d")
	}
	conf = ownFile{path: filepath.Join(confs, "port-restricter.conf"), mode: 0o644, ours: marked}
	if o.Remove {
		return conf, "", nil
	}
	files, err := o.dropIns(system, ".conf", filepath.Join(system, "port-restricter.conf"))
	if err != nil {
		return conf, "", err
	}
	files = slices.Concat([]string{"/usr/share/containers/containers.conf", "/etc/containers/containers.conf"}, files)
	if o.ConfigHome != "" {
		own, err := o.dropIns(confs, ".conf", conf.path)
		if err != nil {
			return conf, "", err
		}
		files = slices.Concat(files, []string{filepath.Join(o.ConfigHome, "containers/containers.conf")}, own)
	}
	// Not {append=true}: Podman before 4.8 doesn't start with it.
	dirs, err := o.hooksDirs(files, conf.path, hooks, []string{"/usr/share/containers/oci/hooks.d"}, "engine")
	if err != nil {
		return conf, "", err
	}
	conf.text = []byte(mark("podman") +
		"# hooks_dir replaces what the files before this one say, so it is said again here:\n" +
		"# run port-restricter configure podman again when theirs change.\n" +
		"[engine]\nhooks_dir = " + list(dirs) + "\n\n" +
		"[engine.runtimes]\n" + Handler + " = [" + strconv.Quote(runtimePath(o, "podman")) + "]\n")
	behind, err = podmanRuntime(o, files)
	return conf, behind, err
}

// podmanRuntime is the path of podman's runtime, "" where no file says it.
func podmanRuntime(o Options, files []string) (string, error) {
	var engine table
	for _, file := range files {
		parsed, err := o.readTable(file)
		if err != nil {
			return "", err
		}
		engine = merge(engine, sub(parsed, "engine"))
	}
	name, _ := engine["runtime"].(string)
	if filepath.IsAbs(name) {
		return behindShim(o, "podman", name), nil
	}
	// A list of paths to try; which of them is there, the shim finds by the name.
	if paths := texts(sub(engine, "runtimes")[name]); len(paths) == 1 {
		return behindShim(o, "podman", paths[0]), nil
	}
	if name == Handler {
		name = ""
	}
	return name, nil
}
