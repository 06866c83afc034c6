package engines

import (
	"path/filepath"
	"slices"
	"strconv"
)

// Podman returns the plan that gives podman a runtime, a precreate hook that adds
// the filter to the containers that must be restricted, and guard hooks. The hooks
// have a directory of their own, which hooks_dir of containers.conf names: the default
// directory is also read by CRI-O, which exits at start on a hook of the stage precreate.
func Podman(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	dir := filepath.Join(o.ownDir(), "podman", "hooks.d")
	plan := &Plan{Next: "unless systemd has the agent's socket, start an agent: " +
		"port-restricter agent --socket " + o.Listener + "; " +
		"podman reads its new configuration the next time it starts: " +
		"podman run --annotation port-restricter.port=5000 … may then bind only that port"}
	if o.Remove {
		plan.Next = "nothing to restart: podman reads its configuration each time it starts"
	}
	precreate, err := hookFile(o, dir, "precreate", always)
	if err != nil {
		return nil, err
	}
	guards, err := guardHooks(o, dir, always)
	if err != nil {
		return nil, err
	}
	dropIn, ociRuntime, err := podmanDropIn(o, dir)
	if err != nil {
		return nil, err
	}
	plan.OCIRuntime = ociRuntime
	script := runtimeScript(o, "podman", ociRuntime)
	for _, file := range slices.Concat([]ownFile{script, precreate}, guards, []ownFile{dropIn}) {
		if err := plan.writeOwn(o, file); err != nil {
			return nil, err
		}
	}
	return plan.finish(o), nil
}

// podmanDropIn returns the drop-in of containers.conf, and the OCI runtime that
// podman has used so far.
func podmanDropIn(o Options, hooks string) (dropIn ownFile, ociRuntime string, err error) {
	system := "/etc/containers/containers.conf.d"
	dir := system
	if o.ConfigHome != "" {
		dir = filepath.Join(o.ConfigHome, "containers/containers.conf.d")
	}
	dropIn = ownFile{
		path: filepath.Join(dir, "port-restricter.conf"), mode: 0o644, isOwn: hasMarker,
		isDropIn: true,
	}
	if o.Remove {
		return dropIn, "", nil
	}
	files, err := o.dropIns(system, ".conf", filepath.Join(system, "port-restricter.conf"))
	if err != nil {
		return dropIn, "", err
	}
	files = slices.Concat([]string{
		"/usr/share/containers/containers.conf", "/etc/containers/containers.conf",
	}, files)
	if o.ConfigHome != "" {
		user, err := o.dropIns(dir, ".conf", dropIn.path)
		if err != nil {
			return dropIn, "", err
		}
		files = append(files, filepath.Join(o.ConfigHome, "containers/containers.conf"))
		files = append(files, user...)
	}
	// Not {append = true}: Podman before 4.8 does not start with it.
	dirs, err := o.hooksDirs(files, dropIn.path, hooks,
		[]string{"/usr/share/containers/oci/hooks.d"}, "engine")
	if err != nil {
		return dropIn, "", err
	}
	dropIn.text = []byte(markerLine("podman") +
		"# hooks_dir replaces the lists of the files that podman reads before this one,\n" +
		"# so the directories in those lists are repeated here. When a list changes, run\n" +
		"# this again: port-restricter configure podman\n" +
		"[engine]\nhooks_dir = " + renderList(dirs) + "\n\n" +
		"[engine.runtimes]\n" +
		Handler + " = [" + strconv.Quote(runtimeScriptPath(o, "podman")) + "]\n")
	ociRuntime, err = podmanRuntime(o, files)
	return dropIn, ociRuntime, err
}

// podmanRuntime returns the path or name of podman's OCI runtime, or "" where no
// file says it.
func podmanRuntime(o Options, files []string) (string, error) {
	var engine table
	for _, file := range files {
		parsed, err := o.readTable(file)
		if err != nil {
			return "", err
		}
		engine = merge(engine, subtable(parsed, "engine"))
	}
	name, _ := engine["runtime"].(string)
	if filepath.IsAbs(name) {
		return unlessOwnScript(o, "podman", name), nil
	}
	// runtimes.NAME is a list of paths to try. If there are several, the shim gets
	// the name and finds the one that is installed.
	if paths := stringsIn(subtable(engine, "runtimes")[name]); len(paths) == 1 {
		return unlessOwnScript(o, "podman", paths[0]), nil
	}
	if name == Handler {
		name = ""
	}
	return name, nil
}
