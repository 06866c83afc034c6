package engines

import (
	"path/filepath"
	"slices"
)

const crioDropIn = "/etc/crio/crio.conf.d/99-port-restricter.conf"

// CRIO gets a runtime handler, and a guard hook for the pods whose filter came,
// or should have come, in another way. The hook has a directory of its own: the
// default one is podman's, too.
func CRIO(o Options) (*Plan, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	plan := &Plan{Next: "systemctl restart crio; then a RuntimeClass with handler: " + Handler + " puts pods under it"}
	if o.Remove {
		plan.Next = "systemctl restart crio; delete RuntimeClasses with handler: " + Handler
	}
	hooks := filepath.Join(home, "crio", "hooks.d")
	guard, err := hookAt(o, hooks, "createRuntime")
	if err != nil {
		return nil, err
	}
	conf, behind, err := crioConf(o, hooks)
	if err != nil {
		return nil, err
	}
	for _, file := range []ownFile{runtimeFile(o, "crio", behind), guard, conf} {
		if err := plan.write(o, file); err != nil {
			return nil, err
		}
	}
	return plan.finish(o), nil
}

func crioConf(o Options, hooks string) (conf ownFile, behind string, err error) {
	conf = ownFile{path: crioDropIn, mode: 0o644, ours: marked}
	if o.Remove {
		return conf, "", nil
	}
	files, err := o.dropIns(filepath.Dir(crioDropIn), "", crioDropIn)
	if err != nil {
		return conf, "", err
	}
	files = slices.Concat([]string{"/etc/crio/crio.conf"}, files)
	dirs, err := o.hooksDirs(files, crioDropIn, hooks, []string{"/usr/share/containers/oci/hooks.d"}, "crio", "runtime")
	if err != nil {
		return conf, "", err
	}
	handler, behind, err := crioHandler(o, files)
	if err != nil {
		return conf, "", err
	}
	text, err := render(handler, "crio", "runtime", "runtimes", Handler)
	if err != nil {
		return conf, "", err
	}
	conf.text = []byte(mark("crio") +
		"# hooks_dir replaces what the files before this one say, so it is said again here:\n" +
		"# run port-restricter configure crio again when theirs change, or the default runtime.\n" +
		"[crio.runtime]\nhooks_dir = " + list(dirs) + "\n\n" + text)
	return conf, behind, nil
}

// crioHandler takes after the default runtime, so that a pod finds the same
// monitor, cgroups and annotations under ours. CRI-O's inherit_default_runtime
// would take its path, too.
func crioHandler(o Options, files []string) (handler table, behind string, err error) {
	var runtime table
	for _, file := range files {
		if file == crioDropIn {
			continue
		}
		parsed, err := o.readTable(file)
		if err != nil {
			return nil, "", err
		}
		runtime = merge(runtime, sub(parsed, "crio", "runtime"))
	}
	if sub(runtime, "runtimes", Handler) != nil {
		return nil, "", foreignRuntime("CRI-O's configuration", "crio.runtime.runtimes."+Handler)
	}
	name, _ := runtime["default_runtime"].(string)
	standard := sub(runtime, "runtimes", name)
	if kind, _ := standard["runtime_type"].(string); kind != "" && kind != "oci" {
		standard = nil // a runtime for virtual machines runs no OCI runtime
	}
	handler = merge(standard, nil)
	behind, _ = handler["runtime_path"].(string)
	if behind == "" && standard != nil {
		behind = name // CRI-O looks for it in PATH by its handler's name
	}
	handler["runtime_path"] = runtimePath(o, "crio")
	handler["runtime_type"] = "oci"
	delete(handler, "inherit_default_runtime")
	delete(handler, "platform_runtime_paths")
	if len(texts(handler["monitor_env"])) == 0 {
		// CRI-O's own for its default runtime. Without a PATH the shim finds no runtime.
		handler["monitor_env"] = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	}
	return handler, behindShim(o, "crio", behind), nil
}
