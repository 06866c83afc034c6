package engines

import "slices"

const runcShim = "io.containerd.runc.v2"

// renderHandler returns the TOML of the runtime handler, and the OCI runtime that
// the default handler runs, or "" where that is left to containerd. The handler is
// a copy of the default one: without its SystemdCgroup, for example, no pod would
// start.
func (c *containerdConfig) renderHandler(o Options) (text, ociRuntime string, err error) {
	settings := subtable(c.criSection(), "containerd")
	name, _ := settings["default_runtime_name"].(string)
	if name == "" || name == Handler {
		name = "runc"
	}
	standard := subtable(settings, "runtimes", name)
	if standard["runtime_type"] != runcShim {
		standard = subtable(settings, "runtimes", "runc") // not a runtime for virtual machines
	}
	ociRuntime, _ = subtable(standard, "options")["BinaryName"].(string)
	handler := merge(standard, table{
		"runtime_type": runcShim,
		"options":      table{"BinaryName": runtimeScriptPath(o, "containerd")},
	})
	// containerd matches with path.Match, in which * does not match the slash of
	// port-restricter.port/NAME. The wide patterns pass on misspelt keys, too (p, r, s, t, in
	// this order), so that they are refused and not overlooked.
	for _, key := range []string{"pod_annotations", "container_annotations"} {
		patterns := stringsIn(handler[key])
		for _, own := range []string{nearlyOurs, nearlyOurs + "/*"} {
			if !slices.Contains(patterns, own) {
				patterns = append(patterns, own)
			}
		}
		handler[key] = patterns
	}
	text, err = renderTable(handler, c.runtimeKeys(Handler)...)
	if err != nil {
		return "", "", err
	}
	if missing := subtable(c.missingRunc(), c.runtimeKeys("runc")...); missing != nil {
		runc, err := renderTable(missing, c.runtimeKeys("runc")...)
		if err != nil {
			return "", "", err
		}
		text = "# containerd 1.x has this runtime by default only while no other is configured.\n" +
			runc + "\n" + text
	}
	return text, unlessOwnScript(o, "containerd", ociRuntime), nil
}

const nearlyOurs = "[Pp]*[Rr]*[Ss]*[Tt]*"

// runtimeKeys returns the keys that lead to a runtime handler.
func (c *containerdConfig) runtimeKeys(name string) []string {
	return []string{"plugins", c.criPlugin(), "containerd", "runtimes", name}
}

// missingRunc returns what has to be written beside the handler, or nil:
// containerd 1.x has its runc handler only as long as no other is configured.
func (c *containerdConfig) missingRunc() table {
	if c.version > 2 || len(subtable(c.criSection(), "containerd", "runtimes")) > 0 {
		return nil
	}
	runc := table{"runtime_type": runcShim}
	for _, key := range []string{"runc", "runtimes", "containerd", c.criPlugin(), "plugins"} {
		runc = table{key: runc}
	}
	return runc
}
