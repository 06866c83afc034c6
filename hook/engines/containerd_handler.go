package engines

import "slices"

const runcShim = "io.containerd.runc.v2"

// handler renders our runtime handler, and names the OCI runtime that the default
// handler runs, "" for containerd's own choice. Ours takes after the default
// one: without its SystemdCgroup, say, no pod would start.
func (c *containerd) handler(o Options) (text, behind string, err error) {
	settings := sub(c.cri(), "containerd")
	name, _ := settings["default_runtime_name"].(string)
	if name == "" || name == Handler {
		name = "runc"
	}
	standard := sub(settings, "runtimes", name)
	if standard["runtime_type"] != runcShim {
		standard = sub(settings, "runtimes", "runc") // not one for virtual machines
	}
	behind, _ = sub(standard, "options")["BinaryName"].(string)
	handler := merge(standard, table{
		"runtime_type": runcShim,
		"options":      table{"BinaryName": runtimePath(o, "containerd")},
	})
	// path.Match: * doesn't cross the slash of port-restricter.port/NAME.
	for _, key := range []string{"pod_annotations", "container_annotations"} {
		patterns := texts(handler[key])
		for _, ours := range []string{"port-restricter.*", "port-restricter.*/*"} {
			if !slices.Contains(patterns, ours) {
				patterns = append(patterns, ours)
			}
		}
		handler[key] = patterns
	}
	text, err = render(handler, c.runtimes(Handler)...)
	if err != nil {
		return "", "", err
	}
	if missing := sub(c.missing(), c.runtimes("runc")...); missing != nil {
		runc, err := render(missing, c.runtimes("runc")...)
		if err != nil {
			return "", "", err
		}
		text = "# With a runtime in the configuration, containerd 1.x no longer has this one of itself.\n" + runc + "\n" + text
	}
	return text, behindShim(o, "containerd", behind), nil
}

func (c *containerd) runtimes(name string) []string {
	return []string{"plugins", c.criPlugin(), "containerd", "runtimes", name}
}

// missing is what has to be said beside our handler: containerd 1.x has its runc
// handler only as long as no other is configured.
func (c *containerd) missing() table {
	if c.version > 2 || len(sub(c.cri(), "containerd", "runtimes")) > 0 {
		return nil
	}
	runc := table{"runtime_type": runcShim}
	for _, key := range []string{"runc", "runtimes", "containerd", c.criPlugin(), "plugins"} {
		runc = table{key: runc}
	}
	return runc
}
