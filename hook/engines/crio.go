package engines

import (
	"path/filepath"
	"slices"
)

const crioDropIn = "/etc/crio/crio.conf.d/99-port-restricter.conf"

// CRIO returns the plan that gives CRI-O a runtime handler and guard hooks. The shim
// behind the handler checks its containers itself. The hooks are for annotated pods that
// do not use the handler: they must get the filter in another way. The hooks have a
// directory of their own, because podman also reads the default one.
func CRIO(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	plan := &Plan{Next: "systemctl restart crio; then annotate pods, " +
		"and give them a RuntimeClass with handler: " + Handler}
	if o.Remove {
		plan.Next = "systemctl restart crio; delete RuntimeClasses with handler: " + Handler
	}
	hooks := filepath.Join(systemDir, "crio", "hooks.d")
	guards, err := guardHooks(o, hooks, ifAnnotated)
	if err != nil {
		return nil, err
	}
	dropIn, ociRuntime, err := crioDropInFile(o, hooks)
	if err != nil {
		return nil, err
	}
	plan.OCIRuntime = ociRuntime
	script := runtimeScript(o, "crio", ociRuntime)
	for _, file := range slices.Concat([]ownFile{script}, guards, []ownFile{dropIn}) {
		if err := plan.writeOwn(o, file); err != nil {
			return nil, err
		}
	}
	return plan.finish(o), nil
}

// crioDropInFile returns the drop-in of crio.conf, and the OCI runtime that CRI-O
// has used so far.
func crioDropInFile(o Options, hooks string) (dropIn ownFile, ociRuntime string, err error) {
	dropIn = ownFile{path: crioDropIn, mode: 0o644, isOwn: hasMarker, isDropIn: true}
	if o.Remove {
		return dropIn, "", nil
	}
	files, err := o.dropIns(filepath.Dir(crioDropIn), "", crioDropIn)
	if err != nil {
		return dropIn, "", err
	}
	files = slices.Concat([]string{"/etc/crio/crio.conf"}, files)
	dirs, err := o.hooksDirs(files, crioDropIn, hooks,
		[]string{"/usr/share/containers/oci/hooks.d"}, "crio", "runtime")
	if err != nil {
		return dropIn, "", err
	}
	handler, ociRuntime, err := crioHandler(o, files)
	if err != nil {
		return dropIn, "", err
	}
	text, err := renderTable(handler, "crio", "runtime", "runtimes", Handler)
	if err != nil {
		return dropIn, "", err
	}
	dropIn.text = []byte(markerLine("crio") +
		"# hooks_dir replaces the lists of the files that CRI-O reads before this one,\n" +
		"# so the directories in those lists are repeated here. When a list or the default\n" +
		"# runtime changes, run this again: port-restricter configure crio\n" +
		"[crio.runtime]\nhooks_dir = " + renderList(dirs) + "\n\n" + text)
	return dropIn, ociRuntime, nil
}

// crioHandler returns the runtime handler, and the OCI runtime that CRI-O has used
// so far. The handler is a copy of the default runtime's, so that a pod has the
// same monitor, cgroups and annotations with both. The option
// inherit_default_runtime of CRI-O would copy the path of the OCI runtime, too.
func crioHandler(o Options, files []string) (handler table, ociRuntime string, err error) {
	var runtime table
	for _, file := range files {
		if file == crioDropIn {
			continue
		}
		parsed, err := o.readTable(file)
		if err != nil {
			return nil, "", err
		}
		runtime = merge(runtime, subtable(parsed, "crio", "runtime"))
	}
	if subtable(runtime, "runtimes", Handler) != nil {
		return nil, "", foreignRuntime("CRI-O's configuration", "crio.runtime.runtimes."+Handler)
	}
	name, _ := runtime["default_runtime"].(string)
	standard := subtable(runtime, "runtimes", name)
	if kind, _ := standard["runtime_type"].(string); kind != "" && kind != "oci" {
		standard = nil // a runtime for virtual machines runs no OCI runtime
	}
	handler = merge(standard, nil)
	ociRuntime, _ = handler["runtime_path"].(string)
	if ociRuntime == "" && standard != nil {
		ociRuntime = name // CRI-O looks in PATH for the name of the handler
	}
	handler["runtime_path"] = runtimeScriptPath(o, "crio")
	handler["runtime_type"] = "oci"
	delete(handler, "inherit_default_runtime")
	delete(handler, "platform_runtime_paths")
	if len(stringsIn(handler["monitor_env"])) == 0 {
		// As CRI-O sets it for its default runtime. Without PATH, the shim searches
		// only the directories that it has built in.
		handler["monitor_env"] = []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		}
	}
	return handler, unlessOwnScript(o, "crio", ociRuntime), nil
}
